"""Runs the async functions of users from code that is not async.

All of a process share one event loop in a thread of its own, so that what a user's module keeps
(clients and their connections belong to the loop they were made in) serves every trial.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_LONGEST_FAREWELL = 5.0
"""Seconds that a cancelled function may take to end."""
_lock = threading.Lock()
_shared: tuple[int, asyncio.AbstractEventLoop, int | None] | None = None


def run_apart(awaitable: Awaitable[Any]) -> Any:
    """Await something from sync code, also while this thread's event loop runs (a notebook).

    An interruption (Ctrl-C) cancels it.
    """

    async def wait() -> tuple[Any, BaseException | None]:
        try:
            return await awaitable, None
        except BaseException as error:  # noqa: BLE001 - raised below; sys.exit would end the loop
            return None, error

    future = asyncio.run_coroutine_threadsafe(wait(), _loop())
    try:
        value, error = future.result()
    except BaseException:
        future.cancel()
        raise
    if error is not None:
        raise error
    return value


def drained(items: AsyncIterator[_Item]) -> Iterator[_Item]:
    """Give what an async iterator gives, from sync code; it goes on while each item is used.

    It must not let SystemExit or KeyboardInterrupt out. Closing this one ends it, and waits for
    its end, but not for long.
    """
    found: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    async def pump() -> None:
        try:
            async for item in items:
                found.put((True, item))
        finally:
            try:
                if close := getattr(items, "aclose", None):
                    await close()
            finally:
                found.put((False, None))

    future = asyncio.run_coroutine_threadsafe(pump(), _loop())
    ended = False
    try:
        while not ended:
            more, item = found.get()
            if more:
                yield item
            ended = not more
        future.result()
    finally:
        if not ended:
            future.cancel()
            with contextlib.suppress(queue.Empty):
                while found.get(timeout=_LONGEST_FAREWELL)[0]:
                    pass


def _loop() -> asyncio.AbstractEventLoop:
    """Give this process's loop for users' functions; one of its own to a function that runs in it.

    Such a function blocks the loop it runs in, which could then do nothing for it.
    """
    global _shared  # noqa: PLW0603 - one a process is what it is for
    with _lock:
        if _shared is None or _shared[0] != os.getpid():  # a forked child has no such thread
            loop, thread = _started()
            _shared = (os.getpid(), loop, thread.ident)
        nested = _shared[2] == threading.get_ident()
        return _started()[0] if nested else _shared[1]


def _started() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="raytuner-functions", daemon=True)
    thread.start()
    return loop, thread
