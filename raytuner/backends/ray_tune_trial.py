"""The worker's half of a Ray Tune trial: one job, one step per batch of unit scores."""

from __future__ import annotations

import faulthandler
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ray import tune

from raytuner.backends.feeder import Report
from raytuner.backends.ray_worker import Plan, RaytunerWorker
from raytuner.worker import Job

JOB = "raytuner.job"
"""Where a trial's configuration holds its `Assignment`, beside the parameters."""
REPORT = "raytuner.report"
"""Where a step's result holds what the worker reports."""
REFUSED = "raytuner.refused"
"""Where the result of a worker that cannot get ready holds the reason."""
_STDERR = 2
"""The worker's log file, whatever `sys.stderr` is."""


@dataclass(frozen=True)
class Assignment:
    """What a trial is to do.

    Attributes:
        job: its units and parameters.
        answered: units that the same configuration has answered before.
        sums: per metric the sum over those units, and how many of them have it.
    """

    job: Job
    answered: int = 0
    sums: Mapping[str, tuple[float, int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Stay short: Tune's callbacks log configurations."""
        return f"{len(self.job.units)} units after {self.answered}"


class JobTrainable(tune.Trainable):  # type: ignore[misc]
    """Does the job in its configuration; Tune uses one actor for many trials.

    Tune asks for the next step when the result of the last one has been taken in, so that every
    batch is on record before the next one is begun.
    """

    def setup(
        self, config: dict[str, Any], plan: Plan | None = None, timeout: float | None = None
    ) -> None:
        """Get the objective and everything else that the plan says."""
        self._plan = plan
        self._timeout = timeout
        self._begun = self._done = False
        self._enlist()
        self._assign(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial's job."""
        if self._abandon():
            self._enlist()
        self._assign(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Do the job up to its next report.

        Returns:
            The report; the mean of every metric over all units of the configuration that are
            answered so far; their number as `questions`.
        """
        if self._refusal is not None:
            return {REFUSED: self._refusal, tune.result.DONE: True}
        if self._begun:
            report = self._worker.proceed(on=True)
        else:
            self._begun = True
            self._watch(0.0)
            report = self._worker.work(self._job)
        self._done = report.ended is not None
        if self._done:
            faulthandler.cancel_dump_traceback_later()
        elif report.pause is not None:
            self._watch(report.pause)
        return {**self._summary(report), REPORT: report, tune.result.DONE: self._done}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: what is answered is on record."""
        del checkpoint_dir

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Load nothing: a trial is begun with what it still has to answer."""
        del checkpoint

    def cleanup(self) -> None:
        """Let a job that was stopped between two batches end."""
        self._abandon()

    def _abandon(self) -> bool:
        """End a job that a stop rule has ended between two batches; tell whether there is one."""
        faulthandler.cancel_dump_traceback_later()
        if self._done or not self._begun:
            return False
        self._worker.proceed(on=False)
        self._done = True
        return True

    def _enlist(self) -> None:
        assert self._plan is not None
        self._worker = RaytunerWorker()
        self._refusal = self._worker.start(self._plan)

    def _assign(self, config: Mapping[str, Any]) -> None:
        assignment: Assignment = config[JOB]
        self._job = assignment.job
        self._answered = assignment.answered
        self._sums = dict(assignment.sums)
        self._begun = self._done = False

    def _watch(self, pause: float) -> None:
        """End this process if the attempt takes too long, whatever it hangs in."""
        if self._timeout is not None:
            seconds = pause + self._timeout
            faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)

    def _summary(self, report: Report) -> dict[str, float]:
        for score in report.scores:
            self._answered += score.failure is None
            for metric, value in score.scores.items():
                total, count = self._sums.get(metric, (0.0, 0))
                self._sums[metric] = (total + value, count + 1)
        means = {metric: total / count for metric, (total, count) in self._sums.items() if count}
        return {**means, "questions": self._answered}
