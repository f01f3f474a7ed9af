"""The worker's half of a remote backend: runs jobs and reports, waiting for each answer.

The same code runs in worker processes and in Ray actors.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from raytuner.backends.feeder import Report
from raytuner.meter import WorkMeter
from raytuner.objective import Cost, Objective, UnitScore
from raytuner.ports.gate import Demand, Gate, Permit, background, run_in_background
from raytuner.ports.gate import Report as Made
from raytuner.worker import Job, run_job


class Reporter:
    """Runs one job at a time.

    The last batch of a job is reported together with its end: nothing is begun after it, so
    nothing has to wait until it is on record, and a job of one batch costs one exchange.

    Args:
        objective: what is evaluated.
        send: takes every report; what it raises ends the job.
        gate: of the sweep, for paid calls; None where there are none.
    """

    def __init__(
        self, objective: Objective, send: Callable[[Report], None], gate: Gate | None = None
    ) -> None:
        self._objective = objective
        self._send = send
        self._gate = gate
        self._cancel = threading.Event()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._open: set[str] = set()
        self._last: tuple[UnitScore, ...] = ()
        self._waited = 0.0

    def cancel(self) -> None:
        """Tell the running job, and all that follow, to end. From any thread."""
        self._cancel.set()

    def answer(self, *, on: bool) -> None:
        """Answer the report that the job waits with. From any other thread."""
        self._answers.put(on)

    def run(self, job: Job) -> None:
        """Run a job to its end and report that too."""
        self._open, self._last, self._waited = set(job.units), (), 0.0
        started = time.perf_counter()
        meter = _Meter(self._cancel, self.report_pause, self._gate)
        ended = run_job(self._objective, job, self._emit, meter)
        inside = time.perf_counter() - started - self._waited
        self._send(Report(self._last, ended=ended, inside=max(0.0, inside)))

    def report_pause(self, seconds: float) -> None:
        """Say that the job waits before its next attempt."""
        self._waited += seconds
        self._report(Report(pause=seconds))

    def _emit(self, scores: Sequence[UnitScore]) -> None:
        self._open.difference_update(score.unit for score in scores)
        if self._open:
            self._report(Report(tuple(scores)))
        else:
            self._last = (*self._last, *scores)

    def _report(self, report: Report) -> None:
        started = time.perf_counter()
        self._send(report)
        if not self._answers.get():
            self._cancel.set()
        self._waited += time.perf_counter() - started


class _Meter(WorkMeter):
    """A meter that says when its job pauses, and has its money in the driver's purse."""

    def __init__(
        self, cancel: threading.Event, tell: Callable[[float], None], gate: Gate | None
    ) -> None:
        super().__init__(cancel=cancel, gate=gate)
        self._tell = tell
        self._permits: list[tuple[float, Permit]] = []

    def reserve(self, usd: float) -> None:
        """Set money aside for a call; see `Purse.reserve`."""
        if self.gate is None:
            super().reserve(usd)
            return
        permit = run_in_background(self.gate.admit(Demand("", usd=usd, patient=False)))
        with self._lock:
            self._permits.append((usd, permit))

    def settle(self, reserved: float, cost: Cost) -> None:
        """Replace a reservation by the real cost."""
        if self.gate is None:
            super().settle(reserved, cost)
            return
        with self._lock:
            mine = next(pair for pair in self._permits if pair[0] == reserved)
            self._permits.remove(mine)
        background().call_soon_threadsafe(self.gate.settle, mine[1], Made(cost=cost))
        self.spend(cost)

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the sweep."""
        self._tell(seconds)
        super().pause(seconds)
