"""The actors of a run on Ray: started together, kept to its end, replaced when they are lost."""

from __future__ import annotations

import re
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import ray

from raytuner.backends.feeder import LostWorkerError, Report, Worker, WorkerStartError
from raytuner.backends.ray_worker import Plan, RaytunerWorker
from raytuner.component import ConfigError, RaytunerError
from raytuner.sweep import Sweep
from raytuner.worker import Job

_STARTS = 3
"""Workers in a row that may die before they are ready, times the size of the pool."""
_WAIT = 0.2
"""Seconds between two looks at whether the sweep is ending."""
_ROOM = 30.0
"""Seconds without a single worker after which the user is told what is being waited for."""


@dataclass(frozen=True)
class RayStats:
    """What a run on Ray has cost beside the objective's own time.

    Attributes:
        jobs: jobs that have ended.
        workers: actors that have worked.
        start: seconds until the first actor was ready.
        busy: seconds of all actors between being ready and having ended their last job.
        inside: those of them spent inside the objective.
    """

    jobs: int
    workers: int
    start: float
    busy: float
    inside: float

    @property
    def overhead(self) -> float:
        """Seconds of an actor that a job took beside its objective's own time."""
        return max(0.0, self.busy - self.inside) / max(1, self.jobs)


def note(text: str) -> None:
    """Tell the user something on standard error."""
    print(f"note: {text}", file=sys.stderr, flush=True)


class Crew:
    """What all feeders of a run share (`feeder.Crew`).

    A feeder reserves an actor before it takes a job, so that no job waits for one to start. But
    a feeder whose actor was lost may take any free one: the others may be waiting for its job.

    Args:
        sweep: whose jobs are done.
        plan: what every actor needs to begin.
        options: of the actors, their resources among them.
        size: number of actors.
    """

    def __init__(self, sweep: Sweep, plan: Plan, options: dict[str, Any], size: int) -> None:
        self._sweep = sweep
        self._plan = ray.put(plan)
        self._size = size
        self._actor = ray.remote(RaytunerWorker).options(
            max_concurrency=4, max_restarts=0, max_task_retries=0, **options
        )
        self._state = threading.Condition()
        self._thread = threading.local()
        self._claims = 0
        self._free: list[_Actor] = []
        self._starting: dict[Any, _Actor] = {}
        self._all: list[_Actor] = []
        self._misses = 0
        self._ready_at: float | None = None
        self._error: RaytunerError | None = None
        self._closed = False
        for _ in range(size):
            self._start()
        self._nurse = threading.Thread(target=self._receive, name="raytuner-actors", daemon=True)
        self._nurse.start()

    # ---- the crew

    def reserve(self) -> bool:
        """Wait for an actor that is ready for one more job; see `feeder.Crew`."""
        with self._state:
            while not self._over():
                if len(self._free) > self._claims:
                    self._claims += 1
                    self._thread.claims = True
                    return True
                self._state.wait(_WAIT)
        return False

    def forgo(self) -> None:
        """Give up what this thread has reserved."""
        with self._state:
            if getattr(self._thread, "claims", False):
                self._thread.claims = False
                self._claims -= 1

    def hire(self) -> Worker | None:
        """Wait for an actor, also for one that another feeder holds for its next job."""
        try:
            with self._state:
                while not self._free:
                    if self._over():
                        return None
                    self._state.wait(_WAIT)
                return self._free.pop()
        finally:
            self.forgo()

    def release(self, worker: Worker) -> None:
        """Take an actor back that has ended its job."""
        with self._state:
            self._free += [own for own in self._all if own is worker]
            self._state.notify_all()

    def dismiss(self, worker: Worker) -> None:
        """End an actor and start another one in its place."""
        for own in self._all:
            if own is worker:
                own.kill()
        with self._state:
            if not self._closed:
                self._start()

    def check(self) -> None:
        """Raise what has kept the workers from starting."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End every actor."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        self._nurse.join(timeout=5)
        for worker in self._all:
            worker.kill()

    def stats(self, began: float) -> RayStats:
        """Sum up what the actors have done since `began`."""
        worked = [worker for worker in self._all if worker.jobs]
        return RayStats(
            jobs=sum(worker.jobs for worker in worked),
            workers=min(self._size, len(worked)),
            start=(self._ready_at or time.perf_counter()) - began,
            busy=sum(worker.ended_at - worker.ready_at for worker in worked),
            inside=sum(worker.inside for worker in worked),
        )

    def _over(self) -> bool:
        self.check()
        return self._closed or self._sweep.cancelled

    # ---- its actors

    def _start(self) -> None:
        actor = self._actor.remote()
        worker = _Actor(actor)
        self._starting[actor.start.remote(self._plan)] = worker
        self._all.append(worker)

    def _receive(self) -> None:
        """Take in the actors that are starting; runs in a thread of its own."""
        patience = time.monotonic() + _ROOM
        while not self._closed:
            with self._state:
                starting = list(self._starting)
                if not starting:
                    self._state.wait(_WAIT)
                    continue
            if self._ready_at is None and time.monotonic() > patience:
                patience = float("inf")
                note("no Ray worker could start yet: waiting for room on the cluster")
            ready, _ = ray.wait(starting, num_returns=1, timeout=_WAIT)
            for reference in ready:
                self._take_in(reference)

    def _take_in(self, reference: Any) -> None:
        with self._state:
            worker = self._starting.pop(reference)
        problem: RaytunerError | None = None
        try:
            reason = ray.get(reference)
            problem = ConfigError(reason) if reason else None
        except ray.exceptions.RayError as error:
            problem = self._stillborn(worker, error)
        else:
            with self._state:
                if problem is None:
                    worker.ready_at = worker.ended_at = time.perf_counter()
                    self._ready_at = self._ready_at or worker.ready_at
                    self._misses = 0
                    self._free.append(worker)
                    self._state.notify_all()
        if problem is not None:
            with self._state:
                self._error = self._error or problem
            self._sweep.cancel(str(problem))

    def _stillborn(self, worker: _Actor, error: Exception) -> RaytunerError | None:
        """Start another one in place of an actor that died; give up where that is in vain."""
        text = str(error)
        missing = re.search(r"No module named '([\w.]+)'", text)
        if missing and "failed to import" in text:
            return ConfigError(
                f"backend: Ray's workers cannot import {missing[1]!r}: install the same raytuner "
                "on every node of the cluster",
                ("backend",),
            )
        self._misses += 1
        refused = isinstance(error, ray.exceptions.RayTaskError) or "creation task" in text
        if refused or self._misses > _STARTS * self._size:
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            reason = lines[-1][:300] if refused else str(lost_worker(error))
            return WorkerStartError(f"Ray's workers cannot start: {reason}")
        worker.kill()
        with self._state:
            if not self._closed:
                self._start()
        return None


class _Actor:
    """One actor, as its feeder sees it (`feeder.Worker`)."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._report: Any = None
        self.jobs = 0
        self.inside = 0.0
        self.ready_at = 0.0
        self.ended_at = 0.0

    def begin(self, job: Job) -> None:
        self._report = self._actor.work.remote(job)

    def proceed(self, *, on: bool) -> None:
        self._report = self._actor.proceed.remote(on=on)

    def cancel(self) -> None:
        self._actor.cancel.remote()

    def receive(self, seconds: float) -> Report | None:
        try:
            report: Report = ray.get(self._report, timeout=seconds)
        except ray.exceptions.GetTimeoutError:
            return None
        except ray.exceptions.RayTaskError as error:  # what no objective should raise
            reason = str(error).strip().splitlines()[-1][:300]
            raise LostWorkerError(f"the Ray worker broke off: {reason}") from error
        except ray.exceptions.RayError as error:
            raise lost_worker(error) from error
        if report.ended is not None:
            self.jobs += 1
            self.inside += report.inside
            self.ended_at = time.perf_counter()
        return report

    def kill(self) -> None:
        ray.kill(self._actor, no_restart=True)


def lost_worker(error: Exception) -> LostWorkerError:
    """Say in one sentence how a worker was lost."""
    text = str(error)
    if isinstance(error, ray.exceptions.OutOfMemoryError) or "low on memory" in text:
        return LostWorkerError(
            "the Ray worker was ended because its node ran out of memory", "out_of_memory"
        )
    if isinstance(error, ray.exceptions.NodeDiedError) or re.search(r"node .*(died|dead)", text):
        return LostWorkerError("the node of the Ray worker was lost")
    code = re.search(r"exit code (\d+)", text)
    if code:
        return LostWorkerError(f"the Ray worker ended with exit code {code[1]}")
    return LostWorkerError(
        "the Ray worker died (killed from outside, by the system for want of memory, or by a crash)"
    )
