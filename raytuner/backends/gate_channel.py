"""The driver's gate for workers elsewhere: what both ends say, whatever carries it.

A worker's `RemoteGate` asks, the driver's `GateServer` has the sweep's gate decide. Both live on
the loop of `raytuner.ports.gate.background` in their process. What is said holds no secrets: lanes
and keys are digests.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from raytuner.budget import BudgetExhaustedError
from raytuner.component import RaytunerError
from raytuner.objective import Cost, Failure, ObjectiveFailure
from raytuner.ports.gate import Demand, Gate, Permit, Report


class Ask(NamedTuple):
    """A worker wants to make a call; `number` is its own name for it."""

    number: int
    demand: Demand


class Close(NamedTuple):
    """A worker's call has been made, or is not wanted any more."""

    number: int
    report: Report


class Grant(NamedTuple):
    """A call may be made, or has been made by somebody else."""

    number: int
    answer: bytes | None


class Refusal(NamedTuple):
    """A call may not be made: for want of money, or for a failure."""

    number: int
    message: str
    why: type[BudgetExhaustedError] | Failure


Request = Ask | Close
Answer = Grant | Refusal
_UNMADE = Report(cost=Cost())
_AHEAD = 8
"""Calls of one worker and lane that may wait at the gate; it serves in the order of coming, and
a worker with hundreds of calls at hand would otherwise keep the others from using their cores."""


class ServedGate(Gate, Protocol):
    """The gate in the driver's process."""

    def abandon(self, permits: Sequence[Permit]) -> None:
        """Take in that nobody will settle these: all that was reserved counts as spent."""


class RemoteGate:
    """A worker's way to the driver's gate (`raytuner.ports.gate.Gate`).

    Args:
        send: takes what is to be told the driver; returns at once.
    """

    def __init__(self, send: Callable[[Request], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Permit]] = {}
        self._lost: str | None = None

    async def admit(self, demand: Demand) -> Permit:
        """Wait for the driver's leave; see `Gate.admit`."""
        if self._lost is not None:
            raise _lost_worker(self._lost)
        number = next(self._numbers)
        future: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send(Ask(number, demand))
        try:
            return await future
        except asyncio.CancelledError:
            self._send(Close(number, _UNMADE))
            raise
        finally:
            self._waiting.pop(number, None)

    def settle(self, permit: Permit, report: Report) -> None:
        """Give a permit back; see `Gate.settle`."""
        if permit.answer is None:
            self._send(Close(permit.ticket, report))

    def receive(self, answers: Sequence[Answer]) -> None:
        """Take in what the driver has decided."""
        for answer in answers:
            future = self._waiting.get(answer.number)
            if future is None or future.done():  # given up meanwhile, and the driver knows
                continue
            if isinstance(answer, Grant):
                future.set_result(Permit(answer.number, answer.answer))
            else:
                future.set_exception(_error_of(answer))

    def lose(self, reason: str, *, ever: bool = True) -> None:
        """Fail all who wait, because the driver will not answer.

        Args:
            reason: one sentence.
            ever: whether nobody can ask any more.
        """
        if ever:
            self._lost = reason
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(_lost_worker(reason))


@dataclass
class _Lane:
    """What a worker asks for one lane.

    Attributes:
        asking: number of those who wait at the gate.
        behind: the others, by number.
    """

    asking: int = 0
    behind: dict[int, Ask] = field(default_factory=dict)


class GateServer:
    """The driver's half, one for every worker.

    Args:
        gate: decides.
        reply: takes what is to be told the worker; returns at once.
    """

    def __init__(self, gate: ServedGate, reply: Callable[[Answer], None]) -> None:
        self._gate = gate
        self._reply = reply
        self._lanes: dict[str, _Lane] = {}
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._open: dict[int, Permit] = {}
        self._lost = False

    def take(self, requests: Sequence[Request]) -> None:
        """Take in what the worker wants."""
        for request in requests:
            if self._lost:
                return
            if isinstance(request, Ask):
                lane = self._lanes.setdefault(request.demand.lane, _Lane())
                lane.behind[request.number] = request
                self._advance(lane)
            else:
                self._close(request)

    def lose(self) -> None:
        """Take in that the worker is gone, or that nobody can speak to it any more."""
        self._lost = True
        self._lanes = {}
        for task in self._asking.values():
            task.cancel()
        permits, self._open = list(self._open.values()), {}
        if permits:
            self._gate.abandon(permits)

    def _advance(self, lane: _Lane) -> None:
        while lane.behind and lane.asking < _AHEAD and not self._lost:
            ask = lane.behind.pop(next(iter(lane.behind)))
            lane.asking += 1
            task = asyncio.get_running_loop().create_task(self._ask(ask))
            # Not in `_ask`: a task that is cancelled at once never begins.
            task.add_done_callback(functools.partial(self._asked, ask.number, lane))
            self._asking[ask.number] = task

    def _asked(self, number: int, lane: _Lane, _task: asyncio.Task[None]) -> None:
        del self._asking[number]
        lane.asking -= 1
        self._advance(lane)

    def _close(self, request: Close) -> None:
        for lane in self._lanes.values():
            lane.behind.pop(request.number, None)
        asking = self._asking.get(request.number)
        if asking is not None:
            asking.cancel()
        permit = self._open.pop(request.number, None)
        if permit is not None:
            self._gate.settle(permit, request.report)

    async def _ask(self, ask: Ask) -> None:
        try:
            permit = await self._gate.admit(ask.demand)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker waits for it
            self._reply(_refusal(ask.number, error))
            return
        if permit.answer is None:
            self._open[ask.number] = permit
        self._reply(Grant(ask.number, permit.answer))


def _refusal(number: int, error: Exception) -> Refusal:
    if isinstance(error, BudgetExhaustedError):
        return Refusal(number, str(error), type(error))
    if isinstance(error, ObjectiveFailure):
        return Refusal(number, str(error), error.failure)
    known = isinstance(error, RaytunerError)
    message = str(error) if known else f"{type(error).__name__}: {error}"
    return Refusal(number, message, Failure("objective", message))


def _error_of(refusal: Refusal) -> RaytunerError:
    if isinstance(refusal.why, Failure):
        kind, retryable = refusal.why.kind, refusal.why.retryable
        return ObjectiveFailure(kind, refusal.message, retryable=retryable)
    return refusal.why(refusal.message)


def _lost_worker(reason: str) -> ObjectiveFailure:
    return ObjectiveFailure("lost_worker", reason, retryable=True)
