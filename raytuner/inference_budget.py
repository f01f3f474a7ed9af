"""What a configuration may spend on a question: who is stopped for it, and who cannot win."""

from __future__ import annotations

import math

import numpy as np

from raytuner.objective import UNIT_USD
from raytuner.schedulers import Decisions
from raytuner.trial import Trial

FIRST = 8
"""Questions before anything is concluded; the first rung."""
_RISK = 0.05
"""Chance that a trial at the limit is ever stopped, over all looks at it."""


class InferenceBudget:
    """Stops trials whose mean cost of a question is confidently above a limit.

    Confidently: the one-sided lower confidence bound of the mean (Student t) lies above it. Each
    trial is looked at once a rung; look number i has the risk 5 % / (i (i + 1)), which adds up to
    5 % however many there are.

    Args:
        limit: dollars a question; None: no limit.
    """

    def __init__(self, limit: float | None) -> None:
        self._limit = limit
        self._looks: dict[str, int] = {}

    def look(self, trial: Trial, units: int) -> str | None:
        """Look at a trial that has answered its first `units` units; say why it has to stop."""
        if self._limit is None:
            return None
        values = trial.values(UNIT_USD)[:units]
        values = values[~np.isnan(values)]
        n = len(values)
        if n < FIRST:
            return None
        number = self._looks[trial.key] = self._looks.get(trial.key, 0) + 1
        from scipy.special import stdtrit

        quantile = float(stdtrit(n - 1, 1 - _RISK / (number * (number + 1))))
        mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
        if mean - quantile * error <= self._limit:
            return None
        return f"${mean:.3g} a question, above the budget of ${self._limit:g}"


def too_dear(trial: Trial, limit: float | None) -> bool:
    """Tell whether a trial that has answered every question spends more than the limit on one."""
    mean = None if limit is None else trial.mean(UNIT_USD)
    return mean is not None and limit is not None and mean > limit


class Doubling:
    """A judge (`raytuner.schedulers.Judge`) that stops nobody: 8 units, 16, 32, and so on."""

    def __init__(self, units: int) -> None:
        self._units = units

    def add(self, key: str) -> int:
        """Let a trial in."""
        del key
        return min(FIRST, self._units)

    def report(self, key: str, units: int, score: float) -> Decisions:
        """Let it go on to twice as many units."""
        del score
        return {key: min(2 * units, self._units)} if units < self._units else {}

    def drop(self, key: str) -> Decisions:
        """Decide nothing."""
        del key
        return {}

    def drain(self) -> Decisions:
        """Decide nothing; nobody waits."""
        return {}
