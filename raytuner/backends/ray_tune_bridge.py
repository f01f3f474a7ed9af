"""Between a sweep and Ray Tune's controller: jobs go in as trials, unit scores come out.

Called in the controller's thread only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.tune.result import DONE
from ray.tune.search import Searcher

from raytuner.backends.feeder import Report, WorkerStartError
from raytuner.backends.ray_crew import lost_worker
from raytuner.backends.ray_tune_trial import JOB, REFUSED, REPORT, Assignment
from raytuner.component import ConfigError
from raytuner.objective import Failure, UnitScore
from raytuner.sweep import Sweep
from raytuner.worker import Ended, Job, timed_out

_STARTS = 3
"""Workers in a row that may die before they are ready, times the number of workers."""
_GRACE = 10.0
"""Seconds that a batch has to end once the sweep is ending."""


@dataclass
class _Errand:
    """One job of the sweep, on its way through one Tune trial per attempt.

    Attributes:
        job: as the sweep gave it.
        open: its units that have no score yet.
        attempts: so many have begun.
        due: when it may be tried again, in seconds of the monotonic clock.
        began: when its latest attempt began; None before a worker has it.
    """

    job: Job
    open: dict[str, None]
    attempts: int = 0
    due: float = 0.0
    began: float | None = None


class Bridge:
    """What a searcher, a callback and a stopper of Tune share.

    Args:
        sweep: gives jobs, takes results.
        size: trials at the same time.
        timeout: seconds that one attempt at a job may take.
    """

    def __init__(self, sweep: Sweep, size: int, timeout: float | None) -> None:
        self.error: BaseException | None = None
        self._sweep = sweep
        self._size = size
        self._timeout = timeout
        self._running: dict[str, _Errand] = {}
        self._again: list[_Errand] = []
        self._misses = 0
        self._over_since: float | None = None

    @property
    def over(self) -> bool:
        """Whether every trial has to end after its batch."""
        return self.error is not None or self._sweep.cancelled

    @property
    def abandoned(self) -> bool:
        """Whether every trial has to end now."""
        if not self.over:
            return False
        now = time.monotonic()
        self._over_since = self._over_since or now
        working = any(errand.began is not None for errand in self._running.values())
        return self.error is not None or not working or now > self._over_since + _GRACE

    def stop(self) -> None:
        """Take in that the run config ends the run."""
        if not self.over:
            self._sweep.cancel("`stop` of the run config has ended the run")

    def next(self, trial: str) -> dict[str, Any] | str | None:
        """Give the configuration of the next trial; None: not now."""
        if self.over:
            return str(Searcher.FINISHED)
        errand = self._take()
        if errand is None:
            busy = self._running or self._again or not self._sweep.finished
            return None if busy else str(Searcher.FINISHED)
        errand.attempts += 1
        errand.began = None
        self._running[trial] = errand
        return {**errand.job.params, JOB: self._assignment(errand)}

    def _take(self) -> _Errand | None:
        """Take what is to be tried again, or else a new job."""
        now = time.monotonic()
        due = [errand for errand in self._again if errand.due <= now]
        if due:
            self._again.remove(due[0])
            return due[0]
        if len(self._running) + len(self._again) >= self._size:
            return None
        job = self._sweep.poll()
        return None if job is None else _Errand(job, dict.fromkeys(job.units))

    def _assignment(self, errand: _Errand) -> Assignment:
        job, left = errand.job, errand.job.patience
        left = left._replace(retries=left.retries - errand.attempts + 1)
        known = self._sweep.record.trials[job.key]
        sums = {}
        for metric in known.metrics:
            values = known.values(metric)
            sums[metric] = (float(np.nansum(values)), int((~np.isnan(values)).sum()))
        answered = known.answered
        return Assignment(job._replace(units=tuple(errand.open), patience=left), answered, sums)

    def started(self, trial: str) -> None:
        """Take in that a worker is ready for a trial."""
        self._misses = 0
        self._running[trial].began = time.monotonic()

    def report(self, trial: str, result: dict[str, Any]) -> None:
        """Put a step's scores on record, and the end of a job.

        Raises:
            ConfigError: the worker could not get ready.
        """
        if REFUSED in result:
            raise ConfigError(str(result[REFUSED]))
        report: Report = result.pop(REPORT)
        errand = self._running[trial]
        key = errand.job.key
        if report.scores:
            self._sweep.score(key, report.scores)
            for score in report.scores:
                errand.open.pop(score.unit, None)
        if report.ended is not None:
            del self._running[trial]
            self._sweep.end(report.ended)
        elif report.pause is not None:
            errand.attempts += 1
            errand.began = time.monotonic() + report.pause
        if trial in self._running and result.get(DONE):
            self._cut_short(trial)

    def _cut_short(self, trial: str) -> None:
        """End a job between two batches."""
        errand = self._running[trial]
        if self.over:
            del self._running[trial]
            self._sweep.end(Ended(errand.job.key, "stopped", 0.0))
            return
        done = len(errand.job.units) - len(errand.open)
        reason = f"ended by `stop` of the run config after {done} of {len(errand.job.units)} units"
        self._fail(trial, Failure("config", reason))

    def lost(self, trial: str, error: Exception) -> None:
        """Try the open units of a lost trial again, or record that they stay without a score.

        Raises:
            WorkerStartError: it is no worker's death, or workers cannot start.
        """
        errand = self._running[trial]
        now, started = time.monotonic(), errand.began is not None
        if self.over:
            return
        if not started:
            self._misses += 1
        broken = isinstance(error, ray.exceptions.RayTaskError) or (
            not started and "creation task" in str(error)
        )
        if broken or self._misses > _STARTS * self._size:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
            raise WorkerStartError(f"a trial of Ray Tune cannot run: {lines[-1][:300]}")
        lost = lost_worker(error)
        failure = Failure(lost.kind, str(lost), retryable=True)
        if self._timeout and errand.began is not None and now - errand.began >= self._timeout:
            failure = timed_out(self._timeout)
        if not started:
            errand.attempts -= 1
        if errand.attempts > errand.job.patience.retries or not errand.open:
            self._fail(trial, failure)
            return
        errand.due = now + errand.job.patience.delay(max(1, errand.attempts))
        self._again.append(self._running.pop(trial))

    def _fail(self, trial: str, failure: Failure) -> None:
        """End a job whose open units get no score."""
        errand = self._running.pop(trial)
        lost = [UnitScore(unit, {}, failure=failure) for unit in errand.open]
        if not lost:
            self._sweep.end(Ended(errand.job.key, "complete", 0.0))
            return
        self._sweep.score(errand.job.key, lost)
        self._sweep.end(Ended(errand.job.key, "failed", 0.0, failure))

    def close(self) -> None:
        """End what Tune has left over, and raise what has gone wrong."""
        left = [*self._running.values(), *self._again]
        if not self.over and (left or not self._sweep.finished):
            self._sweep.cancel("Ray Tune has ended the run")
        self._running, self._again = {}, []
        for errand in left:
            self._sweep.end(Ended(errand.job.key, "stopped", 0.0))
        if self.error is not None:
            raise self.error
