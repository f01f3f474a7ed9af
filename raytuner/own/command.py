"""The command objective: what `kind: command` in a study means. A program of any language.

It gets its configuration as JSON, and prints JSON lines; see docs/objectives.md.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from raytuner.component import ConfigError, digest, nearest
from raytuner.objective import Failure, Meter, Objective, ObjectiveFailure, Params, UnitScore
from raytuner.own.command_runner import Runner, read_lines, refuse
from raytuner.own.command_settings import CommandSettings
from raytuner.own.configuration import Config
from raytuner.own.function import UNIT
from raytuner.own.objective import OwnObjective
from raytuner.own.payments import Payments
from raytuner.own.program import Program
from raytuner.own.program_lines import Line, item_bytes
from raytuner.own.reading import read_result, spent

_log = logging.getLogger("raytuner.command")
FAREWELL = 5.0
"""Seconds that a program is given to end by itself once it has answered everything."""


class CommandObjective(OwnObjective):
    """Runs a program for a configuration: once, or with the items that are to be answered.

    Args:
        settings: the command, items, limits.
        root: folder that relative paths start from.
        seed: of the order of items.

    Raises:
        ConfigError: a program or a file that is not there, or items that cannot be read.
    """

    name: ClassVar[str] = "command"
    settings: CommandSettings

    def __init__(self, settings: CommandSettings, root: Path, seed: int = 0) -> None:
        super().__init__(settings, root, seed)
        settings.check_start(root)
        self._runner = Runner(settings, root)
        self._payments = Payments()
        _ = self._runner.identity
        for unit in self.items.ids if self.items else ():
            self._check_item(unit)

    def _check_item(self, unit: str) -> None:
        assert self.items is not None
        try:
            item_bytes(unit, self.items[unit])
        except (TypeError, ValueError) as error:
            reason = f"items: {unit!r:.60} cannot be given to a program as JSON: {error}"
            raise ConfigError(reason, ("items",)) from None

    @staticmethod
    def build(args: Mapping[str, Any], *, root: Path, seed: int) -> Objective:  # type: ignore[override]
        """Make one from a study's `objective:` section; with `steps` it is a training."""
        settings = CommandSettings.parse(args)
        if settings.steps is not None:
            from raytuner.own.command_training import CommandTraining

            return CommandTraining(settings, root.resolve())
        return CommandObjective(settings, root.resolve(), seed)

    @staticmethod
    def schema() -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        return CommandSettings.model_json_schema()

    def scope(self) -> str:
        """Identify program and items."""
        items = None if self.items is None else self.items.key
        return digest("command", self._runner.identity, items, list(self.settings.metrics))

    def key(self, params: Params) -> str:
        """Identify what is computed."""
        self.configured(params).nested()  # it must be possible to spell it
        return super().key(params)

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Run the program; score items as it answers them."""
        config = self.configured(params)
        if self.items is None:
            yield from self._whole(config, meter)
            return
        rest = iter(units)
        while part := list(itertools.islice(rest, self.settings.batch or len(units))):
            waiting = dict.fromkeys(part)
            try:
                yield from self._answered(config, waiting, meter)
            except ObjectiveFailure as error:  # the other items get another process
                yield [UnitScore(unit, {}, failure=error.failure) for unit in waiting]
            if meter.cancelled:
                return

    # ---- one result

    def _whole(self, config: Config, meter: Meter) -> Iterator[Sequence[UnitScore]]:
        began = time.perf_counter()
        result: Line | None = None
        with self._payments.paying(meter) as pay:
            with self._runner.started(config.nested(), b"", {}) as program:
                for line in read_lines(program, meter):
                    if result is not None:
                        reason = f"the program printed a second result on line {line.number}"
                        raise ObjectiveFailure("objective", reason)
                    result = line
                if meter.cancelled:
                    return
                failure = program.failure()
            if result is None:
                reason = "the program ended without a result"
                failure = failure or Failure("objective", reason)
                raise ObjectiveFailure(failure.kind, failure.message, retryable=failure.retryable)
            seconds = time.perf_counter() - began
            if failure is not None:
                score = UnitScore(UNIT, {}, spent(result.fields), seconds, failure)
            else:
                score = self._score(UNIT, result, seconds)
            pay(score.cost)
        yield [score]

    # ---- items

    def _answered(
        self, config: Config, waiting: dict[str, None], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Give scores as they are printed; what stays in `waiting` has none."""
        assert self.items is not None
        units = tuple(waiting)
        given = b"".join(item_bytes(unit, self.items[unit]) for unit in units)
        began = time.perf_counter()
        with (
            self._payments.paying(meter) as pay,
            self._runner.started(config.nested(), given, {}) as program,
        ):
            for line in read_lines(program, meter):
                unit = _unit(line, waiting, units)
                now = time.perf_counter()
                score = self._score(unit, line, now - began)
                began = now
                del waiting[unit]
                yield [score]
                pay(score.cost, more=bool(waiting))
                if not waiting:
                    self._end(program, meter)
                    return
            if not meter.cancelled:
                refuse(program)
                raise ObjectiveFailure("objective", _unanswered(waiting, units))

    def _end(self, program: Program, meter: Meter) -> None:
        """Let a program end that has answered everything: its scores stand, however it does."""
        program.finish(FAREWELL, lambda: meter.cancelled)
        program.close()
        if (failure := program.failure()) is not None:
            _log.warning("all items are answered, but %s", failure.message)

    def _score(self, unit: str, line: Line, seconds: float) -> UnitScore:
        if (failure := line.failure) is not None:
            return UnitScore(unit, {}, spent(line.fields), seconds, failure)
        fields = {name: value for name, value in line.fields.items() if name != "unit"}
        try:
            found = read_result(fields, self.settings.metrics)
        except ObjectiveFailure as error:
            said = f"line {line.number}: {error.failure.message}"
            failure = error.failure.__class__(error.failure.kind, said)
            return UnitScore(unit, {}, spent(fields), seconds, failure)
        return UnitScore(unit, found.scores, found.cost, seconds, notes=found.notes)


def _unanswered(waiting: Mapping[str, None], units: Sequence[str]) -> str:
    first = next(iter(waiting))
    return (
        f"the program ended without a result for {len(waiting)} of {len(units)} items, such as "
        f"{first!r:.80}"
    )


def _unit(line: Line, waiting: Mapping[str, None], units: Sequence[str]) -> str:
    """Say whose result a line is."""
    given = line.fields.get("unit")
    unit = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else None
    said = f"line {line.number} that the program printed"
    if unit is None:
        raise ObjectiveFailure("objective", f"{said} has no `unit`: whose result is it?")
    if unit in waiting:
        return unit
    if unit in units:
        raise ObjectiveFailure("objective", f"{said} is a second result for {unit!r:.80}")
    raise ObjectiveFailure(
        "objective", f"{said} is for {unit!r:.80}, which it was not asked.{nearest(unit, units)}"
    )
