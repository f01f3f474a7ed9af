"""A program that trains, and prints one line after each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from raytuner.component import ConfigError, digest
from raytuner.objective import COSTS, Cost, Meter, ObjectiveFailure, Params
from raytuner.own.command_runner import Runner, read_lines, refuse
from raytuner.own.command_settings import CommandSettings
from raytuner.own.configuration import Config
from raytuner.own.generated import required
from raytuner.own.objective import standing
from raytuner.own.payments import Payments
from raytuner.own.program_lines import Line
from raytuner.own.reading import measured, read_result, spent
from raytuner.schedule import Schedule
from raytuner.training import Step, Trainable

STEPS = "RAYTUNER_STEPS"
"""Environment variable: after how many steps the program will be ended."""

_FAREWELL = 1.0
"""Seconds that it is given to end by itself after the last step that is wanted."""


class CommandTraining(Trainable):
    """Runs a program from the beginning, and ends it after the steps that are wanted.

    raytuner keeps no state of it: a trial that goes on later does its first steps again, unless
    the program keeps checkpoints of its own and prints the lines of the steps that it skips.

    Args:
        settings: the command, steps, limits.
        root: folder that relative paths start from.

    Raises:
        ConfigError: a program or a file that is not there.
    """

    name: ClassVar[str] = "command"
    forks = False

    def __init__(self, settings: CommandSettings, root: Path) -> None:
        settings.check_start(root)
        self.settings = settings
        self.config = dict(settings.config)
        self._runner = Runner(settings, root)
        self._payments = Payments()
        _ = self._runner.identity

    def steps(self) -> int:
        """Give how many steps a complete trial does."""
        assert self.settings.steps is not None
        return self.settings.steps

    def scope(self) -> str:
        """Identify the program, what is fixed, and how long it trains."""
        settings = self.settings
        facts = [settings.steps, list(settings.metrics), sorted(map(repr, self.config.items()))]
        return digest("command training", self._runner.identity, facts)

    def key(self, params: Params) -> str:
        """Identify what is computed."""
        Config({**self.config, **params}).nested()  # it must be possible to spell it
        return super().key(params)

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give the configuration as it stands, if it has a value for every parameter."""
        return standing(self.config, names)

    def metrics(self) -> tuple[str, ...] | None:
        """Name what is declared, and costs; without a declaration the first result has to tell."""
        return measured(self.settings.metrics)

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return metric not in {*COSTS, *self.settings.minimise}

    def train(self, schedule: Schedule, first: int, last: int, meter: Meter) -> Iterator[Step]:
        """Run the program; give its lines from `first` to `last`."""
        if len(schedule) > 1:
            reason = "a program cannot go on with other parameters than those it began with"
            raise ConfigError(reason)
        config = Config({**self.config, **schedule[0].params}).nested()
        wanted, done, step = self.settings.metrics, 0, None
        with (
            self._payments.paying(meter) as pay,
            self._runner.started(config, b"", {STEPS: str(last)}) as program,
        ):
            for line in read_lines(program, meter):
                done += 1
                step = _step(line, done, wanted)
                wanted = wanted or required(step)
                meter.count("steps trained")
                if done >= first:
                    yield step
                pay(step.cost, more=done < last)
                if done == last or step.failure is not None:
                    program.finish(_FAREWELL, lambda: meter.cancelled)
                    return
            if meter.cancelled:
                return
            refuse(program)
        if step is None:
            raise ObjectiveFailure("objective", "the program ended without a result")
        for number in range(max(done + 1, first), last + 1):  # it was done early
            del number
            yield step._replace(cost=Cost(), notes={**(step.notes or {}), "ended after": done})


def _step(line: Line, number: int, wanted: tuple[str, ...]) -> Step:
    if (failure := line.failure) is not None:
        return Step({}, spent(line.fields), failure=failure)
    fields = dict(line.fields)
    if fields.pop("step", number) != number:
        raise ObjectiveFailure(
            "objective",
            f"line {line.number} that the program printed is for step "
            f"{line.fields['step']!r:.40}, and step {number} is next",
        )
    try:
        found = read_result(fields, wanted)
    except ObjectiveFailure as error:
        said = f"step {number}: {error.failure.message}"
        raise ObjectiveFailure(error.failure.kind, said) from None
    return Step(found.scores, found.cost, found.notes)
