"""The trial boundary: runs an objective on one job and turns whatever happens into data.

The same code runs in a loop, in threads, in processes, under asyncio and (later) on Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from raytuner.budget import BudgetExhaustedError
from raytuner.meter import WorkMeter
from raytuner.objective import Failure, Objective, Params, UnitScore
from raytuner.scores import checked, failure_of
from raytuner.trial import Status

_log = logging.getLogger("raytuner.worker")

Emit = Callable[[Sequence[UnitScore]], None]


class Patience(NamedTuple):
    """How often to retry, and how long to wait before: `base` seconds, doubled every time."""

    retries: int = 2
    base: float = 1.0
    longest: float = 60.0

    def delay(self, attempt: int) -> float:
        """Seconds before attempt number `attempt` (1 is the first retry)."""
        return float(min(self.longest, self.base * 2 ** (attempt - 1)))


class Job(NamedTuple):
    """One configuration to evaluate.

    Attributes:
        key: the trial's key.
        params: active parameters.
        units: the units still to be scored, in evaluation order.
        patience: how often, and after how long, units with a retryable failure are tried again.
    """

    key: str
    params: Params
    units: tuple[str, ...]
    patience: Patience = Patience()


@dataclass(frozen=True)
class Ended:
    """How a job ended; its scores have been emitted before.

    `reason` says why a trial was stopped, if it was neither for its scores nor for a failure;
    `facts` are figures of the configuration (`Objective.facts`).
    """

    key: str
    status: Status
    seconds: float
    failure: Failure | None = None
    counts: dict[str, int] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    facts: dict[str, float] = field(default_factory=dict)


class _Progress:
    """Which units of a job are still open, why, and what was spent on them in vain."""

    def __init__(self, job: Job) -> None:
        self.open = dict.fromkeys(job.units)
        self._units = len(self.open)
        self.failures: dict[str, Failure] = {}
        self._spent: dict[str, UnitScore] = {}

    def take(self, batch: Iterable[UnitScore]) -> list[UnitScore]:
        """Check a batch; keep what may be retried, give the scores to record."""
        scored = []
        for raw in batch:
            score = checked(raw)
            if score.unit not in self.open:
                continue
            score = self._with_earlier(score)
            if score.failure is not None:
                self.failures[score.unit] = score.failure
                self._spent[score.unit] = score
                continue
            del self.open[score.unit]
            self.failures.pop(score.unit, None)
            scored.append(score)
        return scored

    @property
    def scored(self) -> bool:
        """Whether any unit has got a score."""
        return len(self.open) < self._units

    def fail(self, failure: Failure) -> None:
        """Give every open unit without a failure of its own this one."""
        for unit in self.open:
            self.failures.setdefault(unit, failure)

    def retry(self, meter: WorkMeter) -> tuple[str, ...]:
        """List the open units whose failure may go away, and forget that they failed."""
        units = tuple(u for u in self.open if (f := self.failures.get(u)) and f.retryable)
        for unit in units:
            del self.failures[unit]
        if units:
            meter.count("units retried", len(units))
        return units

    def lost(self) -> list[UnitScore]:
        """List what stays without a score, as failures to record."""
        return [
            self._with_earlier(UnitScore(unit, {}, failure=self.failures[unit]))
            for unit in self.open
        ]

    def _with_earlier(self, score: UnitScore) -> UnitScore:
        """Add what earlier attempts at this unit have cost."""
        earlier = self._spent.get(score.unit)
        if earlier is None:
            return score
        return score._replace(
            cost=earlier.cost.plus(score.cost), seconds=earlier.seconds + score.seconds
        )


def run_job(objective: Objective, job: Job, emit: Emit, meter: WorkMeter) -> Ended:
    """Evaluate a job; every batch is emitted, and so recorded, before the next one is begun.

    What `emit` raises is no matter of the objective, and passes through.
    """
    started = time.perf_counter()
    progress = _Progress(job)
    for attempt in range(job.patience.retries + 1):
        units = progress.retry(meter) if attempt else job.units
        if attempt and units:
            meter.pause(job.patience.delay(attempt))
        if not units or meter.cancelled:
            break
        batches = _scored(objective, job.params, units, meter, progress)
        try:
            with contextlib.closing(batches):
                for scored in batches:
                    if scored:
                        emit(scored)
                    if meter.cancelled:
                        break
        except BudgetExhaustedError as error:
            return replace(_ended(job, "stopped", started, meter), reason=str(error))
    ended = _finish(job, progress, emit, started, meter)
    return replace(ended, facts=_facts(objective, job, progress))


async def arun_job(
    objective: Objective, job: Job, emit: Emit, meter: WorkMeter, timeout: float | None = None
) -> Ended:
    """Do `run_job` inside an event loop, without blocking it.

    An attempt that takes more than `timeout` seconds is cancelled, and is a retryable failure.
    """
    started = time.perf_counter()
    progress = _Progress(job)
    for attempt in range(job.patience.retries + 1):
        units = progress.retry(meter) if attempt else job.units
        if attempt and units:
            await _pause(job.patience.delay(attempt), meter)
        if not units or meter.cancelled:
            break
        batches = _ascored(objective, job.params, units, meter, progress)
        try:
            async with asyncio.timeout(timeout) as limit, contextlib.aclosing(batches):
                async for scored in batches:
                    if scored:
                        emit(scored)
                    if meter.cancelled:
                        break
        except BudgetExhaustedError as error:
            return replace(_ended(job, "stopped", started, meter), reason=str(error))
        except TimeoutError:
            if not limit.expired():  # it is not ours
                raise
            progress.fail(timed_out(timeout or 0.0))
    ended = _finish(job, progress, emit, started, meter)
    return replace(ended, facts=await asyncio.to_thread(_facts, objective, job, progress))


def timed_out(timeout: float) -> Failure:
    """Give the failure of an attempt that was ended after `timeout` seconds."""
    message = f"the trial took more than its timeout of {timeout:g} seconds"
    return Failure("timeout", message, retryable=True)


def _scored(
    objective: Objective,
    params: Params,
    units: Sequence[str],
    meter: WorkMeter,
    progress: _Progress,
) -> Generator[list[UnitScore], None, None]:
    """Give what is to be recorded of each batch, until the objective ends or breaks."""
    try:
        for batch in objective.evaluate(params, units, meter):
            yield progress.take(batch)
    except (BudgetExhaustedError, KeyboardInterrupt, GeneratorExit):
        raise
    # A user's code may also call sys.exit, let a cancellation of its own escape, or panic in Rust.
    except BaseException as error:  # noqa: BLE001
        progress.fail(failure_of(error))


async def _ascored(
    objective: Objective,
    params: Params,
    units: Sequence[str],
    meter: WorkMeter,
    progress: _Progress,
) -> AsyncGenerator[list[UnitScore], None]:
    """Do `_scored` in an event loop."""
    batches = objective.aevaluate(params, units, meter)
    try:
        async for batch in batches:
            yield progress.take(batch)
    except (BudgetExhaustedError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
            raise
        progress.fail(failure_of(error))
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()


async def _pause(seconds: float, meter: WorkMeter) -> None:
    """Wait, but not beyond the end of the sweep."""
    end = time.monotonic() + seconds
    while not meter.cancelled and (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, 0.2))


def _finish(job: Job, progress: _Progress, emit: Emit, started: float, meter: WorkMeter) -> Ended:
    if not progress.open:
        return _ended(job, "complete", started, meter)
    if meter.cancelled:
        return _ended(job, "stopped", started, meter)
    progress.fail(Failure("objective", "the objective ended without a score for this unit"))
    lost = progress.lost()
    emit(lost)
    return _ended(job, "failed", started, meter, _summary(lost))


def _facts(objective: Objective, job: Job, progress: _Progress) -> dict[str, float]:
    return facts_of(objective, job.params) if progress.scored else {}


def facts_of(objective: Objective, params: Params) -> dict[str, float]:
    """Ask for figures of a configuration that has run; no trial fails for want of them."""
    try:
        given = objective.facts(params)
        return {str(name): float(value) for name, value in given.items() if math.isfinite(value)}
    except Exception:  # noqa: BLE001 - any objective, any exception; its scores stand
        _log.warning("an objective gave no facts", exc_info=True)
        return {}


def _summary(lost: Sequence[UnitScore]) -> Failure:
    """Give the first failure, and how many units it and its like cost."""
    first = next(score.failure for score in lost if score.failure is not None)
    if len(lost) == 1:
        return first
    return Failure(first.kind, f"{first.message} ({len(lost)} units)", first.retryable)


def _ended(
    job: Job, status: Status, started: float, meter: WorkMeter, failure: Failure | None = None
) -> Ended:
    seconds = time.perf_counter() - started
    return Ended(job.key, status, seconds, failure, dict(meter.counts), dict(meter.stages))
