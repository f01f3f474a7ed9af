"""What a search that keeps its own books knows: which points were asked for, and what came of them.

Proposals that are worked out from these books alone, not from how they came to be, go on after a
break as if there had been none.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable

from raytuner.component import digest
from raytuner.objective import Params, Value
from raytuner.search.learner import Outcome
from raytuner.search.port import Exhausted
from raytuner.space import Space


class Accounts:
    """Points of a space: asked for, reported, both.

    Attributes:
        space: points outside of it are of no use to its search, and are not kept.
        asked: what was proposed, in order, by digest.
        told: the latest report of every point, by digest.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.asked: dict[str, Params] = {}
        self.told: dict[str, tuple[Params, Outcome]] = {}

    def note(self, params: Params, outcome: Outcome) -> bool:
        """Take in a report; tell whether it says anything new."""
        if outcome.score is None and not outcome.ended:
            return False  # nothing measured so far is no failure
        if not self.space.contains(params):
            return False
        name = digest(params)
        if self.told.get(name, (None, None))[1] == outcome:
            return False
        self.told[name] = (params, outcome)
        return True

    def fresh(self, point: Params) -> bool:
        """Tell whether nobody has tried a point, nor is trying it."""
        name = digest(point)
        return name not in self.asked and name not in self.told

    def outcome(self, point: Params) -> Outcome | None:
        """Give what is known of a point."""
        return self.told.get(digest(point), (point, None))[1]

    def pending(self, point: Params) -> bool:
        """Tell whether a point that was asked for may still be reported on."""
        outcome = self.outcome(point)
        return digest(point) in self.asked and (outcome is None or not outcome.ended)

    def best(self, points: Iterable[Params]) -> Params | None:
        """Give the best of some points, the first of equals; None if none has a score.

        One that was stopped early lost its race: it is behind those that went further.
        """
        ranked = [(point, rank(self.outcome(point))) for point in points]
        top = max((at for _, at in ranked if at is not None), default=None)
        return None if top is None else next(point for point, at in ranked if at == top)


def rank(outcome: Outcome | None) -> tuple[float, float] | None:
    """Give how far a trial went and how well, which compares in this order; None: no score."""
    if outcome is None or outcome.score is None:
        return None
    return math.inf if outcome.units is None else outcome.units, outcome.score


class Booked(ABC):
    """A proposer whose proposals follow from its books."""

    def __init__(self, space: Space, samples: int | None) -> None:
        self.books = Accounts(space)
        self._samples = samples

    @abstractmethod
    def propose(self) -> dict[str, Value] | None:
        """Give a fresh point; None: not before more is told.

        Raises:
            Exhausted: there will never be another.
        """

    def ask(self) -> dict[str, Value] | None:
        """Propose; see `Proposer.ask`."""
        if self._samples is not None and len(self.books.asked) >= self._samples:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        point = self.propose()
        if point is not None:
            self.recall(point)
        return point

    def recall(self, params: Params) -> None:
        """Note that a point was asked for."""
        self.books.asked[digest(params)] = params

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        """Note what became of a point."""
        self.books.note(params, Outcome(score, units, ended))
