"""Every point that a search was told of, best first, compared at a common number of units."""

from __future__ import annotations

import math
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
        several: whether those that `best` named last have several goals.
    """

    def __init__(self, quorum: int) -> None:
        self.points: dict[str, Params] = {}
        self.several = False
        self._quorum = quorum
        self._scores: dict[str, dict[float, float]] = {}
        self._reached: dict[float, int] = {}
        self._best: list[str] | None = None

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
            self._reached[units] = self._reached.get(units, 0) + (units not in scores)
            self._best = None
            scores[units] = outcome.score
        return name

    def best(self) -> Sequence[str]:
        """Name the points that have reached the common number of units, best first."""
        if self._best is None:
            self._best = self._ranked()
        return self._best

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

    def _ranked(self) -> list[str]:
        level = self._level()
        there = {name: scores[level] for name, scores in self._scores.items() if level in scores}
        names = sorted(there)
        goals = [parts_of(there[name]) for name in names]
        self.several = {len(parts) for parts in goals} not in (set(), {1})
        if not self.several:
            return sorted(names, key=lambda name: -float(there[name]))
        return [names[number] for number in best_first(np.array(goals))]
