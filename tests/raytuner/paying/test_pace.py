"""What a lane makes of refusals, against endpoints that do not say what they allow."""

import asyncio

import pytest

from raytuner.paying.limiter import Limiter
from raytuner.ports.gate import Limits, Report
from tests.raytuner.virtual_time import Endpoint, busiest, live, persist


def test_a_hidden_limit_of_calls_at_once_is_found_with_the_first_burst():
    async def main(clock):
        limiter = Limiter(Limits(concurrency=128), clock=clock)
        endpoint = Endpoint(clock, at_once=64)
        await asyncio.gather(*(persist(limiter, endpoint) for _ in range(1000)))
        assert limiter.pace.effective == 64
        assert len(endpoint.refused) == 64
        assert set(endpoint.refused) == {0.0}
        assert clock() < 1.02 * 0.2 * 1000 / 64 + 0.2

    live(main)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_a_hidden_limit_that_names_a_time_is_found_too(seconds):
    async def main(clock):
        limiter = Limiter(Limits(concurrency=128), clock=clock, chance=lambda: 0.5)
        endpoint = Endpoint(
            clock, at_once=64, tell=lambda: Report(throttled=True, retry_after=seconds)
        )
        await asyncio.gather(*(persist(limiter, endpoint) for _ in range(2000)))
        assert limiter.pace.effective == 64
        assert len(endpoint.refused) <= 70
        assert clock() < 0.2 * 2000 / 64 + 3 * seconds

    live(main)


def test_one_more_at_once_is_tried_rarely_and_the_limit_of_the_study_is_never_passed():
    async def main(clock):
        limiter = Limiter(Limits(concurrency=16), clock=clock)
        endpoint = Endpoint(clock, at_once=8, latency=10.0)
        jobs = 8 * 360
        await asyncio.gather(*(persist(limiter, endpoint) for _ in range(jobs)))
        later = [at for at in endpoint.refused if at > 0]
        assert 1 <= len(later) <= 10  # in an hour
        assert clock() < 3600 * 1.02
        endpoint.at_once = 1000
        endpoint.most = 0
        await asyncio.gather(*(persist(limiter, endpoint) for _ in range(2 * jobs)))
        assert endpoint.most == 16

    live(main)


@pytest.mark.parametrize("tell", [
    lambda: Report(throttled=True),
    lambda: Report(throttled=True, retry_after=5.0),
    lambda: Report(throttled=True, requests_left=(0, 5.0)),
])  # fmt: skip
def test_a_hidden_limit_a_minute_slows_the_lane_but_narrows_it_for_a_moment_only(tell):
    async def main(clock):
        limiter = Limiter(Limits(concurrency=64), clock=clock)
        endpoint = Endpoint(clock, requests=100, tell=tell)
        await asyncio.gather(*(persist(limiter, endpoint) for _ in range(1000)))
        assert busiest(endpoint.served, 60.0) <= 100
        assert len(endpoint.refused) < 10 * 75  # ten times at most all that are under way
        assert clock() < 1.35 * 540

    live(main)


def test_a_thousand_waiters_stay_away_and_come_back_gently():
    async def main(clock):
        limiter = Limiter(Limits(concurrency=1000), clock=clock, chance=lambda: 1.0)
        endpoint = Endpoint(clock, at_once=0, tell=lambda: Report(throttled=True, retry_after=30.0))
        calls = [asyncio.ensure_future(persist(limiter, endpoint)) for _ in range(1000)]
        await asyncio.sleep(1.0)
        assert len(endpoint.refused) == 1000
        endpoint.at_once = 1000
        await asyncio.gather(*calls)
        assert len(endpoint.refused) == 1000
        back = sorted(endpoint.served)
        assert 30.0 <= back[0] <= 34.0
        assert sum(at < back[0] + 0.1 for at in back) == 1
        assert sum(at < back[0] + 0.5 for at in back) <= 8
        assert clock() < 40

    live(main)


def test_refusals_of_everything_are_waited_out_longer_and_longer():
    async def main(clock):
        limiter = Limiter(Limits(concurrency=8), clock=clock, chance=lambda: 1.0)
        endpoint = Endpoint(clock, at_once=0, latency=0.0)
        call = asyncio.ensure_future(persist(limiter, endpoint))
        await asyncio.sleep(120)
        assert endpoint.refused == pytest.approx([0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5])
        endpoint.at_once = 8
        await call
        began = clock()
        await asyncio.gather(*(persist(limiter, endpoint) for _ in range(100)))
        assert clock() == began
        assert limiter.pace.at_once == 8

    live(main)
