"""Equal calls are made once, whatever becomes of them."""

import asyncio

import pytest

from raytuner.budget import BudgetExhaustedError, Purse
from raytuner.objective import Cost
from raytuner.paying.flights import Flights
from raytuner.paying.turnstile import LocalGate
from raytuner.ports.gate import Demand, Permit, Report
from tests.raytuner.virtual_time import begin, soon

KEY = "0" * 31


async def test_equal_calls_are_made_once():
    kept = {}
    gate = LocalGate(Purse(1.0), keep=kept.__setitem__)
    demand = Demand("lane", usd=0.9, key=KEY)
    first = await gate.admit(demand)
    others = [begin(gate, demand) for _ in range(50)]
    await soon()
    assert not any(one.done() for one in others)
    gate.settle(first, Report(cost=Cost(0.5), answer=b"yes"))
    assert await asyncio.gather(*others) == [Permit(0, b"yes")] * 50
    assert await gate.admit(demand) == Permit(0, b"yes")  # though there is no money for it
    gate.settle(Permit(0, b"yes"), Report())
    assert gate.purse.spent == 0.5
    assert kept == {KEY: b"yes"}


async def test_after_a_failure_one_of_those_who_wait_takes_over():
    gate = LocalGate(Purse(None))
    demand = Demand("lane", key=KEY)
    first = await gate.admit(demand)
    second, third, fourth = (begin(gate, demand) for _ in range(3))
    await soon()
    second.cancel()
    gate.settle(first, Report(cost=None))
    again = begin(gate, demand)
    await soon()
    assert third.done()
    assert not fourth.done()
    assert not again.done()  # who has failed comes last
    gate.settle(await third, Report(answer=b"yes"))
    assert (await fourth).answer == (await again).answer == b"yes"


async def test_who_takes_over_and_is_cancelled_at_that_moment_hands_on():
    gate = LocalGate(Purse(None))
    demand = Demand("lane", key=KEY)
    first = await gate.admit(demand)
    second, third = begin(gate, demand), begin(gate, demand)
    await soon()
    gate.settle(first, Report())
    second.cancel()
    assert (await third).ticket
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_who_cannot_pay_lets_an_equal_call_try():
    gate = LocalGate(Purse(1.0))
    held = await gate.admit(Demand("", usd=0.8))
    first = begin(gate, Demand("", usd=0.5, key=KEY))
    second = begin(gate, Demand("", usd=0.1, key=KEY))
    await soon()
    gate.settle(held, Report(cost=Cost(0.8)))
    with pytest.raises(BudgetExhaustedError):
        await first
    assert (await second).ticket


async def test_answers_of_earlier_sessions_are_known_and_read_once():
    asked = []

    def recall(key):
        asked.append(key)
        return b"old" if key == KEY else None

    gate = LocalGate(Purse(None), recall=recall)
    for _ in range(3):
        assert await gate.admit(Demand("lane", key=KEY)) == Permit(0, b"old")
    assert (await gate.admit(Demand("lane", key="new"))).ticket
    assert asked == [KEY, "new"]


async def test_who_has_looked_where_answers_are_kept_is_not_looked_for_again():
    asked = []
    gate = LocalGate(Purse(None), recall=asked.append, place="here")
    assert (await gate.admit(Demand("lane", key="a", looked="here"))).ticket
    assert asked == []
    for looked in ("", "there"):
        assert (await gate.admit(Demand("lane", key=f"b{looked}", looked=looked))).ticket
    assert asked == ["b", "bthere"]
    nameless = LocalGate(Purse(None), recall=asked.append)
    assert (await nameless.admit(Demand("lane", key="c"))).ticket
    assert asked[2:] == ["c"]


async def test_memory_keeps_the_answers_that_were_used_latest():
    read = []
    flights = Flights(read.append, remembered=3 * 1200)
    for key in "abc":
        assert await flights.join(key) is None
        flights.land(key, bytes(1000))
    assert await flights.join("a") == bytes(1000)
    assert await flights.join("d") is None
    flights.land("d", bytes(1000))
    assert read == ["a", "b", "c", "d"]
    assert await flights.join("a") == await flights.join("c") == bytes(1000)
    assert await flights.join("b") is None  # it had to go
    assert read[-1] == "b"
    flights.land("b", bytes(5000))  # larger than all there is: not kept
    assert await flights.join("b") is None


async def test_an_answer_that_cannot_be_read_holds_nobody_up():
    def recall(key):
        raise OSError(5, "input/output error")

    flights = Flights(recall)
    for _ in range(2):
        with pytest.raises(OSError, match="input/output"):
            await flights.join(KEY)
