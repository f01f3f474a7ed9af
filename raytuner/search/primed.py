"""Points that are tried before a search has its say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raytuner.lineage import Lineage
from raytuner.objective import Params, Value
from raytuner.search.port import Deferred, Observing, Proposer, Tracing, Workroom

Point = dict[str, Value]


class Primed:
    """A proposer before which some points come.

    Args:
        proposer: goes on after them.
        points: come first, in this order.
    """

    def __init__(self, proposer: Proposer, points: Sequence[Point]) -> None:
        self._proposer = proposer
        self._points = list(points)
        self._given = False

    @property
    def eager(self) -> bool:
        """Whether one of the points is next."""
        return bool(self._points)

    def ask(self) -> Point | None:
        """Propose the next point, or what the search does."""
        self._given = bool(self._points)
        return dict(self._points.pop(0)) if self._points else self._proposer.ask()

    def lineage(self, params: Params) -> Lineage | None:
        """Tell what the search does of a point it proposed; one of the first has no parents."""
        if self._given or not isinstance(self._proposer, Tracing):
            return None
        return self._proposer.lineage(params)

    def recall(self, params: Params) -> None:
        """Take in what an earlier session asked for."""
        if self._points and dict(params) == self._points[0]:
            self._points.pop(0)
        else:
            self._proposer.recall(params)

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        """Tell the search, whoever proposed it."""
        self._proposer.tell(params, score, units=units, ended=ended)

    def observe(self, params: Params, units: Sequence[str], values: NDArray[np.float64]) -> None:
        """Tell a search that looks at single questions."""
        if isinstance(self._proposer, Observing):
            self._proposer.observe(params, units, values)


class PrimedDeferred(Primed):
    """The same before a search that works in the background."""

    _proposer: Deferred

    @property
    def making(self) -> int:
        """Count what the search makes in the background."""
        return self._proposer.making

    @property
    def ready(self) -> bool:
        """Whether there is something to give."""
        return self.eager or self._proposer.ready

    def attach(self, room: Workroom) -> None:
        """Give a search that works in the background what it needs."""
        self._proposer.attach(room)

    def recall_begun(self, number: int) -> None:
        """Tell it what an earlier session has begun."""
        self._proposer.recall_begun(number)

    def recall_made(self, number: int, point: str) -> None:
        """Tell it what became of that."""
        self._proposer.recall_made(number, point)

    def close(self) -> None:
        """End its work in the background."""
        self._proposer.close()


def primed(proposer: Proposer, points: Sequence[Point]) -> Primed:
    """Put points before a search; see `Primed`."""
    return (PrimedDeferred if isinstance(proposer, Deferred) else Primed)(proposer, points)
