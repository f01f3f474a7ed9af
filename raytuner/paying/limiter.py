"""Paces the calls of one endpoint and key: how many at once, how many and how large a minute.

Learns what the endpoint allows from what it says and from what it refuses. Who waits is served
in the order of coming. Everything here runs on one event loop; nothing polls.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from raytuner.paying.minute import WINDOW, Minute, Slot
from raytuner.paying.notices import Notices
from raytuner.paying.pace import Pace
from raytuner.ports.gate import Limits, Report


class _Waiter(NamedTuple):
    future: asyncio.Future[Slot]
    tokens: int


class _Left:
    """What the endpoint says is left, of requests or tokens, until it counts anew."""

    def __init__(self) -> None:
        self.amount = 0
        self.until = 0.0
        self._number = 0

    def adopt(self, said: tuple[int, float], number: int, later: int, now: float) -> None:
        """Take over what the answer to call `number` says; `later` are under way behind it."""
        amount = said[0] - later
        if now >= self.until or number > self._number or amount < self.amount:
            self.amount, self.until, self._number = amount, now + said[1], number

    def blocks(self, wanted: int, now: float) -> bool:
        """Whether there is not enough left for a call."""
        return now < self.until and self.amount < wanted


class Limiter:
    """Lets calls of one lane start when the endpoint will take them.

    Args:
        limits: what the study says; of what it does not say, the endpoint's own word is taken.
        clock: seconds, monotonic; the same as the event loop's.
        window: seconds over which requests and tokens are counted.
        chance: gives numbers from 0 to 1, so that pauses of several callers differ.
        notices: are told of waits.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        window: float = WINDOW,
        chance: Callable[[], float] = random.random,
        notices: Notices | None = None,
    ) -> None:
        self.limits = limits
        self.pace = Pace(limits.concurrency, chance)
        self._learned = Limits()
        self._clock = clock
        self._notices = notices
        self._waiting: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._numbers = 0
        self._flying: dict[int, Slot] = {}
        self._minute = Minute(window)
        self._requests_left = _Left()
        self._tokens_left = _Left()

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return len(self._flying)

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return sum(not one.future.done() for one in self._waiting)

    def tighten(self, limits: Limits) -> None:
        """Keep to these limits too: another model of the study shares the lane."""
        self.limits = Limits(
            _least(self.limits.requests, limits.requests),
            _least(self.limits.tokens, limits.tokens),
            min(self.limits.concurrency, limits.concurrency),
        )
        self.pace.lower(limits.concurrency)

    async def acquire(self, tokens: int = 0) -> Slot:
        """Wait for leave to make a call of up to `tokens` tokens."""
        now = self._clock()
        self._minute.forget(now)
        if not self._waiting and self._room(tokens, now):
            return self._start(tokens, now)
        future: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiter(future, tokens))
        if len(self._waiting) == 1:  # else the one at the head has a timer if it needs one
            self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.withdraw(future.result())
            else:
                self._serve()  # who waited behind it may fit
            raise

    def withdraw(self, slot: Slot) -> None:
        """Take a slot back whose call was never made."""
        del self._flying[slot.number]
        self._requests_left.amount += 1
        self._tokens_left.amount += slot.tokens
        self._minute.uncount(slot)
        self._serve()

    def settle(self, slot: Slot, report: Report) -> None:
        """Take a slot back, and learn from how its call went."""
        del self._flying[slot.number]
        now = self._clock()
        if report.cost is not None:
            self._minute.correct(slot, report.cost.tokens_in + report.cost.tokens_out)
        self._hear(slot, report, now)
        if report.throttled:
            self.pace.refused(
                slot.number,
                started=self._numbers,
                others=len(self._flying),
                asked=_asked(report),
                now=now,
            )
        elif report.cost is not None:  # else nobody knows how it went
            self.pace.accepted(slot.number, now)
        self._serve()

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Send everybody away who waits."""
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if not one.future.done():
                one.future.set_exception(error())
        self._disarm()

    # ---- letting in

    def _serve(self) -> None:
        """Let in whom there is room for; come back when time makes room for the next."""
        self._disarm()
        now = self._clock()
        self._minute.forget(now)
        while self._waiting:
            future, tokens = self._waiting[0]
            if not future.done():
                if not self._room(tokens, now):
                    self._arm(now)
                    return
                future.set_result(self._start(tokens, now))
            self._waiting.popleft()

    def _start(self, tokens: int, now: float) -> Slot:
        self._numbers += 1
        slot = Slot(self._numbers, now, tokens)
        self._flying[slot.number] = slot
        self._minute.add(slot)
        self._requests_left.amount -= 1
        self._tokens_left.amount -= tokens
        return slot

    def _room(self, tokens: int, now: float) -> bool:
        return (
            len(self._flying) < self.pace.at_once
            and now >= self.pace.paused_until
            and not self._minute.full(tokens, self._known())
            and not self._requests_left.blocks(1, now)
            and not self._tokens_left.blocks(tokens, now)
        )

    def _known(self) -> Limits:
        """Give the limits per minute: what the study says, else what the endpoint has said."""
        return Limits(
            self.limits.requests or self._learned.requests,
            self.limits.tokens or self._learned.tokens,
        )

    def _arm(self, now: float) -> None:
        """Come back when time alone makes room for the next."""
        if len(self._flying) >= self.pace.at_once:
            return  # a settlement will make it
        seconds = self._opens(self._waiting[0].tokens, now) - now
        self._timer = asyncio.get_running_loop().call_later(seconds, self._serve)
        if self._notices is not None:
            self._notices.waits(seconds)

    def _opens(self, tokens: int, now: float) -> float:
        """Give the moment at which time alone makes room for a call, as far as is known now."""
        moments = [now, self.pace.paused_until]
        if self._requests_left.blocks(1, now):
            moments.append(self._requests_left.until)
        if self._tokens_left.blocks(tokens, now):
            moments.append(self._tokens_left.until)
        return max(*moments, self._minute.room_at(tokens, self._known()) or now)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- what the endpoint says

    def _hear(self, slot: Slot, report: Report, now: float) -> None:
        """Take over limits that it names, where the study has none, and what it says is left."""
        if report.requests_limit or report.tokens_limit:
            self._learned = Limits(
                _least(self._learned.requests, report.requests_limit),
                _least(self._learned.tokens, report.tokens_limit),
            )
        if report.requests_left is None and report.tokens_left is None:
            return
        calls = tokens = 0
        for number in reversed(self._flying):
            if number < slot.number:
                break
            calls += 1
            tokens += self._flying[number].tokens
        if report.requests_left is not None:
            self._requests_left.adopt(report.requests_left, slot.number, calls, now)
        if report.tokens_left is not None:
            self._tokens_left.adopt(report.tokens_left, slot.number, tokens, now)


def _asked(report: Report) -> float:
    """Give the seconds for which the endpoint wants to be left alone, 0 if it names none."""
    lefts = (report.requests_left, report.tokens_left)
    asked = [left[1] for left in lefts if left is not None and left[0] <= 0]
    return max(report.retry_after or 0.0, *asked, 0.0)


def _least(one: int | None, other: int | None) -> int | None:
    """Give the smaller of two limits; None and what is not positive limit nothing."""
    known = [limit for limit in (one, other) if limit is not None and limit > 0]
    return min(known, default=None)
