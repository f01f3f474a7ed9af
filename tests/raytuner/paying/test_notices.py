"""Long waits for an endpoint are told, and not all the time."""

import asyncio

import pytest

from raytuner.budget import Purse
from raytuner.paying.notices import Notices
from raytuner.paying.turnstile import LocalGate
from raytuner.ports.gate import Demand, Limits, Report
from tests.raytuner.virtual_time import live


@pytest.mark.parametrize(("seconds", "told"), [(9.9, 0), (10.0, 1), (3600.0, 1)])
def test_short_waits_are_no_news(seconds, told):
    said = []
    Notices(said.append, lambda: 0.0).waits(3, seconds)
    assert len(said) == told


def test_the_same_wait_is_told_once_and_a_later_one_again():
    now, said = [0.0], []
    notices = Notices(said.append, lambda: now[0])
    for now[0], seconds in ((0.0, 12.4), (1.0, 11.4), (29.0, 20.0), (31.0, 50.0), (80.0, 11.0)):
        notices.waits(1, seconds)
    assert said == [
        "1 call waits for a rate limit: the next may be made in 12 s",
        "1 call waits for a rate limit: the next may be made in 50 s",
    ]


def test_whoever_is_told_cannot_hold_anybody_up():
    def told(why):
        raise BrokenPipeError(why)

    Notices(told, lambda: 0.0).waits(2, 60.0)


def test_the_gate_tells_how_many_wait_for_an_endpoint_that_refuses():
    said = []

    async def main(clock):
        gate = LocalGate(Purse(None), clock=clock, told=said.append)
        demand = Demand("lane", Limits(concurrency=4), 0.0, 1)
        first = await gate.admit(demand)
        gate.settle(first, Report(throttled=True, retry_after=40.0))
        waiting = [asyncio.ensure_future(gate.admit(demand)) for _ in range(5)]
        await asyncio.sleep(1)
        assert len(said) == 1
        for one in asyncio.as_completed(waiting):
            gate.settle(await one, Report())
        assert 40 <= clock() <= 45

    live(main)
    assert len(said) == 1
    assert said[0].startswith(("1 call waits", "5 calls wait"))
    assert int(said[0].split()[-2]) in range(40, 46)
