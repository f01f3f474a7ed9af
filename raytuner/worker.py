"""The trial boundary: runs an objective on one job and turns whatever happens into data.

The same code runs in a loop, in threads, in processes, under asyncio and (later) on Ray.
"""

from __future__ import annotations

import asyncio
import math
import numbers
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from raytuner.budget import BudgetExhaustedError
from raytuner.component import ConfigError
from raytuner.journal import JournalFullError
from raytuner.meter import WorkMeter
from raytuner.objective import Failure, Objective, ObjectiveFailure, Params, UnitScore
from raytuner.trial import Status

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
    """How a job ended; its scores have been emitted before."""

    key: str
    status: Status
    seconds: float
    failure: Failure | None = None
    counts: dict[str, int] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)


class _Progress:
    """Which units of a job are still open, and the last failure of each."""

    def __init__(self, job: Job) -> None:
        self.open = dict.fromkeys(job.units)
        self.failures: dict[str, Failure] = {}

    def take(self, batch: Iterable[UnitScore]) -> list[UnitScore]:
        """Check a batch; keep what may be retried, give the scores to record."""
        scored = []
        for raw in batch:
            score = _checked(raw)
            if score.unit not in self.open:
                continue
            if score.failure is not None:
                self.failures[score.unit] = score.failure
                continue
            del self.open[score.unit]
            self.failures.pop(score.unit, None)
            scored.append(score)
        return scored

    def fail(self, failure: Failure) -> None:
        """Give every open unit without a failure of its own this one."""
        for unit in self.open:
            self.failures.setdefault(unit, failure)

    def retryable(self) -> tuple[str, ...]:
        """List open units whose failure may go away."""
        return tuple(u for u in self.open if (f := self.failures.get(u)) and f.retryable)

    def forget(self, units: Iterable[str]) -> None:
        """Drop the failures of units that are tried again."""
        for unit in units:
            self.failures.pop(unit, None)

    def lost(self) -> list[UnitScore]:
        """List what stays without a score, as failures to record."""
        return [UnitScore(unit, {}, failure=self.failures[unit]) for unit in self.open]


def _checked(score: UnitScore) -> UnitScore:
    """Refuse scores that are not numbers: NaN is missing data, whatever it is called."""
    if score.failure is not None:
        return score._replace(scores={})
    for metric, value in score.scores.items():
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            reason = f"the objective gave {metric} = {value!r}; a score is a finite number"
            return score._replace(scores={}, failure=Failure("objective", reason))
    if not score.scores:
        return score._replace(failure=Failure("objective", "the objective gave no score"))
    return score._replace(scores={metric: float(value) for metric, value in score.scores.items()})


def failure_of(error: BaseException) -> Failure:
    """Classify an exception that escaped an objective."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ObjectiveFailure):
        return error.failure
    if isinstance(error, ConfigError):
        return Failure("config", str(error))
    if isinstance(error, TimeoutError):
        return Failure("timeout", text, retryable=True)
    if isinstance(error, MemoryError):
        return Failure("out_of_memory", text)
    return Failure("objective", text[:2000])


def run_job(
    objective: Objective,
    job: Job,
    emit: Emit,
    meter: WorkMeter,
) -> Ended:
    """Evaluate a job; every batch is emitted, and so recorded, before the next one is begun."""
    started = time.perf_counter()
    progress = _Progress(job)
    units = job.units
    for attempt in range(job.patience.retries + 1):
        if attempt:
            meter.pause(job.patience.delay(attempt))
        try:
            for batch in objective.evaluate(job.params, units, meter):
                _emit(progress, batch, emit)
                if meter.cancelled:
                    break
        except BudgetExhaustedError:
            return _ended(job, "stopped", started, meter)
        except JournalFullError:
            raise
        except Exception as error:  # noqa: BLE001 - anything a user's code raises is data
            progress.fail(failure_of(error))
        units = _again(progress, meter)
        if not units:
            break
    return _finish(job, progress, emit, started, meter)


async def arun_job(
    objective: Objective,
    job: Job,
    emit: Emit,
    meter: WorkMeter,
) -> Ended:
    """Do `run_job` inside an event loop, without blocking it."""
    started = time.perf_counter()
    progress = _Progress(job)
    units = job.units
    for attempt in range(job.patience.retries + 1):
        if attempt:
            await asyncio.sleep(job.patience.delay(attempt))
        try:
            async for batch in _until_cancelled(objective, job, units, meter):
                _emit(progress, batch, emit)
        except BudgetExhaustedError:
            return _ended(job, "stopped", started, meter)
        except JournalFullError:
            raise
        except Exception as error:  # noqa: BLE001 - anything a user's code raises is data
            progress.fail(failure_of(error))
        units = _again(progress, meter)
        if not units:
            break
    return _finish(job, progress, emit, started, meter)


async def _until_cancelled(
    objective: Objective, job: Job, units: Sequence[str], meter: WorkMeter
) -> AsyncIterator[Sequence[UnitScore]]:
    async for batch in objective.aevaluate(job.params, units, meter):
        yield batch
        if meter.cancelled:
            return


def _emit(progress: _Progress, batch: Sequence[UnitScore], emit: Emit) -> None:
    if scored := progress.take(batch):
        emit(scored)


def _again(progress: _Progress, meter: WorkMeter) -> tuple[str, ...]:
    if meter.cancelled:
        return ()
    units = progress.retryable()
    if units:
        meter.count("units retried", len(units))
    return units


def _finish(job: Job, progress: _Progress, emit: Emit, started: float, meter: WorkMeter) -> Ended:
    if not progress.open:
        return _ended(job, "complete", started, meter)
    if meter.cancelled:
        return _ended(job, "stopped", started, meter)
    progress.fail(Failure("objective", "the objective ended without a score for this unit"))
    lost = progress.lost()
    emit(lost)
    return _ended(job, "failed", started, meter, _summary(lost))


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
