"""The port of what is trained: units are steps, and a trial goes on from where it was.

A trial is a schedule of parameters (`raytuner.schedule`), its steps are done in order, and each
reports metrics, such as those on a validation set. At the end the best are judged on questions
that neither training nor search has seen.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from raytuner.component import ConfigError, digest
from raytuner.objective import Cost, Failure, Meter, Objective, ObjectiveFailure, Params, UnitScore
from raytuner.schedule import Schedule, schedule_of, spelled


class Step(NamedTuple):
    """What is known after a step.

    Attributes:
        scores: finite number per metric.
        cost: what the step consumed.
        notes: anything worth keeping beside the scores, as plain JSON values.
        failure: why there is no score; the training ends with it.
    """

    scores: Mapping[str, float]
    cost: Cost = Cost()
    notes: Mapping[str, Any] | None = None
    failure: Failure | None = None


class Trainable(Objective):
    """An objective that is trained step by step.

    Equal schedules give equal steps, bit for bit: a checkpoint that is lost is made again, and a
    copy that goes on from a checkpoint is as good as one that has done all its steps itself.
    """

    curve: ClassVar[bool] = True
    forks: bool = True
    step_name: ClassVar[str] = "step"
    """What a step is called: `epoch`, ..."""

    @abstractmethod
    def steps(self) -> int:
        """Give how many steps a complete trial does."""

    @abstractmethod
    def train(self, schedule: Schedule, first: int, last: int, meter: Meter) -> Iterator[Step]:
        """Do the steps `first` to `last`, counted from 1, and give what is known after each.

        Goes on from the latest checkpoint there is, which also remembers what was known after
        each step before it: a copy asks for the steps of its history too, and they are not done
        again. Where a checkpoint is missing, or can't be read, an earlier one or the beginning
        will do. Keeps a checkpoint after `last` at least.

        Raises:
            ObjectiveFailure: a typed failure of the steps not yet given.
        """

    def judge(
        self, schedule: Schedule, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Score units of `tests` with what the whole schedule has trained."""
        del schedule, units, meter
        raise TypeError(f"{type(self).__name__} names tests, so it has to say how to judge them")

    def write(self, params: Params, path: Path, meter: Meter) -> str:
        """Write what a trial has trained to a file, for use elsewhere.

        Goes on from its checkpoints, or trains it again.

        Returns:
            What can be done with the file, in one sentence.

        Raises:
            ConfigError: there is nothing to write, or the file cannot be written.
            ObjectiveFailure: it cannot be trained.
        """
        del params, path, meter
        raise ConfigError(f"{type(self).__name__} writes nothing of what it trains")

    # ---- the port

    def units(self) -> Sequence[str]:
        """Name the steps."""
        return tuple(map(self._named, range(1, self.steps() + 1)))

    def key(self, params: Params) -> str:
        """Identify what the schedule computes."""
        return digest(self.scope(), spelled(schedule_of(params, self.steps())))

    def schedule(self, params: Params) -> Schedule:
        """Give the schedule of a trial."""
        return schedule_of(params, self.steps())

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Train up to the last step that is asked for, and judge what else is asked for."""
        numbers = {self._named(step): step for step in range(1, self.steps() + 1)}
        asked = {numbers[unit]: unit for unit in units if unit in numbers}
        schedule = self.schedule(params)
        if asked:
            yield from self._trained(schedule, asked, meter)
        others = [unit for unit in units if unit not in numbers]
        if others:
            yield from self.judge(schedule, others, meter)

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give the parameters, or the whole schedule if they have changed on the way."""
        schedule = self.schedule(params)
        return dict(params) if len(schedule) == 1 else {"schedule": spelled(schedule)}

    def _named(self, step: int) -> str:
        return f"{self.step_name} {step}"

    def _trained(
        self, schedule: Schedule, asked: Mapping[int, str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        first, last = min(asked), max(asked)
        steps = self.train(schedule, first, last, meter)
        for number in range(first, last + 1):
            began = time.perf_counter()
            step = next(steps, None)
            if step is None:
                reason = f"the training ended before {self._named(number)}"
                raise ObjectiveFailure("objective", reason)
            seconds = time.perf_counter() - began
            if number in asked:
                yield [
                    UnitScore(
                        asked[number], step.scores, step.cost, seconds, step.failure, step.notes
                    )
                ]
            if step.failure is not None:
                raise ObjectiveFailure(step.failure.kind, step.failure.message)
            if meter.cancelled:
                return
        for _ in steps:  # lets it keep what it keeps after its last step
            pass
