"""The gate of the driver's process: rate limits, money, and one call for equal calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from raytuner.budget import BudgetExhaustedError, Purse, SweepEndingError
from raytuner.paying.flights import Flights, Recall
from raytuner.paying.limiter import Limiter
from raytuner.paying.minute import WINDOW, Slot
from raytuner.paying.notices import Notices, Told
from raytuner.ports.gate import Demand, Permit, Report

Keep = Callable[[str, bytes], None]


class _Open(NamedTuple):
    """A permit that is out."""

    key: str
    limiter: Limiter | None
    slot: Slot | None


class LocalGate:
    """Lets the paid calls of a sweep through, one gate for all of them.

    Belongs to one event loop, the one that `background` gives, but for `wake`, which any thread
    may call; the purse may be used from any thread too.

    Args:
        purse: the sweep's money and tokens.
        recall: gives the answer kept for a key, from an earlier session, say.
        keep: keeps the answer of a key.
        place: name of where they are kept; who has looked there is not looked for again.
        cancelled: whether the sweep is ending; nobody is let through then.
        clock: seconds, monotonic; the same as the event loop's.
        window: seconds over which limits per minute are kept.
        told: gets a sentence when calls wait long for an endpoint.
    """

    def __init__(
        self,
        purse: Purse,
        *,
        recall: Recall | None = None,
        keep: Keep | None = None,
        place: str = "",
        cancelled: Callable[[], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        window: float = WINDOW,
        told: Told | None = None,
    ) -> None:
        self.purse = purse
        self._told = told
        self._keep = keep
        self._place = place
        self._cancelled = cancelled or _never
        self._clock = clock
        self._window = window
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lanes: dict[str, Limiter] = {}
        self._open: dict[int, _Open] = {}
        self._flights = Flights(recall)
        self._till = _Till(purse)
        purse.on_change(self._money_moved)

    @property
    def open_tickets(self) -> frozenset[int]:
        """Tickets of the permits that are out."""
        return frozenset(self._open)

    def limiter(self, lane: str) -> Limiter | None:
        """Give the limiter of a lane that has been used."""
        return self._lanes.get(lane)

    async def admit(self, demand: Demand) -> Permit:
        """Wait until the call may be made, or its answer is known.

        Raises:
            SweepEndingError: the sweep is ending.
            BudgetExhaustedError: money or tokens have no room for it, and none will come back
                from calls under way.
        """
        self._loop = asyncio.get_running_loop()
        self._check()
        if demand.key:
            answer = await self._flights.join(demand.key, recall=self._unseen(demand))
            if answer is not None:
                return Permit(0, answer)
        try:
            return await self._enter(demand)
        except BaseException:
            if demand.key:
                self._flights.hand_over(demand.key)
            self._till.serve()  # it may have been woken for money that it does not take
            raise

    def settle(self, permit: Permit, report: Report) -> None:
        """Give a permit back; one that is not out (any more) is ignored."""
        opened = self._open.pop(permit.ticket, None)
        if opened is None:
            return
        if opened.limiter is not None and opened.slot is not None:
            opened.limiter.settle(opened.slot, report)
        # A ledger that cannot be written refuses the next hold, and ends the sweep there. What
        # is paid for already must reach its caller.
        with contextlib.suppress(Exception):
            self.purse.close(permit.ticket, report.cost)
        if not opened.key:
            return
        if report.answer is None:
            self._flights.hand_over(opened.key)
            return
        self._flights.land(opened.key, report.answer)
        if self._keep is not None:
            with contextlib.suppress(Exception):  # a courtesy to callers to come
                self._keep(opened.key, report.answer)

    def abandon(self, permits: Iterable[Permit]) -> None:
        """Take back the permits of a worker that was lost: all that was held for them is spent."""
        for permit in permits:
            self.settle(permit, Report(cost=None))

    def wake(self) -> None:
        """Send everybody away who waits, if the sweep is ending. From any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._send_away)

    def _send_away(self) -> None:
        if self._cancelled():
            self._flights.refuse(_ending)
            self._till.refuse(_ending)
            for limiter in self._lanes.values():
                limiter.refuse(_ending)

    def _unseen(self, demand: Demand) -> bool:
        return not self._place or demand.looked != self._place

    def _check(self) -> None:
        if self._cancelled():
            raise _ending()

    async def _enter(self, demand: Demand) -> Permit:
        """Pass the limiter, then the till; nobody blocks one while waiting for the other."""
        usd, tokens = demand.usd, demand.tokens
        if demand.patient and self._till.busy:
            await self._till.wait(usd, tokens)  # others came first
        while True:
            limiter = self._lane(demand)
            slot = None if limiter is None else await limiter.acquire(tokens)
            try:
                self._check()
                ticket = self.purse.hold(usd, tokens)
            except BaseException as error:
                if limiter is not None and slot is not None:
                    limiter.withdraw(slot)
                refused = type(error) is BudgetExhaustedError and demand.patient
                if not refused or not self.purse.fits_later(usd, tokens):
                    raise
            else:
                self._open[ticket] = _Open(demand.key, limiter, slot)
                return Permit(ticket)
            await self._till.wait(usd, tokens, first=True)

    def _lane(self, demand: Demand) -> Limiter | None:
        """Give the limiter; none for a call that can never be paid, which need not wait."""
        if not demand.lane or not self.purse.fits_later(demand.usd, demand.tokens):
            return None
        limiter = self._lanes.get(demand.lane)
        if limiter is None:
            notices = None if self._told is None else Notices(self._told, self._clock)
            limiter = Limiter(
                demand.limits, clock=self._clock, window=self._window, notices=notices
            )
            self._lanes[demand.lane] = limiter
        elif demand.limits != limiter.limits:
            limiter.tighten(demand.limits)
        return limiter

    def _money_moved(self) -> None:
        if self._till.busy and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._till.serve)


class _Till:
    """Calls that wait for money which others hold, in the order of coming."""

    def __init__(self, purse: Purse) -> None:
        self._purse = purse
        self._waiting: deque[tuple[asyncio.Future[None], float, int]] = deque()

    @property
    def busy(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    async def wait(self, usd: float, tokens: int, *, first: bool = False) -> None:
        """Wait until it may fit, or never will."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (future, usd, tokens)
        if first:
            self._waiting.appendleft(entry)
        else:
            self._waiting.append(entry)
        # The money may have come back before anybody could see this call waiting.
        self.serve()
        await future

    def serve(self) -> None:
        """Wake those for whom there is room now, and those for whom there never will be."""
        woken, tokens_woken = 0.0, 0
        while self._waiting:
            future, usd, tokens = self._waiting[0]
            if not future.done():
                if self._purse.fits_now(woken + usd, tokens_woken + tokens):
                    woken, tokens_woken = woken + usd, tokens_woken + tokens
                elif self._purse.fits_later(usd, tokens):
                    return
                future.set_result(None)
            self._waiting.popleft()

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Send everybody away."""
        while self._waiting:
            future, _, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(error())


def _never() -> bool:
    return False


def _ending() -> SweepEndingError:
    return SweepEndingError("the sweep is ending")


_standalone: tuple[int, LocalGate] | None = None


def standalone_gate() -> LocalGate:
    """Give the gate of this process for calls without a sweep: rate limits, but no budget."""
    global _standalone  # noqa: PLW0603 - one a process is what it is for
    if _standalone is None or _standalone[0] != os.getpid():  # a forked child has another loop
        _standalone = (os.getpid(), LocalGate(Purse(None)))
    return _standalone[1]


def limited_gate(usd: float | None) -> LocalGate:
    """Give a gate for a piece of work of its own, without a sweep.

    Args:
        usd: dollars it may spend; None: the process's own gate, which has no limit.
    """
    return standalone_gate() if usd is None else LocalGate(Purse(usd))
