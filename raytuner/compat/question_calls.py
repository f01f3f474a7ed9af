"""A function's score as many: one per golden question, so that a trial can stop after some.

The function still gives one score a call. It is called with a part of the questions, and what it
gives counts for each of them; so it has to be their mean.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from raytuner.compat.calls import Calls, Points
from raytuner.component import ConfigError, nearest
from raytuner.objective import Meter, Params, UnitScore
from raytuner.own.function import UNIT


class QuestionCalls(Calls):
    """Calls the function, with as many questions as a trial is to answer next.

    Args:
        function: as for `Calls`.
        fixed: as for `Calls`.
        points: as for `Calls`.
        scope: as for `Calls`.
        questions: fixed parameters that hold one entry per question, all equally long; none:
            the function is called once for all.

    Raises:
        ConfigError: naming the parameter that is no such list.
    """

    def __init__(
        self,
        function: Any,
        fixed: Mapping[str, Any],
        points: Points,
        scope: str,
        questions: Sequence[str] = (),
    ) -> None:
        super().__init__(function, fixed, points, scope)
        self._lists = tuple(questions)
        self._order = _order(_count(fixed, questions)) if questions else ()
        self._asked: Sequence[str] | None = None

    def units(self) -> Sequence[str]:
        """Name the questions by their position: in an order of chance, the same for all trials.

        Neighbours in a list are often about the same document.
        """
        return self._order or (UNIT,)

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Call the function once, with these questions."""
        one = copy.copy(self)
        one._asked = units  # noqa: SLF001 - of its own kind
        for scores in super(QuestionCalls, one).evaluate(params, units, meter):
            for score in scores:
                seconds = score.seconds / len(units)
                rows = [score._replace(unit=unit, seconds=seconds, notes=None) for unit in units]
                yield [rows[0]._replace(notes=score.notes), *rows[1:]]

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the real arguments of a combination, cut to the questions that are asked."""
        arguments = super().arguments(params)
        if self._lists and self._asked is not None:
            positions = sorted(int(unit.removeprefix("q")) for unit in self._asked)
            if len(positions) < len(self._order):
                arguments |= {name: _cut(arguments[name], positions) for name in self._lists}
        return arguments

    def metadata(self, notes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Give the metadata of the one call, or of all as `calls`."""
        calls = [dict(notes[unit]) for unit in self.units() if notes.get(unit)]
        return calls[0] if len(calls) == 1 else {"calls": calls} if calls else {}

    def _read(self, given: Any) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        scores, metadata = super()._read(given)
        return scores, {"timestamp": int(time.time()), **(metadata or {})}


def _count(fixed: Mapping[str, Any], questions: Sequence[str]) -> int:
    counts: dict[str, int] = {}
    for name in questions:
        if name not in fixed:
            raise ConfigError(
                f"questions: {name!r} is not in fixed_param_dict, which has: "
                f"{', '.join(map(str, fixed)) or 'nothing'}.{nearest(name, map(str, fixed))}",
                ("questions",),
            )
        value = fixed[name]
        if not isinstance(value, list | tuple | np.ndarray) and not hasattr(value, "iloc"):
            raise ConfigError(
                f"questions: fixed_param_dict[{name!r}] is a {type(value).__name__}; give a list "
                "with one entry per question",
                ("questions",),
            )
        counts[name] = len(value)
    if len(set(counts.values())) > 1 or not min(counts.values()):
        lengths = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise ConfigError(
            f"questions: all need one entry per question, but {lengths}", ("questions",)
        )
    return next(iter(counts.values()))


def _order(count: int) -> tuple[str, ...]:
    names = [f"q{position}" for position in range(count)]
    random.Random(count).shuffle(names)
    return tuple(names)


def _cut(value: Any, positions: Sequence[int]) -> Any:
    """Take some entries, in a list of the same kind."""
    if hasattr(value, "iloc"):
        return value.iloc[list(positions)]
    if isinstance(value, np.ndarray):
        return value[list(positions)]
    return type(value)([value[position] for position in positions])
