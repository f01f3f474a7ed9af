"""Counters, stage times and money of one trial."""

import contextlib
import json
import threading
import time

import numpy as np
import pytest

from raytuner.budget import BudgetExhaustedError, Purse
from raytuner.meter import WorkMeter
from raytuner.objective import Cost, Meter, Tally
from raytuner.paying.turnstile import LocalGate
from raytuner.ports.gate import run_in_background
from tests.raytuner.virtual_time import soon


def test_counts_add_up_over_threads_and_stay_plain():
    meter = WorkMeter()
    threads = [
        threading.Thread(target=lambda: [meter.count("texts") for _ in range(1000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    meter.count("texts", np.int64(5))
    assert json.dumps(meter.counts) == '{"texts": 4005}'


def test_nested_stages_count_for_themselves_only():
    now = [0.0]
    meter = WorkMeter(clock=lambda: now[0])
    with meter.stage("outer"):
        now[0] += 1
        with meter.stage("inner"):
            now[0] += 10
            with meter.stage("outer"):
                now[0] += 100
        now[0] += 1000
    with contextlib.suppress(RuntimeError), meter.stage("inner"):
        now[0] += 10000
        raise RuntimeError
    assert meter.stages == {"outer": 1101, "inner": 10010}


def test_stages_of_other_threads_are_their_own():
    meter = WorkMeter()

    def work():
        with meter.stage("b"):
            time.sleep(0.05)

    with meter.stage("a"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert meter.stages["a"] >= 0.05
    assert meter.stages["b"] >= 0.05


def test_money_goes_through_the_shared_purse():
    purse = Purse(1.0)
    one, two = WorkMeter(purse), WorkMeter(purse)
    one.reserve(0.7)
    with pytest.raises(BudgetExhaustedError):
        two.reserve(0.7)
    one.settle(0.7, Cost(0.2, 10, 5, 1))
    two.reserve(0.7)
    two.settle(0.7, Cost(0.7))
    assert purse.spent == pytest.approx(0.9)
    assert one.cost == Cost(0.2, 10, 5, 1)


def test_money_far_from_the_purse_goes_through_the_gate():
    purse = Purse(1.0)
    meter = WorkMeter(gate=LocalGate(purse))
    meter.reserve(0.7)
    assert purse.held == (0.7, 0)
    with pytest.raises(BudgetExhaustedError, match=r"up to \$0.4"):
        meter.reserve(0.4)  # at once: who holds the rest may be this very thread
    meter.reserve(0.2)
    meter.settle(0.7, Cost(0.25, 10, 5, 1))
    meter.reserve(0.5)
    meter.settle(0.5, Cost(0.5))
    meter.settle(0.2, Cost(0.1))
    run_in_background(soon())
    assert purse.spent == pytest.approx(0.85)
    assert purse.held == (pytest.approx(0.0), 0)
    assert meter.cost == Cost(pytest.approx(0.85), 10, 5, 1)


def test_a_cost_without_a_reservation_reaches_the_purse_too():
    purse = Purse(1.0)
    meter = WorkMeter(gate=LocalGate(purse))
    meter.settle(0.0, Cost(calls=3))
    meter.settle(0.0, Cost(1.5, 10, 5, 1))
    run_in_background(soon())
    assert (purse.spent, purse.tokens_spent) == (1.5, 15)
    meter.settle(0.0, Cost(0.25))  # over the limit: the sweep ends, its record has the cost
    assert meter.cost == Cost(1.75, 10, 5, 4)


def test_a_purse_at_hand_is_used_before_the_gate():
    purse = Purse(1.0)
    gate = LocalGate(Purse(1.0))
    meter = WorkMeter(purse, gate=gate)
    meter.reserve(0.5)
    assert purse.held == (0.5, 0)
    assert gate.purse.held == (0.0, 0)


def test_threads_far_from_the_purse_do_not_overshoot():
    purse = Purse(1.0)
    meters = [WorkMeter(gate=LocalGate(purse)) for _ in range(4)]
    refused = []

    def work(meter):
        for _ in range(60):
            try:
                meter.reserve(0.01)
            except BudgetExhaustedError:
                refused.append(1)
            else:
                meter.settle(0.01, Cost(0.01))

    threads = [threading.Thread(target=work, args=(meter,)) for meter in meters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_in_background(soon())
    assert purse.spent == pytest.approx(1.0)
    assert len(refused) == 140


def test_pauses_end_with_the_sweep():
    cancel = threading.Event()
    meter = WorkMeter(cancel=cancel)
    assert not meter.cancelled
    threading.Timer(0.05, cancel.set).start()
    began = time.monotonic()
    meter.pause(30)
    assert time.monotonic() - began < 5
    assert meter.cancelled


def test_both_meters_fit_the_port():
    for meter in (WorkMeter(), Tally()):
        port: Meter = meter
        port.reserve(1.0)
        port.settle(1.0, Cost(0.5))
        port.count("x", 2)
        with port.stage("s"):
            pass
        assert meter.counts == {"x": 2}
        assert meter.cost.usd == 0.5
        assert not port.cancelled
