"""Trials in worker processes, for objectives that hold the interpreter lock.

A feeder thread per worker sends it jobs and records what comes back. A worker that dies takes
only its job's open units with it: they are retried in a fresh process, and otherwise recorded
as a failure of kind `lost_worker`.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

from raytuner.backends.inprocess import run_feeders
from raytuner.component import ConfigError, RaytunerError, import_plugins
from raytuner.meter import WorkMeter
from raytuner.objective import Failure, Objective, UnitScore
from raytuner.sweep import Sweep
from raytuner.worker import Ended, Job, run_job

_GRACE = 10.0
"""Seconds a worker has to end its batch once the sweep is ending."""


class WorkerStartError(RaytunerError):
    """A worker process failed before it could take a job."""


def run_processes(sweep: Sweep, workers: int, plugins: Sequence[str] = ()) -> None:
    """Run jobs in `workers` spawned processes.

    Raises:
        ConfigError: the objective cannot be sent to another process.
        WorkerStartError: a worker cannot start.
    """
    try:
        ForkingPickler.dumps(sweep.objective)
    except Exception as error:
        raise ConfigError(
            f"backend: processes cannot send the objective to another process ({error}); define "
            "it at the top level of a module, or use threads",
            ("backend",),
        ) from error
    feeders = [_Feeder(sweep, tuple(plugins)) for _ in range(workers)]
    try:
        run_feeders(sweep, [feeder.run for feeder in feeders])
    finally:
        for feeder in feeders:
            feeder.close()


class _LateError(Exception):
    """The worker did not end its batch in time."""


class _Feeder:
    """Keeps one worker process busy."""

    def __init__(self, sweep: Sweep, plugins: tuple[str, ...]) -> None:
        self._sweep = sweep
        self._plugins = plugins
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._process: SpawnProcess | None = None
        self._pipe: Connection[Any, Any] | None = None
        self._death = ""

    def run(self) -> None:
        while (job := self._sweep.take()) is not None:
            self._sweep.end(self._attempts(job))

    def close(self) -> None:
        """End the worker, which holds no state worth waiting for."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(timeout=5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def _bury(self) -> int:
        """Find out how the worker died, and clear up; give its exit code."""
        code = 0
        if self._process is not None:
            self._process.join(timeout=5)
            code = self._process.exitcode or 0
        self._death = f"ended with exit code {code} on this trial"
        if code < 0:
            hint = " (SIGKILL), perhaps for want of memory" if -code == signal.SIGKILL else ""
            self._death = f"was killed by signal {-code}{hint}, on this trial"
        self.close()
        return code

    def _attempts(self, job: Job) -> Ended:
        started = time.perf_counter()
        open_units = dict.fromkeys(job.units)
        for attempt in range(job.patience.retries + 1):
            if attempt:
                self._sweep.meter().pause(job.patience.delay(attempt))
            if self._sweep.cancelled:
                break
            ended = self._attempt(job._replace(units=tuple(open_units)), open_units)
            if ended is not None:
                return ended
            if not open_units:
                return Ended(job.key, "complete", time.perf_counter() - started)
        if self._sweep.cancelled:
            return Ended(job.key, "stopped", time.perf_counter() - started)
        failure = Failure("lost_worker", f"the worker process {self._death}", retryable=True)
        self._sweep.score(job.key, [UnitScore(u, {}, failure=failure) for u in open_units])
        return Ended(job.key, "failed", time.perf_counter() - started, failure)

    def _attempt(self, job: Job, open_units: dict[str, None]) -> Ended | None:
        """Run a job once; None if the worker died under it."""
        try:
            pipe = self._worker()
            pipe.send(job)
            while not isinstance(message := self._receive(pipe), Ended):
                self._sweep.score(job.key, message)
                for score in message:
                    open_units.pop(score.unit, None)
                pipe.send(not self._sweep.cancelled)
            return message
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._bury()
            return None
        except _LateError:
            self.close()
            return Ended(job.key, "stopped", 0.0)

    def _receive(self, pipe: Connection[Any, Any]) -> Any:
        """Wait for a message, but not for long once the sweep is ending."""
        late: float | None = None
        while not pipe.poll(0.2):
            if self._sweep.cancelled:
                late = late or time.monotonic() + _GRACE
                if time.monotonic() > late:
                    raise _LateError
        return pipe.recv()

    def _worker(self) -> Connection[Any, Any]:
        """Give the pipe of a worker that is ready, a fresh one if need be."""
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self.close()
        self._pipe, theirs = self._context.Pipe()
        arguments = (theirs, self._sweep.objective, self._plugins)
        self._process = self._context.Process(target=_work, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._receive(self._pipe)
        except (EOFError, ConnectionResetError):
            if self._bury() <= 0:  # killed from outside: that may not happen again
                raise
            raise WorkerStartError(
                "a worker process could not start (its error is above); a script that uses "
                "`backend: processes` must run the study under `if __name__ == '__main__':`"
            ) from None
        return self._pipe


def _work(pipe: Connection[Any, Any], objective: Objective, plugins: tuple[str, ...]) -> None:
    """Be a worker: jobs in; batches of scores, each acknowledged, and an end out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the driver decides
    import_plugins(plugins)
    cancel = threading.Event()

    def emit(scores: Sequence[UnitScore]) -> None:
        pipe.send(list(scores))
        if not pipe.recv():
            cancel.set()

    try:
        pipe.send(True)
        while True:
            job = pipe.recv()
            pipe.send(run_job(objective, job, emit, WorkMeter(cancel=cancel)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the driver is gone
