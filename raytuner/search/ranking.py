"""Every point that a search was told of, best first, compared at a common number of units."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence

import numpy as np

from raytuner.component import digest
from raytuner.objective import Params
from raytuner.search.fronts import best_first
from raytuner.search.goals import parts_of
from raytuner.search.learner import Outcome


class Ranking:
    """Ranks points at the highest number of units that enough of them have reached.

    That is the highest number that half of `quorum` points have a score at; if there is none,
    the one that most have. Points are known by their digest.

    Args:
        quorum: how many points make a population.

    Attributes:
        points: all that were told of, in the order in which that happened first.
    """

    def __init__(self, quorum: int) -> None:
        self.points: dict[str, Params] = {}
        self._several = False
        self._quorum = quorum
        self._scores: dict[str, dict[float, float]] = {}
        self._reached: dict[float, int] = {}
        self._best: list[tuple[float, str]] | None = None
        self._at = math.inf

    def learn(self, params: Params, outcome: Outcome) -> str:
        """Take in a report, and name the point; one that has failed has no rank."""
        name = digest(params)
        self.points.setdefault(name, params)
        scores = self._scores.setdefault(name, {})
        units = math.inf if outcome.units is None else float(outcome.units)
        if outcome.score is None:
            for level in scores:
                self._reached[level] -= 1
            self._best = None if scores else self._best
            scores.clear()
        elif units not in scores or scores[units] != outcome.score:
            new = units not in scores
            self._reached[units] = self._reached.get(units, 0) + new
            scores[units] = outcome.score
            self._several = self._several or len(parts_of(outcome.score)) > 1
            if new and self._best is not None and not self._several and self._level() == self._at:
                if units == self._at:
                    insort(self._best, (-float(outcome.score), name))
            else:
                self._best = None
        return name

    def best(self) -> Sequence[str]:
        """Name the points that have reached the common number of units, best first."""
        if self._best is None:
            self._at = self._level()
            self._best = self._ranked(self._at)
        return [name for _, name in self._best]

    @property
    def several(self) -> bool:
        """Whether scores have several goals."""
        return self._several

    def timeline(self) -> list[float | None]:
        """Give the first goal of every point at the common number, in the order of `points`."""
        level = self._level()
        scores = (self._scores[name].get(level) for name in self.points)
        return [None if score is None else float(score) for score in scores]

    def _level(self) -> float:
        reached = {level: count for level, count in self._reached.items() if count}
        common = [level for level, count in reached.items() if 2 * count >= self._quorum]
        if common or not reached:
            return max(common, default=math.inf)
        return max(reached, key=lambda level: (reached[level], level))

    def _ranked(self, level: float) -> list[tuple[float, str]]:
        """Give what points are sorted by, and their names."""
        there = {name: scores[level] for name, scores in self._scores.items() if level in scores}
        if not self._several:
            return sorted((-float(score), name) for name, score in there.items())
        names = sorted(there)
        goals = [parts_of(there[name]) for name in names]
        common = min(map(len, goals), default=1)
        order = best_first(np.array([parts[:common] for parts in goals]).reshape(-1, common))
        return [(float(place), names[number]) for place, number in enumerate(order)]
