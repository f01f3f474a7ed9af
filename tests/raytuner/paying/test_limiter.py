"""Limits of a lane: never exceeded, fully used, learned from what endpoints say."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.objective import Cost
from raytuner.paying.limiter import Limiter
from raytuner.ports.gate import Limits, Report
from tests.raytuner.virtual_time import Endpoint, busiest, live


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 12),
    calls=st.lists(st.tuples(st.floats(0, 25), st.floats(0, 30)), min_size=1, max_size=60),
)
def test_no_window_has_more_starts_than_the_limit(limit, calls):
    async def main(clock):
        limiter = Limiter(Limits(requests=limit, concurrency=8), clock=clock, window=10.0)
        starts, together = [], [0]

        async def call(at, latency):
            await asyncio.sleep(at)
            slot = await limiter.acquire()
            starts.append(clock())
            together.append(limiter.in_flight)
            await asyncio.sleep(latency)
            limiter.settle(slot, Report())

        await asyncio.gather(*(call(*one) for one in calls))
        assert limiter.in_flight == limiter.waiting == 0
        assert max(together) <= 8
        assert busiest(starts, 10.0) <= limit

    live(main)


@pytest.mark.parametrize(("limit", "calls"), [(1, 5), (7, 50), (60, 1000), (600, 601)])
def test_an_idle_endpoint_is_filled_and_then_fed_the_moment_there_is_room(limit, calls):
    async def main(clock):
        limits = Limits(requests=limit, concurrency=10_000)
        limiter = Limiter(limits, clock=clock, window=60.0)
        starts = []

        async def call():
            slot = await limiter.acquire()
            starts.append(clock())
            limiter.settle(slot, Report())

        await asyncio.gather(*(call() for _ in range(calls)))
        assert starts == pytest.approx([60.0 * (n // limit) for n in range(calls)], abs=1e-3)

    live(main)


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(10, 200),
    calls=st.lists(
        st.tuples(st.floats(0, 20), st.integers(0, 250), st.floats(0, 1), st.floats(0, 15)),
        min_size=1,
        max_size=40,
    ),
)
def test_tokens_are_estimated_before_and_corrected_after(limit, calls):
    """What has been settled counts as it was, what has not as estimated."""

    async def main(clock):
        limiter = Limiter(Limits(tokens=limit, concurrency=100), clock=clock, window=10.0)
        log = []  # of [start, tokens]

        async def call(at, estimate, share, latency):
            await asyncio.sleep(at)
            slot = await limiter.acquire(estimate)
            now = clock()
            recent = sum(tokens for start, tokens in log if start > now - 10.0 + 1e-6)
            assert recent + estimate <= limit or recent == 0
            entry = [now, estimate]
            log.append(entry)
            await asyncio.sleep(latency)
            entry[1] = int(estimate * share)
            limiter.settle(slot, Report(cost=Cost(0.0, entry[1], 0, 1)))

        await asyncio.gather(*(call(*one) for one in calls))
        assert limiter.waiting == 0

    live(main)


def test_a_correction_lets_the_next_one_in_at_once():
    async def main(clock):
        limiter = Limiter(Limits(tokens=100, concurrency=10), clock=clock)
        first = await limiter.acquire(90)
        second = asyncio.ensure_future(limiter.acquire(50))
        await asyncio.sleep(1)
        assert not second.done()
        limiter.settle(first, Report(cost=Cost(0.0, 30, 20, 1)))
        await second
        assert clock() == pytest.approx(1)

    live(main)


def test_a_call_larger_than_the_minute_has_it_alone():
    async def main(clock):
        limiter = Limiter(Limits(tokens=100, concurrency=10), clock=clock, window=60.0)
        starts = []

        async def call(tokens):
            slot = await limiter.acquire(tokens)
            starts.append((clock(), tokens))
            limiter.settle(slot, Report(cost=Cost(0.0, tokens, 0, 1)))

        await asyncio.gather(*(call(tokens) for tokens in (10, 500, 10)))
        assert [tokens for _, tokens in starts] == [10, 500, 10]
        assert [at for at, _ in starts] == pytest.approx([0, 60, 120])

    live(main)


@pytest.mark.parametrize("most", [1, 8, 64])
def test_calls_at_once_are_as_many_as_allowed_and_in_order(most):
    async def main(clock):
        limiter = Limiter(Limits(concurrency=most), clock=clock)
        endpoint = Endpoint(clock, latency=1.0)
        order = []

        async def call(number):
            slot = await limiter.acquire()
            order.append(number)
            limiter.settle(slot, await endpoint.call())

        await asyncio.gather(*(call(number) for number in range(1000)))
        assert order == list(range(1000))
        assert endpoint.most == most
        assert clock() == pytest.approx(-(-1000 // most))  # nobody ever waited in vain

    live(main)


@settings(max_examples=60, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.floats(0, 5), st.floats(0.1, 3), st.none() | st.floats(0, 5)), max_size=40
    )
)
def test_who_gives_up_leaves_no_trace(calls):
    async def main(clock):
        limiter = Limiter(Limits(requests=15, concurrency=3), clock=clock, window=2.0)
        starts = []

        async def call(at, latency):
            await asyncio.sleep(at)
            slot = await limiter.acquire()
            starts.append(clock())
            try:
                await asyncio.sleep(latency)
            finally:
                limiter.settle(slot, Report())

        tasks = []
        for at, latency, patience in calls:
            tasks.append(asyncio.ensure_future(call(at, latency)))
            if patience is not None:
                asyncio.get_running_loop().call_later(patience, tasks[-1].cancel)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for (_, _, patience), end in zip(calls, ended, strict=True):
            assert end is None or patience is not None
        assert limiter.in_flight == limiter.waiting == 0
        assert busiest(starts, 2.0) <= 15

    live(main)


def test_a_slot_given_at_the_moment_of_a_cancellation_comes_back():
    async def main(clock):
        limiter = Limiter(Limits(requests=2, concurrency=1), clock=clock)
        first = await limiter.acquire()
        second = asyncio.ensure_future(limiter.acquire())
        await asyncio.sleep(0)
        limiter.settle(first, Report())  # gives it to the second, which is not to see it
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert limiter.in_flight == 0
        await limiter.acquire()  # nor does it count for the minute
        assert clock() == 0.0

    live(main)


def test_everybody_who_waits_can_be_sent_away():
    async def main(clock):
        limiter = Limiter(Limits(requests=1), clock=clock)
        slot = await limiter.acquire()
        waiting = [asyncio.ensure_future(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        limiter.refuse(lambda: LookupError("over"))
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ended] == [LookupError] * 3
        limiter.settle(slot, Report())
        await limiter.acquire()
        assert clock() == pytest.approx(60.1)

    live(main)


# ---- what endpoints say


def test_nobody_starts_while_nothing_is_left():
    async def main(clock):
        limiter = Limiter(Limits(), clock=clock)
        first, second = await limiter.acquire(), await limiter.acquire(10)
        limiter.settle(first, Report(requests_left=(0, 7.0)))
        await limiter.acquire()
        assert clock() == pytest.approx(7.0)
        limiter.settle(second, Report(tokens_left=(0, 3.0)))
        await limiter.acquire(5)
        assert clock() == pytest.approx(10.0)

    live(main)


def test_what_others_have_used_of_the_key_is_not_used_again():
    async def main(clock):
        limiter = Limiter(Limits(requests=100), clock=clock)
        slots = [await limiter.acquire() for _ in range(3)]
        limiter.settle(slots[0], Report(requests_left=(5, 20.0)))  # two are under way behind it
        for _ in range(3):
            await limiter.acquire()
        assert clock() == 0.0
        await limiter.acquire()
        assert clock() == pytest.approx(20.0)

    live(main)


def test_newer_word_replaces_older():
    async def main(clock):
        limiter = Limiter(Limits(), clock=clock)
        slots = [await limiter.acquire(10) for _ in range(3)]
        limiter.settle(slots[2], Report(tokens_left=(50, 20.0)))
        limiter.settle(slots[1], Report(tokens_left=(1000, 20.0)))  # was asked earlier
        await limiter.acquire(40)
        late = asyncio.ensure_future(limiter.acquire(40))
        await asyncio.sleep(1.0)
        assert not late.done()
        newest = limiter._numbers
        limiter.settle(limiter._flying[newest], Report(tokens_left=(1000, 20.0)))
        await late
        assert clock() == pytest.approx(1.0)

    live(main)


def test_limits_that_the_endpoint_names_hold_where_the_study_has_none():
    async def main(clock):
        limiter = Limiter(Limits(), clock=clock, window=60.0)
        named = Report(requests_limit=3, tokens_limit=0)
        limiter.settle(await limiter.acquire(), named)
        limiter.settle(await limiter.acquire(), Report(requests_limit=50))  # never loosened
        await limiter.acquire()
        assert clock() == 0.0
        await limiter.acquire()
        assert clock() == pytest.approx(60.0)
        own = Limiter(Limits(requests=10), clock=clock, window=60.0)
        for _ in range(10):
            own.settle(await own.acquire(), named)
        assert clock() == pytest.approx(60.0)

    live(main)


def test_models_that_share_a_lane_keep_to_the_tighter_limits():
    limiter = Limiter(Limits(requests=10, concurrency=5))
    limiter.tighten(Limits(tokens=7, concurrency=9))
    limiter.tighten(Limits(requests=20, tokens=8, concurrency=3))
    assert limiter.limits == Limits(10, 7, 3)
    assert limiter.pace.at_once == 3
