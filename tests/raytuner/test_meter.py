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
