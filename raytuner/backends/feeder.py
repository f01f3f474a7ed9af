"""Keeps remote workers busy: hands them jobs, records what they report, outlives their deaths.

What worker processes and Ray actors have in common. A worker that is lost or hangs takes only the
open units of its job with it; they are tried again on another one, as often as the study says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from raytuner.component import RaytunerError
from raytuner.objective import Failure, FailureKind, UnitScore
from raytuner.sweep import Sweep
from raytuner.worker import Ended, Job, timed_out

_GRACE = 10.0
"""Seconds a worker has to end its batch once the sweep is ending."""
_GLANCE = 0.2
"""Seconds between two looks at whether the sweep is ending."""


class WorkerStartError(RaytunerError):
    """A worker failed before it could take a job."""


class LostWorkerError(RaytunerError):
    """A worker died under its job.

    Attributes:
        kind: `lost_worker` or `out_of_memory`.
    """

    def __init__(self, message: str, kind: FailureKind = "lost_worker") -> None:
        super().__init__(message)
        self.kind: FailureKind = kind


@dataclass(frozen=True)
class Report:
    """What a worker tells; unless the job has ended, it waits until it may proceed.

    Attributes:
        scores: to be put on record first.
        pause: seconds that it will wait before it tries failed units again, or None.
        ended: how the job ended, or None.
        inside: seconds spent inside the objective, told at the end.
    """

    scores: tuple[UnitScore, ...] = ()
    pause: float | None = None
    ended: Ended | None = None
    inside: float = 0.0


class Worker(Protocol):
    """One remote worker; every call raises LostWorkerError where it is found dead."""

    def begin(self, job: Job) -> None:
        """Give it a job."""

    def receive(self, seconds: float) -> Report | None:
        """Wait so long for a report; None if there is none yet."""

    def proceed(self, *, on: bool) -> None:
        """Answer a report: go on, or end the job."""

    def cancel(self) -> None:
        """Tell the job that runs to end, without waiting for a report."""


class Crew(Protocol):
    """The workers that feeders share; or a single one's own."""

    def reserve(self) -> bool:
        """Wait for a worker that is ready for one more job; False if the sweep ends before.

        The next `hire` of this thread, or `forgo`, ends the reservation.
        """

    def forgo(self) -> None:
        """Give up what this thread has reserved."""

    def hire(self) -> Worker | None:
        """Wait for a worker that is ready; None if the sweep has ended instead.

        Raises:
            LostWorkerError: it died before it was ready.
            WorkerStartError: no worker can start.
        """

    def release(self, worker: Worker) -> None:
        """Give a worker back that has ended its job."""

    def dismiss(self, worker: Worker) -> None:
        """End a worker that is lost, hangs, or was left in the middle of a job."""


def feed(sweep: Sweep, crew: Crew, timeout: float | None = None, first: Job | None = None) -> None:
    """Take jobs and have them done, one at a time, until there are no more.

    Args:
        sweep: gives jobs, takes results.
        crew: does them.
        timeout: seconds that one attempt at a job may take; its worker is ended after that.
        first: a job that was taken already.
    """
    while crew.reserve():
        job, first = first or sweep.take(), None
        if job is None:
            crew.forgo()
            return
        sweep.end(_Errand(sweep, crew, job, timeout).run())
    if first is not None:
        sweep.end(Ended(first.key, "stopped", 0.0))


class _LateError(Exception):
    """The worker did not end its batch in time after the sweep was cancelled."""


class _HangingError(Exception):
    """The attempt took longer than allowed."""


class _Errand:
    """One job, until it has ended or its attempts are used up."""

    def __init__(self, sweep: Sweep, crew: Crew, job: Job, timeout: float | None) -> None:
        self._sweep = sweep
        self._crew = crew
        self._job = job
        self._timeout = timeout
        self._open = dict.fromkeys(job.units)
        self._attempts = 0
        self._failure = Failure("lost_worker", "no worker has begun it", retryable=True)
        self._late: float | None = None

    def run(self) -> Ended:
        started = time.perf_counter()
        while self._attempts <= self._job.patience.retries:
            if self._attempts:
                self._sweep.meter().pause(self._job.patience.delay(self._attempts))
            if self._sweep.cancelled:
                break
            ended = self._attempt()
            if ended is not None:
                return ended
            if not self._open:
                return Ended(self._job.key, "complete", time.perf_counter() - started)
        seconds = time.perf_counter() - started
        if self._sweep.cancelled:
            return Ended(self._job.key, "stopped", seconds)
        lost = [UnitScore(unit, {}, failure=self._failure) for unit in self._open]
        self._sweep.score(self._job.key, lost)
        return Ended(self._job.key, "failed", seconds, self._failure)

    def _attempt(self) -> Ended | None:
        """Have the open units done by one worker; None if it was lost or hung."""
        patience = self._job.patience
        left = patience._replace(retries=patience.retries - self._attempts)
        job = self._job._replace(units=tuple(self._open), patience=left)
        self._attempts += 1
        try:
            worker = self._crew.hire()
        except LostWorkerError as lost:
            self._failure = Failure(lost.kind, str(lost), retryable=True)
            return None
        if worker is None:
            return Ended(job.key, "stopped", 0.0)
        ended = None
        try:
            worker.begin(job)
            ended = self._listen(worker)
        except LostWorkerError as lost:
            self._failure = Failure(lost.kind, str(lost), retryable=True)
        except _HangingError:
            self._failure = timed_out(self._timeout or 0.0)
        except _LateError:
            return Ended(job.key, "stopped", 0.0)
        else:
            self._crew.release(worker)
            worker = None
        finally:
            if worker is not None:
                self._crew.dismiss(worker)
        return ended

    def _listen(self, worker: Worker) -> Ended:
        """Record what a worker reports, until the job has ended."""
        deadline = self._deadline()
        while True:
            report = self._receive(worker, deadline)
            if report.scores:
                self._sweep.score(self._job.key, report.scores)
                for score in report.scores:
                    self._open.pop(score.unit, None)
            if report.ended is not None:
                return report.ended
            if report.pause is not None:  # its next attempt begins after that
                self._attempts += 1
                deadline = self._deadline(report.pause)
            worker.proceed(on=not self._sweep.cancelled)

    def _deadline(self, pause: float = 0.0) -> float | None:
        return None if self._timeout is None else time.monotonic() + pause + self._timeout

    def _receive(self, worker: Worker, deadline: float | None) -> Report:
        """Wait for a report: no longer than allowed, and not for long once the sweep is ending."""
        while True:
            left = _GLANCE if deadline is None else deadline - time.monotonic()
            report = worker.receive(max(0.0, min(_GLANCE, left)))
            if report is not None:
                return report
            now = time.monotonic()
            if self._sweep.cancelled:
                if self._late is None:
                    self._late = now + _GRACE
                    worker.cancel()
                elif now > self._late:
                    raise _LateError
            elif deadline is not None and now > deadline:
                raise _HangingError
