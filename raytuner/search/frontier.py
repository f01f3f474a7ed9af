"""What is known of points question by question, and who of them is worth building on.

L. A. Agrawal et al., "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning",
arXiv:2507.19457 (2025): parents are drawn from those that are best on some question, each as
often as there are such questions. So a point that has learned what others have not is kept, even
if its mean is not the best.
"""

from __future__ import annotations

import itertools
import math
import operator
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
        place: how it ranks: who went further first, then the better; ties by name.
        asked: the questions, in evaluation order.
        values: of these questions, higher is better; NaN where not defined.
        levels: the same, lowest where not defined.
    """

    def __init__(self, name: str, params: Params) -> None:
        self.name = name
        self.params = params
        self.score: float | None = None
        self.units = 0.0
        self.place = (0.0, 0.0, name)
        self.asked: Sequence[str] = ()
        self.values: NDArray[np.float64] = np.empty(0)
        self.levels = self.values

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
        self._leaders: list[tuple[Candidate, int]] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def observe(self, params: Params, units: Sequence[str], values: NDArray[np.float64]) -> None:
        """Take in scores of single questions, the first ones in evaluation order."""
        self._leaders = None
        found = self._candidate(params)
        if len(units) >= len(found.asked):
            found.asked, found.values = tuple(units), np.array(values, float)
            found.levels = np.nan_to_num(found.values, nan=-math.inf)

    def learn(self, params: Params, score: float | None, units: int | None) -> None:
        """Take in a score; None: the point cannot be used."""
        self._leaders = None
        found = self._candidate(params)
        found.score = score
        found.units = math.inf if units is None else units
        found.place = (-found.units, -(score or 0.0), found.name)

    def usable(self) -> list[Candidate]:
        """List the points that have a score, best first."""
        return sorted(
            (c for c in self._known.values() if c.score is not None),
            key=operator.attrgetter("place"),
        )

    def leaders(self) -> list[tuple[Candidate, int]]:
        """List who is best on some question, and on how many; best first.

        Who is best only where others of the list are too is left out, the worst first.
        """
        if self._leaders is None:
            self._leaders = _leading(self.usable())
        return self._leaders

    def draw(self, rng: random.Random, without: Iterable[str] = ()) -> Candidate | None:
        """Draw a leader, each as often as it is best; None if there is no other."""
        left = [(c, weight) for c, weight in self.leaders() if c.name not in set(without)]
        if not left:
            return None
        return rng.choices([c for c, _ in left], [weight for _, weight in left])[0]

    def _candidate(self, params: Params) -> Candidate:
        name = digest(params)
        return self._known.setdefault(name, Candidate(name, dict(params)))


def _leading(usable: Sequence[Candidate]) -> list[tuple[Candidate, int]]:
    longest = max((len(candidate.levels) for candidate in usable), default=0)
    table = np.full((len(usable), longest), -math.inf)
    for row, candidate in zip(table, usable, strict=True):
        row[: len(candidate.levels)] = candidate.levels
    top = table.max(axis=0, initial=-math.inf)
    packed = np.packbits((table >= top - _EQUAL) & (top > -math.inf), axis=1)
    fronts = [int.from_bytes(row.tobytes(), "big") for row in packed]  # a bit per question
    better = list(itertools.accumulate(fronts, operator.or_, initial=0))
    kept, left = 0, []
    for place in reversed(range(len(usable))):
        if fronts[place] & ~(kept | better[place]):
            kept |= fronts[place]
            left.append(place)
    found = [(usable[place], fronts[place].bit_count()) for place in reversed(left)]
    return found or [(candidate, 1) for candidate in usable[:1]]
