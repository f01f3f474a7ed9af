"""Trials in worker processes, for objectives that hold the interpreter lock.

A feeder thread per worker sends it jobs and records what comes back. A worker that dies takes
only its job's open units with it: they are retried in a fresh process, and otherwise recorded
as a failure of kind `lost_worker`.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from raytuner.backends.inprocess import run_feeders
from raytuner.component import import_plugins
from raytuner.meter import WorkMeter
from raytuner.objective import Failure, Objective, UnitScore
from raytuner.sweep import Sweep
from raytuner.worker import Ended, Job, run_job


def run_processes(sweep: Sweep, workers: int, plugins: Sequence[str] = ()) -> None:
    """Run jobs in `workers` spawned processes."""
    feeders = [_Feeder(sweep, tuple(plugins)) for _ in range(workers)]
    try:
        run_feeders(sweep, [feeder.run for feeder in feeders])
    finally:
        for feeder in feeders:
            feeder.close()


class _Feeder:
    """Keeps one worker process busy."""

    def __init__(self, sweep: Sweep, plugins: tuple[str, ...]) -> None:
        self._sweep = sweep
        self._plugins = plugins
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._process: SpawnProcess | None = None
        self._pipe: Connection[Any, Any] | None = None

    def run(self) -> None:
        while (job := self._sweep.take()) is not None:
            self._sweep.end(self._attempts(job))

    def close(self) -> None:
        """End the worker; it holds no state worth waiting for."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(timeout=5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _attempts(self, job: Job) -> Ended:
        started = time.perf_counter()
        open_units = dict.fromkeys(job.units)
        for attempt in range(job.patience.retries + 1):
            if attempt:
                self._sweep.meter().pause(job.patience.delay(attempt))
            ended = self._attempt(job._replace(units=tuple(open_units)), open_units)
            if ended is not None:
                return ended
            if self._sweep.cancelled:
                return Ended(job.key, "stopped", time.perf_counter() - started)
        failure = Failure("lost_worker", "the worker process died on this trial", retryable=True)
        self._sweep.score(job.key, [UnitScore(u, {}, failure=failure) for u in open_units])
        return Ended(job.key, "failed", time.perf_counter() - started, failure)

    def _attempt(self, job: Job, open_units: dict[str, None]) -> Ended | None:
        """Run a job once; None if the worker died under it."""
        pipe = self._worker()
        try:
            pipe.send(job)
            while True:
                while not pipe.poll(0.2):
                    if self._sweep.cancelled:
                        return self._abandon(job)
                message = pipe.recv()
                if isinstance(message, Ended):
                    return message
                self._sweep.score(job.key, message)
                for score in message:
                    open_units.pop(score.unit, None)
                pipe.send(True)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.close()
            return None

    def _abandon(self, job: Job) -> Ended:
        """Give the worker a moment to end its batch, then end it."""
        self.close()
        return Ended(job.key, "stopped", 0.0)

    def _worker(self) -> Connection[Any, Any]:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self.close()
            self._pipe, theirs = self._context.Pipe()
            arguments = (theirs, self._sweep.objective, self._plugins)
            self._process = self._context.Process(target=_work, args=arguments, daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe


def _work(pipe: Connection[Any, Any], objective: Objective, plugins: tuple[str, ...]) -> None:
    """Be a worker: jobs in; batches of scores, each acknowledged, and an end out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the driver decides
    import_plugins(plugins)

    def emit(scores: Sequence[UnitScore]) -> None:
        pipe.send(list(scores))
        pipe.recv()

    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(run_job(objective, job, emit, WorkMeter()))
