"""Calls a function for many units, some at the same time, and hands over what is done as it is.

What is done within a moment is handed over together, so that a record of very quick units does
not cost more than they do.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

MOMENT = 0.1
"""Seconds that a result waits for others at most."""
_GRACE = 10.0
"""Seconds that calls under way are given to end, once nothing new is to begin."""

_Result = TypeVar("_Result")


def one_by_one(
    call: Callable[[str], _Result], units: Iterable[str], stop: Callable[[], bool]
) -> Iterator[list[_Result]]:
    """Call one after the other in this thread, where a debugger works.

    Args:
        call: for one unit. What it raises ends the iteration, after what is done before.
        units: to call it for.
        stop: whether nothing more is to begin.
    """
    done: list[_Result] = []
    handed_over = time.monotonic()
    for unit in units:
        if stop():
            break
        try:
            done.append(call(unit))
        except BaseException:
            if done:
                yield done
            raise
        if time.monotonic() - handed_over >= MOMENT:
            yield done
            done, handed_over = [], time.monotonic()
    if done:
        yield done


async def side_by_side(
    call: Callable[[str], Awaitable[_Result]],
    units: Iterable[str],
    stop: Callable[[], bool],
    most: int,
) -> AsyncGenerator[list[_Result], None]:
    """Call for up to `most` units at the same time; see `one_by_one`.

    Closing it cancels what runs.
    """
    waiting = iter(units)
    running: set[asyncio.Future[_Result]] = set()
    done: set[asyncio.Future[_Result]] = set()
    handed_over = time.monotonic()
    try:
        while True:
            while not stop() and len(running) < most and (unit := next(waiting, None)) is not None:
                running.add(asyncio.ensure_future(call(unit)))
            over = not running
            if running:
                first = asyncio.FIRST_COMPLETED
                found, running = await asyncio.wait(running, timeout=MOMENT, return_when=first)
                done |= found
            if stop() or any(task.exception() for task in done):
                found, running = await _last(running)
                done |= found
                over = True
            if done and (over or time.monotonic() - handed_over >= MOMENT):
                results = [task.result() for task in done if not task.exception()]
                errors = [error for task in done if (error := task.exception())]
                done, handed_over = set(), time.monotonic()
                if results:
                    yield results
                if errors:
                    raise errors[0]
            if over:
                return
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


_Futures = set[asyncio.Future[_Result]]


async def _last(running: _Futures[_Result]) -> tuple[_Futures[_Result], _Futures[_Result]]:
    """Let what is paid for already end, if that does not take long."""
    return await asyncio.wait(running, timeout=_GRACE) if running else (set(), set())


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a thread of its own, which nobody waits for once this is cancelled.

    Unlike a pool's, such a thread doesn't hold up the end of the process.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def settle(result: tuple[Any, BaseException | None]) -> None:
        if not future.done():
            future.set_result(result)

    def work() -> None:
        result: tuple[Any, BaseException | None]
        try:
            result = function(*arguments), None
        except BaseException as error:  # noqa: BLE001 - raised below
            result = None, error
        with contextlib.suppress(RuntimeError):  # the loop is gone
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, name="raytuner-item", daemon=True).start()
    value, error = await future
    if error is not None:
        raise error
    return value
