"""The driver's gate: limits, money and equal calls, alone and under real concurrency."""

import asyncio
import random
import threading

import pytest

from raytuner.budget import BudgetExhaustedError, Purse, SweepEndingError
from raytuner.objective import Cost
from raytuner.paying.turnstile import LocalGate, standalone_gate
from raytuner.ports.gate import Demand, Limits, Permit, Report, background, run_in_background
from tests.raytuner.virtual_time import begin, live, soon

KEY = "0" * 31


# ---- money


async def test_money_is_held_before_a_call_and_settled_after():
    purse = Purse(1.0, tokens=100)
    gate = LocalGate(purse)
    permit = await gate.admit(Demand("lane", usd=0.5, tokens=60))
    assert permit.answer is None
    assert purse.held == (0.5, 60)
    assert gate.open_tickets == {permit.ticket}
    assert gate.limiter("lane").in_flight == 1
    gate.settle(permit, Report(cost=Cost(0.25, 10, 20, 1)))
    assert (purse.spent, purse.tokens_spent, purse.held) == (0.25, 30, (0.0, 0))
    assert gate.open_tickets == set()
    assert gate.limiter("lane").in_flight == 0
    gate.settle(permit, Report(cost=Cost(0.25)))  # a second time it is nothing
    assert purse.spent == 0.25


async def test_the_patient_wait_for_money_that_may_come_back():
    gate = LocalGate(Purse(1.0))
    first = await gate.admit(Demand("lane", usd=0.75))
    with pytest.raises(BudgetExhaustedError):
        await gate.admit(Demand("lane", usd=0.5, patient=False))
    waiting = begin(gate, Demand("lane", usd=0.5))
    await soon()
    assert not waiting.done()
    assert gate.limiter("lane").in_flight == 1  # who waits for money takes nobody's place
    gate.settle(first, Report(cost=Cost(0.5)))
    gate.settle(await waiting, Report(cost=Cost(0.5)))
    assert gate.purse.spent == 1.0
    with pytest.raises(BudgetExhaustedError, match=r"of \$1 has no room"):
        await gate.admit(Demand("lane", usd=0.01))


async def test_the_patient_are_sent_away_once_nothing_can_come_back():
    gate = LocalGate(Purse(1.0))
    first = await gate.admit(Demand("", usd=0.75))
    waiting = [begin(gate, Demand("", usd=0.5)), begin(gate, Demand("", usd=0.25))]
    await soon()
    assert not waiting[0].done()
    assert not waiting[1].done()  # would fit, but came later
    gate.settle(first, Report(cost=Cost(0.75)))
    with pytest.raises(BudgetExhaustedError):
        await waiting[0]
    gate.settle(await waiting[1], Report())


async def test_money_that_comes_back_in_another_thread_is_noticed():
    gate = LocalGate(Purse(1.0))
    gate.purse.reserve(1.0)
    waiting = begin(gate, Demand("", usd=0.5))
    await soon()
    await asyncio.to_thread(gate.purse.settle, 1.0, Cost(0.25))
    assert (await asyncio.wait_for(waiting, 10)).answer is None


async def test_who_gives_up_waiting_for_money_lets_the_next_one_have_it():
    gate = LocalGate(Purse(1.0))
    first = await gate.admit(Demand("", usd=1.0))
    large, small = begin(gate, Demand("", usd=0.9)), begin(gate, Demand("", usd=0.4))
    await soon()
    gate.settle(first, Report(cost=Cost(0.05)))
    large.cancel()
    with pytest.raises(asyncio.CancelledError):
        await large
    assert (await asyncio.wait_for(small, 10)).ticket
    assert gate.purse.held == (0.4, 0)


async def test_a_call_that_can_never_be_paid_does_not_wait_for_its_turn():
    gate = LocalGate(Purse(1.0))
    lane = Demand("lane", Limits(concurrency=1))
    await gate.admit(lane)
    with pytest.raises(BudgetExhaustedError):
        await asyncio.wait_for(gate.admit(lane._replace(usd=1.5)), 10)


async def test_a_ledger_that_raises_refuses_the_call_and_gives_everything_back():
    def full(rows):
        if not rows[0].settled:
            raise OSError(28, "no space left")

    gate = LocalGate(Purse(1.0, ledger=full))
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            await gate.admit(Demand("lane", Limits(concurrency=1, requests=1), usd=0.5, key=KEY))
    assert gate.purse.held == (0.0, 0)
    assert gate.limiter("lane").in_flight == 0


async def test_what_is_paid_reaches_its_caller_though_the_record_is_full():
    def full(rows):
        if rows[0].settled:
            raise OSError(28, "no space left")

    def keep(key, answer):
        raise OSError(28, "no space left")

    gate = LocalGate(Purse(1.0, ledger=full), keep=keep)
    permit = await gate.admit(Demand("lane", usd=0.5, key=KEY))
    equal = begin(gate, Demand("lane", usd=0.5, key=KEY))
    await soon()
    gate.settle(permit, Report(cost=Cost(0.25), answer=b"yes"))
    assert await equal == Permit(0, b"yes")
    assert gate.purse.spent == 0.25


# ---- lanes


async def test_no_more_calls_at_once_than_the_lane_allows():
    gate = LocalGate(Purse(None))
    together, most = 0, 0

    async def call():
        nonlocal together, most
        permit = await gate.admit(Demand("lane", Limits(concurrency=8)))
        together += 1
        most = max(most, together)
        await asyncio.sleep(0)
        together -= 1
        gate.settle(permit, Report())

    await asyncio.gather(*(call() for _ in range(1000)))
    assert most == 8


async def test_lanes_do_not_wait_for_each_other_and_the_empty_one_for_nobody():
    gate = LocalGate(Purse(None))
    for lane in ("a", "b"):
        await gate.admit(Demand(lane, Limits(concurrency=1)))
    for _ in range(100):
        await gate.admit(Demand("", Limits(requests=1, concurrency=1)))
    waiting = begin(gate, Demand("a", Limits(concurrency=1)))
    await soon()
    assert not waiting.done()
    waiting.cancel()


def test_limits_per_minute_are_those_of_the_demand():
    async def main(clock):
        gate = LocalGate(Purse(None), clock=clock, window=60.0)
        for _ in range(5):
            gate.settle(await gate.admit(Demand("lane", Limits(requests=2))), Report())
        assert clock() == pytest.approx(120.0)

    live(main)


# ---- the end


@pytest.mark.parametrize("thread", [False, True])
async def test_everybody_who_waits_is_sent_away_when_the_sweep_ends(thread):
    ending = threading.Event()
    gate = LocalGate(Purse(1.0), cancelled=ending.is_set)
    narrow = Demand("lane", Limits(concurrency=1), usd=0.5, key=KEY)
    under_way = await gate.admit(narrow)
    waiting = [
        begin(gate, narrow),
        begin(gate, narrow._replace(key="other")),
        begin(gate, narrow._replace(key="other")),
        begin(gate, Demand("", usd=0.75)),
        begin(gate, Demand("", usd=0.1)),
    ]
    await soon()
    gate.wake()  # says nothing yet
    await soon()
    assert not any(one.done() for one in waiting)
    ending.set()
    if thread:
        await asyncio.to_thread(gate.wake)
    else:
        gate.wake()
    ended = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)
    assert [type(end) for end in ended] == [SweepEndingError] * 5
    with pytest.raises(SweepEndingError, match="the sweep is ending"):
        await gate.admit(Demand("lane"))
    gate.settle(under_way, Report(cost=Cost(0.25), answer=b"yes"))
    assert gate.purse.spent == 0.25
    assert gate.purse.held == (0.0, 0)


async def test_permits_of_a_lost_worker_are_spent_and_their_places_free():
    gate = LocalGate(Purse(1.0))
    narrow = Demand("lane", Limits(concurrency=1), usd=0.5, key=KEY)
    lost = await gate.admit(narrow)
    waiting = begin(gate, narrow)
    await soon()
    gate.abandon([lost])
    permit = await asyncio.wait_for(waiting, 10)
    assert gate.purse.spent == 0.5
    gate.settle(permit, Report(cost=Cost(0.5)))
    assert gate.purse.spent == 1.0


async def test_cancelled_calls_leave_nothing_behind():
    chance = random.Random(7)
    gate = LocalGate(Purse(1.0))

    async def call(number):
        key = f"{number % 40:032x}" if number % 2 else ""
        limits = Limits(concurrency=5)
        permit = await gate.admit(Demand("lane", limits, usd=0.3, key=key))
        if permit.answer is None:
            try:
                await asyncio.sleep(0.001 * chance.random())
            finally:
                gate.settle(permit, Report(answer=b"x" if number % 3 else None))

    tasks = [asyncio.ensure_future(call(number)) for number in range(400)]
    for task in chance.sample(tasks, 150):
        await asyncio.sleep(0)
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ended} <= {type(None), asyncio.CancelledError}
    assert gate.open_tickets == set()
    assert gate.purse.held == (pytest.approx(0.0), 0)
    assert gate.limiter("lane").in_flight == gate.limiter("lane").waiting == 0
    assert not gate._flights._waiting
    assert not gate._till.busy


# ---- real concurrency


@pytest.mark.parametrize("exact", [True, False])
def test_threads_that_race_to_a_limit_never_pass_it_and_use_it_up(exact):
    purse = Purse(1.0, tokens=100_000)
    gate = LocalGate(purse)
    tops, refused = [], []
    real = [0.0] * 16

    def work(number):
        chance = random.Random(number)
        while True:
            usd = chance.uniform(0.001, 0.004)
            demand = Demand("lane", Limits(concurrency=8), usd=usd, tokens=int(usd * 50_000))
            try:
                permit = run_in_background(gate.admit(demand))
            except BudgetExhaustedError:
                refused.append(number)
                return
            cost = usd if exact else usd * chance.random()
            real[number] += cost
            tops.append(purse.spent + purse.held[0])
            report = Report(cost=Cost(cost, int(cost * 50_000), 0, 1))
            background().call_soon_threadsafe(gate.settle, permit, report)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_in_background(soon())
    assert sorted(refused) == list(range(16))
    assert purse.held == (pytest.approx(0.0), 0)
    assert purse.spent == pytest.approx(sum(real))
    assert 0.97 < purse.spent <= 1.0 + 1e-9
    assert max(tops) <= 1.004 + 1e-9  # two numbers, read one after the other


def test_calls_without_a_sweep_share_one_gate():
    gate = standalone_gate()
    assert gate is standalone_gate()
    permit = run_in_background(gate.admit(Demand("lane of a test", usd=1e6)))
    background().call_soon_threadsafe(gate.settle, permit, Report())
    run_in_background(soon())
    assert gate.open_tickets == set()
