"""Points that are tried before a search has its say."""

from __future__ import annotations

from collections.abc import Sequence

from raytuner.objective import Params, Value
from raytuner.search.port import Proposer

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

    @property
    def eager(self) -> bool:
        """Whether one of the points is next."""
        return bool(self._points)

    def ask(self) -> Point | None:
        """Propose the next point, or what the search does."""
        return dict(self._points.pop(0)) if self._points else self._proposer.ask()

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
