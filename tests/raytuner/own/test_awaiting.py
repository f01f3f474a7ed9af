"""Async functions of users, called from sync code."""

import asyncio
import threading

import pytest

from raytuner.own.awaiting import drained, run_apart


async def here():
    await asyncio.sleep(0)
    return asyncio.get_running_loop(), threading.current_thread().name


async def test_all_calls_share_one_loop_also_inside_a_running_one():
    one, two = run_apart(here()), await asyncio.to_thread(run_apart, here())
    assert one == two
    assert one[0] is not asyncio.get_running_loop()


def test_a_function_that_runs_another_one_gets_a_loop_for_it():
    async def nested():
        return run_apart(here())

    assert run_apart(nested())[0] is not run_apart(here())[0]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_whatever_escapes_is_raised_here_and_the_loop_lives(error):
    async def leave():
        await asyncio.sleep(0)
        raise error

    with pytest.raises(error):
        run_apart(leave())
    assert run_apart(here())


def test_an_iterator_goes_on_while_its_items_are_used():
    ready = threading.Event()

    async def count():
        for number in range(3):
            yield number
        ready.set()

    items = drained(count())
    assert next(items) == 0
    assert ready.wait(10)
    assert list(items) == [1, 2]


def test_closing_ends_the_other_side_and_waits_for_it():
    seen = []

    async def forever():
        try:
            while True:
                yield len(seen)
                await asyncio.sleep(0)
        finally:
            seen.append("ended")

    items = drained(forever())
    assert next(items) == 0
    items.close()
    assert seen == ["ended"]


def test_errors_of_an_iterator_surface_after_its_items():
    async def broken():
        yield 1
        raise RuntimeError("inside")

    items = drained(broken())
    assert next(items) == 1
    with pytest.raises(RuntimeError, match="inside"):
        next(items)
