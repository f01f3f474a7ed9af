"""Scores of one configuration: units by metrics, where nothing recorded is ever replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raytuner.objective import Failure, UnitScore


class Scored:
    """What can be asked of scores; who has them also has the six attributes below.

    Scores are one float64 table [units, metrics] so that thousands of trials stay small; NaN
    means "not scored", never a score. Of a `curve`, whose units are steps of one training, the
    last step counts; of anything else the mean.
    """

    units: Sequence[str]
    metrics: tuple[str, ...]
    table: NDArray[np.float64]
    failures: dict[str, Failure]
    notes: dict[str, Mapping[str, Any]]
    curve: bool

    def take(self, scores: Iterable[UnitScore], positions: Mapping[str, int]) -> None:
        """Add unit scores. A score is never replaced by a failure or by another score."""
        for score in scores:
            row = positions.get(score.unit)
            if row is None or self._scored(row):
                continue
            if score.failure is not None:
                self.failures[score.unit] = score.failure
                continue
            self.failures.pop(score.unit, None)
            self._columns(score.scores)
            self.table[row] = [score.scores.get(metric, np.nan) for metric in self.metrics]
            if score.notes:
                self.notes[score.unit] = score.notes

    def forget(self, units: Iterable[str], positions: Mapping[str, int]) -> None:
        """Take scores out again, whose withdrawal is on record."""
        for unit in units:
            row = positions.get(unit)
            if row is not None and row < len(self.table):
                self.table[row] = np.nan
                self.notes.pop(unit, None)

    def put(self, row: int, metric: str, value: float) -> None:
        """Set what no unit has reported: a metric that is computed of all trials together."""
        self._columns({metric: value})
        self.table[row, self.metrics.index(metric)] = value

    def missing(self, first: int | None = None) -> list[str]:
        """List the units without a score, in evaluation order; only of the first so many."""
        if not len(self.table):
            return list(self.units[:first])
        blank = np.isnan(self.table[:first]).all(axis=1)
        return [self.units[row] for row in np.flatnonzero(blank).tolist()]

    @property
    def answered(self) -> int:
        """How many units have a score."""
        return len(self.units) - len(self.missing())

    @property
    def complete(self) -> bool:
        """Whether every unit has a score."""
        return bool(len(self.table)) and not np.isnan(self.table).all(axis=1).any()

    def values(self, metric: str) -> NDArray[np.float64]:
        """Give one metric per unit, NaN where missing; shape [units]."""
        if metric not in self.metrics:
            return np.full(len(self.units), np.nan)
        return self.table[:, self.metrics.index(metric)]

    def mean(self, metric: str, first: int | None = None) -> float | None:
        """Average a metric over the units it is defined for; None unless every unit is scored.

        Of a curve, give the metric of the last step.

        Args:
            metric: its name.
            first: look at the first so many units only.
        """
        if self.missing(first):
            return None
        values = self.values(metric)[:first][self.counted]
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if len(defined) else None

    @property
    def counted(self) -> slice:
        """Which units are evidence of their own: all, or the last one of a curve."""
        return slice(-1, None) if self.curve else slice(None)

    def _scored(self, row: int) -> bool:
        return row < len(self.table) and not bool(np.isnan(self.table[row]).all())

    def _columns(self, scores: Mapping[str, float]) -> None:
        new = [metric for metric in scores if metric not in self.metrics]
        if new or not len(self.table):
            grown = np.full((len(self.units), len(self.metrics) + len(new)), np.nan)
            grown[:, : len(self.metrics)] = self.table if len(self.table) else np.nan
            self.metrics, self.table = (*self.metrics, *new), grown


@dataclass
class ScoreTable(Scored):
    """Scores alone: those of a trial on the questions that its search has not seen."""

    units: Sequence[str] = ()
    metrics: tuple[str, ...] = ()
    table: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    failures: dict[str, Failure] = field(default_factory=dict)
    notes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    curve: bool = False
