"""Calls for many units: bounded, handed over as they are done, ended in order."""

import asyncio
import threading

import pytest

from raytuner.own.concurrent_items import in_thread, one_by_one, side_by_side

UNITS = [str(number) for number in range(20)]


def never():
    return False


async def collected(batches, into=None):
    into = [] if into is None else into
    async for batch in batches:
        into += batch
    return into


async def test_at_most_so_many_at_a_time_and_each_once():
    running, most = set(), []

    async def call(unit):
        running.add(unit)
        most.append(len(running))
        await asyncio.sleep(0.001)
        running.remove(unit)
        return unit

    assert sorted(await collected(side_by_side(call, UNITS, never, 3))) == sorted(UNITS)
    assert max(most) == 3


async def test_what_is_done_is_handed_over_while_others_run():
    hold = asyncio.Event()

    async def call(unit):
        if unit == "1":
            await hold.wait()
        return unit

    batches = side_by_side(call, UNITS[:5], never, 2)
    first = await anext(batches)
    assert "1" not in first
    hold.set()
    assert sorted(first + await collected(batches)) == UNITS[:5]


async def test_what_is_under_way_ends_and_nothing_begins_once_it_is_to_stop():
    begun, stop = [], threading.Event()

    async def call(unit):
        begun.append(unit)
        if len(begun) == 4:
            stop.set()
        await asyncio.sleep(0.01)
        return unit

    found = await collected(side_by_side(call, UNITS, stop.is_set, 4))
    assert sorted(found) == sorted(begun) == UNITS[:4]


async def test_an_error_ends_it_after_what_was_done():
    async def call(unit):
        if unit == "3":
            raise RuntimeError("inside")
        await asyncio.sleep(0)
        return unit

    found = []
    with pytest.raises(RuntimeError, match="inside"):
        await collected(side_by_side(call, UNITS, never, 4), found)
    assert {"0", "1", "2"} <= set(found)
    assert len(found) < len(UNITS)


async def test_closing_cancels_what_runs():
    cancelled = []

    async def call(unit):
        try:
            if unit != "0":
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(unit)
            raise
        return unit

    batches = side_by_side(call, UNITS, never, 3)
    assert await anext(batches) == ["0"]
    await batches.aclose()
    assert sorted(cancelled) == ["1", "2", "3"]


def test_one_by_one_in_this_thread_and_what_was_done_before_an_error():
    def call(unit):
        if unit == "3":
            raise RuntimeError(threading.current_thread().name)
        return unit

    batches = one_by_one(call, UNITS, never)
    assert next(batches) == UNITS[:3]
    with pytest.raises(RuntimeError, match=threading.current_thread().name):
        next(batches)


def test_one_by_one_stops():
    seen = []

    def call(unit):
        seen.append(unit)
        return unit

    batches = one_by_one(call, UNITS, lambda: len(seen) == 5)
    assert [unit for batch in batches for unit in batch] == UNITS[:5]


async def test_a_thread_that_hangs_is_left_behind():
    hold, names = threading.Event(), []

    def function(number):
        names.append(threading.current_thread())
        hold.wait(10)
        return number

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await in_thread(function, 1)
    assert names[0].daemon
    hold.set()
    assert await in_thread(function, 2) == 2


@pytest.mark.parametrize("error", [StopIteration("x"), SystemExit(3), RuntimeError("inside")])
async def test_what_a_thread_raises_surfaces(error):
    def function():
        raise error

    with pytest.raises((type(error), RuntimeError)):
        await in_thread(function)
