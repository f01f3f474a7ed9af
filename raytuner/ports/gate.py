"""The port of paid calls: each asks here first, and says afterwards how it went.

One gate serves a whole sweep, however many threads, processes and nodes it has: it keeps to the
rate limits of every endpoint, sets the sweep's money aside before it is spent, and lets equal
calls be made once. Implementations: `raytuner.paying.turnstile` in the driver's process, and what
workers elsewhere use to reach that one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, NamedTuple, Protocol, TypeVar

from raytuner.ports.cost import Cost

_Result = TypeVar("_Result")


class Limits(NamedTuple):
    """What an endpoint allows one key. None: not known, learned from its answers.

    Attributes:
        requests: per minute.
        tokens: per minute, in and out.
        concurrency: calls at the same time.
    """

    requests: int | None = None
    tokens: int | None = None
    concurrency: int = 64


class Demand(NamedTuple):
    """A paid call that wants to be made.

    Attributes:
        lane: calls of one lane (endpoint, model family and key, as a digest) share limits.
        limits: of the lane.
        usd: the most the call can cost.
        tokens: the most tokens it can use, in and out.
        key: 32 hexadecimal digits of what is asked; while a call is under way or once its answer
            is known, equal keys get that answer. Empty: not shared.
        patient: whether to wait for money that other calls have set aside and may not need.
        looked: name of the place (`Answers.place`) where the caller has looked in vain already.
    """

    lane: str
    limits: Limits = Limits()
    usd: float = 0.0
    tokens: int = 0
    key: str = ""
    patient: bool = True
    looked: str = ""


class Permit(NamedTuple):
    """Leave to make one call; or its answer, if somebody has made an equal one.

    Attributes:
        ticket: to be settled exactly once, unless there is an answer.
        answer: what an equal call has got, or None.
    """

    ticket: int
    answer: bytes | None = None


class Report(NamedTuple):
    """How a call went.

    Attributes:
        cost: what it cost; None: not known (a timeout, a broken line), all that was reserved.
        answer: what it got, kept for equal calls; None for a failure.
        throttled: whether the endpoint refused it as one too many.
        retry_after: seconds that the endpoint asks its callers to stay away, or None.
        requests_left: requests that the endpoint says are left, and in how many seconds it
            counts anew; None: it says nothing.
        tokens_left: the same of tokens.
        requests_limit: requests per minute that the endpoint names.
        tokens_limit: tokens per minute that it names.
    """

    cost: Cost | None = Cost()
    answer: bytes | None = None
    throttled: bool = False
    retry_after: float | None = None
    requests_left: tuple[int, float] | None = None
    tokens_left: tuple[int, float] | None = None
    requests_limit: int | None = None
    tokens_limit: int | None = None


class Gate(Protocol):
    """Where paid calls ask first. Belongs to the loop that `background` gives."""

    async def admit(self, demand: Demand) -> Permit:
        """Wait until the call may be made.

        Raises:
            BudgetExhaustedError: the sweep's money or tokens have no room for it, and none will
                come back from calls under way.
            ObjectiveFailure: lost_worker, the driver's gate cannot be reached any more.
        """

    def settle(self, permit: Permit, report: Report) -> None:
        """Give the permit back. Returns at once."""


class Answers(Protocol):
    """Where answers of paid calls are kept, by the key of what was asked."""

    @property
    def place(self) -> str:
        """Name it, the same in every process of a host; empty: callers do not look there."""

    def recall(self, key: str) -> bytes | None:
        """Give what is known."""

    def keep(self, key: str, answer: bytes) -> None:
        """Remember an answer."""


_lock = threading.Lock()
_loop: tuple[int, asyncio.AbstractEventLoop] | None = None


def background() -> asyncio.AbstractEventLoop:
    """Give this process's event loop for paid calls, in a thread of its own; started when asked.

    Trials in any number of threads share it, and so one set of connections.
    """
    global _loop  # noqa: PLW0603 - one a process is what it is for
    with _lock:
        if _loop is None or _loop[0] != os.getpid():  # a forked child has no such thread
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="raytuner-calls", daemon=True).start()
            _loop = (os.getpid(), loop)
        return _loop[1]


def run_in_background(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine on the background loop and wait for it, from any other thread.

    An interruption (Ctrl-C) cancels it.
    """
    future = asyncio.run_coroutine_threadsafe(work, background())
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


PAID = "paid/"


def paid_counter(stage: str, model: str, what: str) -> str:
    """Name the work counter of paid calls: by what they were for, who was asked, and what counts.

    Amounts are whole: calls, retries, reused, failures, tokens in, tokens out, and money in
    nanodollars, spent and saved.
    """
    return f"{PAID}{stage}/{model}/{what}"


def read_counter(name: str) -> tuple[str, str, str] | None:
    """Read what `paid_counter` has written; None for any other counter."""
    if not name.startswith(PAID):
        return None
    stage, _, rest = name.removeprefix(PAID).partition("/")
    model, _, what = rest.rpartition("/")
    return stage, model, what
