"""Trials in worker processes, for objectives that hold the interpreter lock.

Every feeder thread has a worker process of its own, started for its first job.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import queue
import signal
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any

from raytuner.backends.feeder import LostWorkerError, Report, WorkerStartError, feed
from raytuner.backends.gate_pipe import Line, join_gate, serve_gate
from raytuner.backends.inprocess import run_feeders
from raytuner.backends.reporter import Reporter
from raytuner.component import ConfigError, import_plugins
from raytuner.objective import Objective
from raytuner.sweep import Sweep
from raytuner.worker import Job

_GONE = (EOFError, BrokenPipeError, ConnectionResetError)


def run_processes(
    sweep: Sweep, workers: int, plugins: Sequence[str] = (), timeout: float | None = None
) -> None:
    """Run jobs in `workers` spawned processes.

    Args:
        sweep: gives jobs, takes results.
        workers: number of processes.
        plugins: modules that they import first.
        timeout: seconds that one attempt at a job may take.

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
    seats = [_Seat(sweep, tuple(plugins)) for _ in range(workers)]
    try:
        run_feeders(sweep, [functools.partial(feed, sweep, seat, timeout) for seat in seats])
    finally:
        for seat in seats:
            seat.close()


class _Seat:
    """A worker process and its successors: a crew of one, and that one."""

    def __init__(self, sweep: Sweep, plugins: tuple[str, ...]) -> None:
        self._sweep = sweep
        self._plugins = plugins
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._process: SpawnProcess | None = None
        self._pipe: Connection[Any, Any] | None = None
        self._line: Line | None = None

    # ---- the crew

    def reserve(self) -> bool:
        return not self._sweep.cancelled

    def forgo(self) -> None:
        pass

    def hire(self) -> _Seat | None:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self
        self.close()
        self._pipe, theirs = self._context.Pipe()
        ours, gate = self._context.Pipe() if self._sweep.paid else (None, None)
        arguments = (theirs, gate, self._sweep.objective, self._plugins)
        self._process = self._context.Process(target=_work, args=arguments, daemon=True)
        with _without_interrupts():
            self._process.start()
        theirs.close()
        if ours is not None and gate is not None:
            gate.close()
            self._line = serve_gate(self._sweep.gate, ours)
        return self if self._is_ready(self._pipe, self._process) else None

    def _is_ready(self, pipe: Connection[Any, Any], process: SpawnProcess) -> bool:
        """Wait until a fresh worker is ready; False if the sweep has ended before."""
        while not pipe.poll(0.2):
            if self._sweep.cancelled:
                return False
        try:
            pipe.recv()
        except (EOFError, ConnectionResetError):
            process.join(timeout=5)
            if (process.exitcode or 0) <= 0:  # killed from outside: that may not happen again
                raise self._bury() from None
            self.close()
            raise WorkerStartError(
                "a worker process could not start (its error is above); a script that uses "
                "`backend: processes` must run the study under `if __name__ == '__main__':`"
            ) from None
        return True

    def release(self, worker: object) -> None:
        """Keep the process for the next job."""
        del worker

    def dismiss(self, worker: object) -> None:
        """End the process."""
        del worker
        self.close()

    # ---- the worker

    def begin(self, job: Job) -> None:
        self._send(job)

    def proceed(self, *, on: bool) -> None:
        self._send(on)

    def cancel(self) -> None:
        self._send(None)

    def receive(self, seconds: float) -> Report | None:
        if self._pipe is None:
            raise self._bury()
        try:
            if not self._pipe.poll(seconds):
                return None
            report: Report = self._pipe.recv()
        except _GONE:
            raise self._bury() from None
        return report

    def _send(self, message: Job | bool | None) -> None:
        if self._pipe is None:
            raise self._bury()
        try:
            self._pipe.send(message)
        except _GONE:
            raise self._bury() from None

    def _bury(self) -> LostWorkerError:
        """Find out how the process died, and clear up."""
        code = 0
        if self._process is not None:
            self._process.join(timeout=5)
            code = self._process.exitcode or 0
        self.close()
        if code >= 0:
            return LostWorkerError(f"the worker process ended with exit code {code} on this trial")
        hint = " (SIGKILL), perhaps for want of memory" if -code == signal.SIGKILL else ""
        return LostWorkerError(
            f"the worker process was killed by signal {-code}{hint}, on this trial"
        )

    def close(self) -> None:
        """End the process, which holds no state worth waiting for."""
        if self._process is not None and self._process.pid is not None:  # else it never began
            self._process.terminate()
            self._process.join(timeout=5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        if self._line is not None:
            self._line.close()
        self._process = self._pipe = self._line = None


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back from this thread, and so from processes that it starts meanwhile.

    Else one that meets them while Python starts would end with a traceback of its own.
    """
    resource_tracker.ensure_running()  # started by the first process, it would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    pipe: Connection[Any, Any],
    gate: Connection[Any, Any] | None,
    objective: Objective,
    plugins: tuple[str, ...],
) -> None:
    """Be a worker: jobs in; reports, each answered, out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group; the driver decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back while Python started
    import_plugins(plugins)
    jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    reporter = Reporter(objective, pipe.send, None if gate is None else join_gate(gate))
    with contextlib.suppress(*_GONE):
        pipe.send(True)
        reading = (pipe, jobs, reporter)
        threading.Thread(target=_read, args=reading, name="raytuner-orders", daemon=True).start()
        while (job := jobs.get()) is not None:
            reporter.run(job)


def _read(
    pipe: Connection[Any, Any], jobs: queue.SimpleQueue[Job | None], reporter: Reporter
) -> None:
    """Sort what the driver sends, also while a job runs."""
    try:
        while True:
            order = pipe.recv()
            if order is None:
                reporter.cancel()
            elif isinstance(order, bool):
                reporter.answer(on=order)
            else:
                jobs.put(order)
    except (*_GONE, OSError):  # the driver is gone
        reporter.cancel()
        reporter.answer(on=False)
        jobs.put(None)
