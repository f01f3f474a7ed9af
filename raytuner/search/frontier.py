"""What is known of points question by question, and who of them is worth building on.

L. A. Agrawal et al., "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning",
arXiv:2507.19457 (2025): parents are drawn from those that are best on some question, each as
often as there are such questions. So a point that has learned what others have not is kept, even
if its mean is not the best.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from raytuner.component import digest
from raytuner.objective import Params

_EQUAL = 1e-9
"""Scores of a question that are no further apart are equal."""


class Candidate:
    """A point, and what it has scored.

    Attributes:
        name: its digest.
        params: the point.
        score: higher is better; None while there is none, or if it cannot be used.
        units: how many questions that rests on; `math.inf` for all.
        asked: the questions, in evaluation order.
        values: of these questions, higher is better; NaN where not defined.
    """

    def __init__(self, name: str, params: Params) -> None:
        self.name = name
        self.params = params
        self.score: float | None = None
        self.units = 0.0
        self.asked: Sequence[str] = ()
        self.values: NDArray[np.float64] = np.empty(0)

    @property
    def place(self) -> tuple[float, float, str]:
        """How it ranks: who went further first, then the better; ties by name."""
        return (-self.units, -(self.score or 0.0), self.name)

    def worst(self) -> list[str]:
        """List the questions that it did not do best at, the worst first."""
        known = np.flatnonzero(~np.isnan(self.values))
        if not len(known):
            return []
        top = self.values[known].max()
        failed = [int(row) for row in known if self.values[row] < top - _EQUAL]
        return [self.asked[row] for row in sorted(failed, key=lambda row: self.values[row])]

    def value(self, unit: str) -> float:
        """Give what it has scored on a question."""
        return float(self.values[list(self.asked).index(unit)])


class Frontier:
    """Every point that has been reported on.

    Points are told of in the order of the journal, and what is drawn depends on that alone.
    """

    def __init__(self) -> None:
        self._known: dict[str, Candidate] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def observe(self, params: Params, units: Sequence[str], values: NDArray[np.float64]) -> None:
        """Take in scores of single questions."""
        found = self._candidate(params)
        if len(units) >= len(found.asked):
            found.asked, found.values = tuple(units), np.array(values, float)

    def learn(self, params: Params, score: float | None, units: int | None) -> None:
        """Take in a score; None: the point cannot be used."""
        found = self._candidate(params)
        found.score = score
        found.units = math.inf if units is None else units

    def usable(self) -> list[Candidate]:
        """List the points that have a score, best first."""
        return sorted((c for c in self._known.values() if c.score is not None), key=_place)

    def leaders(self) -> list[tuple[Candidate, int]]:
        """List who is best on some question, and on how many; best first.

        Who is best only where others of the list are too is left out, the worst first.
        """
        usable = self.usable()
        fronts = _fronts(usable)
        left = {candidate.name for candidate in usable}
        for candidate in reversed(usable):
            own = [front for front in fronts if candidate.name in front]
            if all(len(front & left) > 1 for front in own):
                left.discard(candidate.name)
        counts = {name: sum(name in front for front in fronts) for name in left}
        found = [(c, counts[c.name]) for c in usable if counts.get(c.name)]
        return found or [(candidate, 1) for candidate in usable[:1]]

    def draw(self, rng: random.Random, without: Iterable[str] = ()) -> Candidate | None:
        """Draw a leader, each as often as it is best; None if there is no other."""
        left = [(c, weight) for c, weight in self.leaders() if c.name not in set(without)]
        if not left:
            return None
        return rng.choices([c for c, _ in left], [weight for _, weight in left])[0]

    def _candidate(self, params: Params) -> Candidate:
        name = digest(params)
        return self._known.setdefault(name, Candidate(name, dict(params)))


def _place(candidate: Candidate) -> tuple[float, float, str]:
    return candidate.place


def _fronts(usable: Sequence[Candidate]) -> list[set[str]]:
    """Give, of every question that anybody has a value of, the names of those that are best."""
    best: dict[str, float] = {}
    front: dict[str, set[str]] = {}
    for candidate in usable:
        for unit, value in zip(candidate.asked, candidate.values.tolist(), strict=True):
            if math.isnan(value) or value < best.get(unit, -math.inf) - _EQUAL:
                continue
            if value > best.get(unit, -math.inf) + _EQUAL:
                best[unit], front[unit] = value, set()
            front[unit].add(candidate.name)
    return list(front.values())
