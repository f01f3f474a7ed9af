"""The Ray actor that evaluates trials: one process, one objective, job after job."""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from raytuner.backends.feeder import Report
from raytuner.backends.ray_parcel import unpacked
from raytuner.backends.reporter import Reporter
from raytuner.component import ConfigError, import_plugins
from raytuner.ports.gate import Gate
from raytuner.worker import Job


@dataclass(frozen=True)
class Plan:
    """What every worker of a run needs to begin; small to pickle.

    Attributes:
        objective: reference to the objective's `Parcel`, in a tuple so that it is not fetched
            with the plan.
        exchange: handle of the run's exchange.
        gate: handle of the gate for paid calls; None where there are none.
        plugins: modules to import first.
        paths: import paths of the driver, taken over where they exist.
        logs: folder of log files, used where it exists.
    """

    objective: tuple[Any]
    exchange: Any
    plugins: tuple[str, ...]
    paths: tuple[str, ...]
    logs: str | None
    gate: Any = None


class RaytunerWorker:
    """Runs one job at a time, in a thread that lives as long as the actor."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[Report | BaseException] = queue.SimpleQueue()
        self._reporter: Reporter | None = None

    def start(self, plan: Plan) -> str | None:
        """Get ready; give the reason in one sentence where that cannot be."""
        from raytuner import secrets

        _log_to(plan.logs)
        sys.path.extend(path for path in plan.paths if path not in sys.path and Path(path).is_dir())
        try:
            secrets.load()
            import_plugins(plan.plugins)
        except ConfigError as error:
            return f"{error} (on the Ray worker at {socket.gethostname()})"
        try:
            objective = unpacked(ray.get(plan.objective[0]))
        except Exception as error:  # noqa: BLE001 - the user's own modules may raise anything
            return f"objective: a Ray worker cannot load it: {_reason(error)}"
        from raytuner.backends.ray_exchange import join_exchange

        join_exchange(plan.exchange, objective)
        self._reporter = Reporter(objective, self._reports.put, _gate(plan))
        threading.Thread(target=self._run, name="raytuner-trials", daemon=True).start()
        return None

    def work(self, job: Job) -> Report:
        """Begin a job; give its first report."""
        self._jobs.put(job)
        return self._next()

    def proceed(self, *, on: bool) -> Report:
        """Answer the last report; give the next one."""
        if self._reporter is not None:
            self._reporter.answer(on=on)
        return self._next()

    def cancel(self) -> None:
        """Tell the running job to end."""
        if self._reporter is not None:
            self._reporter.cancel()

    def _next(self) -> Report:
        report = self._reports.get()
        if isinstance(report, BaseException):
            raise report
        return report

    def _run(self) -> None:
        while self._reporter is not None:
            job = self._jobs.get()
            try:
                self._reporter.run(job)
            except BaseException as error:  # noqa: BLE001 - raised again where the driver sees it
                self._reports.put(error)


def _gate(plan: Plan) -> Gate | None:
    if plan.gate is None:
        return None
    from raytuner.backends.ray_gate import join_gate

    return join_gate(plan.gate)


def _log_to(folder: str | None) -> None:
    """Send what this process writes to a log file of the run, where its folder can be seen."""
    if folder is None or not Path(folder).is_dir():
        return
    path = Path(folder) / f"worker-{socket.gethostname()}-{os.getpid()}.log"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
