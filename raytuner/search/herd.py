"""What a population-based search knows: points, and their scores at numbers of units."""

from __future__ import annotations

import math
from collections.abc import Sequence

from raytuner.component import digest
from raytuner.objective import Params
from raytuner.search.axes import Layout
from raytuner.search.learner import Outcome
from raytuner.search.surrogate import Surrogate, fit


class Herd:
    """Every point that is known, with its score at each number of units it was reported at."""

    def __init__(self, plan: Layout, population: int) -> None:
        self.plan = plan
        self._population = population
        self._known: dict[str, tuple[Params, dict[float, float]]] = {}
        self._surrogate: tuple[str, Surrogate] | None = None

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, point: Params) -> bool:
        return digest(point) in self._known

    def learn(self, params: Params, outcome: Outcome) -> None:
        """Take in a report; a point that has failed is nobody to copy."""
        _, scores = self._known.setdefault(digest(params), (params, {}))
        if outcome.score is None:
            scores.clear()
        else:
            scores[math.inf if outcome.units is None else outcome.units] = outcome.score

    def ranked(self) -> list[tuple[Params, float]]:
        """Rank the points that have reached the highest common number of units, best first.

        That is the highest number that half a population has reached; if there is none, the
        one that most have.
        """
        level = self._common()
        return [] if level is None else self.at(level)

    def at(self, units: float) -> list[tuple[Params, float]]:
        """Rank the points that were reported at a number of units, best first."""
        there = [
            (name, params, scores[units])
            for name, (params, scores) in self._known.items()
            if units in scores
        ]
        there.sort(key=lambda known: (-known[2], known[0]))
        return [(params, score) for _, params, score in there]

    def _common(self) -> float | None:
        reached: dict[float, int] = {}
        for _, scores in self._known.values():
            for units in scores:
                reached[units] = reached.get(units, 0) + 1
        if not reached:
            return None
        common = [units for units, count in reached.items() if 2 * count >= self._population]
        return max(common, default=max(reached, key=lambda units: (reached[units], units)))

    def surrogate(self, ranked: Sequence[tuple[Params, float]]) -> Surrogate:
        """Model the scores of points that `ranked` or `at` lists, which must be some."""
        points, scores = zip(*ranked, strict=True)
        named = digest(points, scores)
        if self._surrogate is None or self._surrogate[0] != named:
            self._surrogate = named, fit(self.plan, points, scores)
        return self._surrogate[1]
