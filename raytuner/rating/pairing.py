"""Which two configurations a rater compares next, and on which question.

The pair whose gap is known least, for how much one more judgement would tell; of equals the one
compared least. Every fourth comparison is one that another rater has judged, so that agreement
can be measured. Nothing depends on anything but the judgements so far, names, and a seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from raytuner.component import digest
from raytuner.rating.ballots import Ballot
from raytuner.rating.bradley_terry import Comparison, Strengths, fit

_SHARED = 4
"""One in so many comparisons of a rater is one that somebody else has judged."""


class Comparing(NamedTuple):
    """A comparison to make.

    Attributes:
        unit: the question.
        left, right: keys of trials.
    """

    unit: str
    left: str
    right: str

    @property
    def pair(self) -> tuple[str, str]:
        """The trials, in an order that does not depend on sides."""
        return (self.left, self.right) if self.left < self.right else (self.right, self.left)


Pair = tuple[str, str]


class Pairing:
    """Chooses comparisons.

    Args:
        units: the questions of every pair that both trials have answered, in their order.
        seed: decides sides, and between equals.
    """

    def __init__(self, units: Mapping[Pair, Sequence[str]], seed: int | str = 0) -> None:
        self._units: dict[Pair, tuple[str, ...]] = {
            (min(pair), max(pair)): tuple(names) for pair, names in units.items()
        }
        self._keys = sorted({key for pair in units for key in pair})
        self._seed = seed

    @property
    def total(self) -> int:
        """How many comparisons there are."""
        return sum(len(units) for units in self._units.values())

    def next(self, rater: str, ballots: Collection[Ballot]) -> Comparing | None:
        """Give the rater's next comparison; None once all have been made or skipped.

        Args:
            rater: who is asked.
            ballots: what everybody has judged.
        """
        mine = {(b.pair, b.unit) for b in ballots if b.rater == rater}
        left = {
            pair: [unit for unit in units if (pair, unit) not in mine]
            for pair, units in self._units.items()
        }
        left = {pair: units for pair, units in left.items() if units}
        if not left:
            return None
        others = Counter((b.pair, b.unit) for b in ballots if b.rater != rater)
        if len(mine) % _SHARED == _SHARED - 1:
            shared = {p: [u for u in units if (p, u) in others] for p, units in left.items()}
            left = {pair: units for pair, units in shared.items() if units} or left
        pair = self._pair(rater, left, ballots)
        asked = Counter(b.unit for b in ballots)

        def rank(unit: str) -> tuple[int, int, str]:
            shares = -others[pair, unit] if len(mine) % _SHARED == _SHARED - 1 else 0
            return shares, asked[unit], digest(self._seed, rater, pair, unit)

        return self._placed(rater, pair, min(left[pair], key=rank))

    def _pair(self, rater: str, left: Iterable[Pair], ballots: Collection[Ballot]) -> Pair:
        known = strengths(self._keys, ballots)
        numbers = {key: number for number, key in enumerate(self._keys)}
        counts = Counter(b.pair for b in ballots if b.outcome is not None)

        def rank(pair: Pair) -> tuple[float, int, str]:
            first, second = numbers[pair[0]], numbers[pair[1]]
            _, error = known.difference(first, second)
            win, loss, _ = known.chances(first, second)
            told = error**2 * win * loss
            return -round(told, 9), counts[pair], digest(self._seed, rater, pair)

        return min(left, key=rank)

    def _placed(self, rater: str, pair: Pair, unit: str) -> Comparing:
        first, second = pair
        if int(digest("side", self._seed, rater, pair, unit)[:8], 16) % 2:
            first, second = second, first
        return Comparing(unit, first, second)


def strengths(keys: Sequence[str], ballots: Iterable[Ballot]) -> Strengths:
    """Fit the strengths of trials to judgements; those of other trials are left out."""
    numbers = {key: number for number, key in enumerate(keys)}
    questions: dict[str, int] = {}
    comparisons = []
    for ballot in ballots:
        first, second = ballot.pair
        if ballot.outcome is None or first not in numbers or second not in numbers:
            continue
        cluster = questions.setdefault(ballot.unit, len(questions))
        comparisons.append(Comparison(numbers[first], numbers[second], ballot.outcome, cluster))
    return fit(comparisons, len(keys))
