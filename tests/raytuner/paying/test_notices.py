"""Long waits for an endpoint are told, and not all the time."""

import asyncio

import pytest

from raytuner.budget import Purse
from raytuner.objective import Cost
from raytuner.paying.notices import Notices
from raytuner.paying.turnstile import LocalGate
from raytuner.ports.gate import Demand, Limits, Report
from tests.raytuner.virtual_time import live


@pytest.mark.parametrize(("seconds", "told"), [(9.9, 0), (10.0, 1), (3600.0, 1)])
def test_short_waits_are_no_news(seconds, told):
    said = []
    Notices(said.append, lambda: 0.0).waits(seconds)
    assert len(said) == told


def test_the_same_wait_is_told_once_and_a_later_one_again():
    now, said = [0.0], []
    notices = Notices(said.append, lambda: now[0])
    for now[0], seconds in ((0.0, 12.4), (1.0, 11.4), (29.0, 20.0), (31.0, 50.0), (80.0, 11.0)):
        notices.waits(seconds)
    assert said == [
        "a rate limit holds calls back: the next one in 12 s",
        "a rate limit holds calls back: the next one in 50 s",
    ]


def test_whoever_is_told_cannot_hold_anybody_up():
    def told(why):
        raise BrokenPipeError(why)

    Notices(told, lambda: 0.0).waits(60.0)


@pytest.mark.parametrize(
    ("limits", "first", "calls"),
    [
        (Limits(), Report(throttled=True, retry_after=600.0), [1, 1, 1]),
        (Limits(concurrency=2), Report(throttled=True, retry_after=25.0), [1]),
        (Limits(tokens=1000), Report(cost=Cost(tokens_in=900)), [950]),
        (Limits(tokens=1000), Report(cost=Cost(tokens_in=100)), [500, 350, 700]),
        (Limits(requests=3), Report(), [1, 1, 1]),
        (Limits(), Report(requests_left=(0, 44.0)), [1, 1]),
        (Limits(), Report(tokens_left=(10, 33.0)), [50]),
    ],
)
def test_what_is_told_is_when_the_next_call_is_made(limits, first, calls):
    said, starts = [], []

    async def main(clock):
        gate = LocalGate(Purse(None), clock=clock, told=lambda why: said.append((clock(), why)))
        permit = await gate.admit(Demand("lane", limits, tokens=first.cost.tokens_in))
        gate.settle(permit, first)

        async def call(tokens):
            permit = await gate.admit(Demand("lane", limits, tokens=tokens))
            starts.append(clock())
            await asyncio.sleep(1)
            gate.settle(permit, Report(cost=Cost(tokens_in=tokens)))

        await asyncio.gather(*map(call, calls))

    live(main)
    assert said
    when, why = said[0]
    seconds = int(why.split()[-2])
    assert min(abs(start - when - seconds) for start in starts) <= 0.5


def test_a_wait_for_one_endpoint_does_not_silence_another():
    said = []

    async def main(clock):
        gate = LocalGate(Purse(None), clock=clock, told=said.append)
        for lane in ("one", "two"):
            permit = await gate.admit(Demand(lane))
            gate.settle(permit, Report(throttled=True, retry_after=40.0))
        await asyncio.gather(*(gate.admit(Demand(lane)) for lane in ("one", "two")))

    live(main)
    assert len(said) == 2
