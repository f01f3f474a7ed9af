"""One parameter at a time: all its values around the best point so far, then the next parameter.

Coordinate search from the configuration as it stands. M. Orbach et al., "An Analysis of
Hyper-Parameter Optimization Methods for Retrieval Augmented Generation", arXiv:2505.03452 (2025),
found it as good as costlier searches if models are chosen first, not in the order of the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

from pydantic import Field

from raytuner.component import ConfigError, nearest
from raytuner.objective import Objective, Params, Value
from raytuner.search.accounts import Booked
from raytuner.search.port import Exhausted, Proposer, Sampled
from raytuner.search.standing import Standing
from raytuner.space import Space

_STAGES = (
    ("generator", "llm"),
    ("embedder", "embedding"),
    ("retriever", "store", "query"),
    ("reranker",),
    ("chunker", "preprocess"),
)
"""Parts of a pipeline, those first that matter most; see `importance`."""
_MODELS = frozenset({"model", "kind", "name"})
"""Last parts of the names of parameters that choose what does the work."""
_FINE = frozenset({"temperature", "top_p", "seed"})
"""Last parts of the names of parameters that rarely matter much."""


class Greedy(Sampled, kind="greedy"):
    """Choose one parameter at a time, models first, all its values against the best so far.

    A first round takes the parameters by role: which model or method, part by part, then their
    numbers. Each further round takes those first whose values made most difference, and looks at
    numeric ranges more closely. It ends after `rounds`, or with a round that changes nothing.
    """

    learns: ClassVar[bool] = True

    rounds: int = Field(
        default=2, ge=1, le=20, description="How often every parameter has its turn."
    )
    levels: int = Field(
        default=4, ge=2, le=50, description="How many values of a numeric range are tried in turn."
    )
    order: tuple[str, ...] = Field(
        default=(),
        description="Parameters to begin with, in every round; the others follow, models first.",
    )

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin at the middle of every domain.

        Raises:
            ConfigError: `order` names no parameter of the space.
        """
        del seed  # nothing is left to chance
        return _Walk(self, self._checked(space), None)

    def begin(self, space: Space, seed: int, objective: Objective) -> Proposer:
        """Begin at the configuration as it stands."""
        del seed
        return _Walk(self, self._checked(space), objective)

    def total(self, space: Space) -> int | None:
        """Count the most points that it may propose."""
        standing = Standing(space, None, self.levels)
        most = 1 + self.rounds * sum(
            len(standing.levels(name, standing.point)) for name in space.names
        )
        counts = [n for n in (most, super().total(space)) if n is not None]
        return min(counts)

    def _checked(self, space: Space) -> Space:
        for name in self.order:
            if name not in space.domains:
                raise ConfigError(
                    f"search: order: no parameter is called {name!r}; the space has "
                    f"{', '.join(space.names)}.{nearest(name, space.names)}",
                    ("search", "order"),
                )
        return space


class _Step(NamedTuple):
    """What one turn of a parameter came to.

    Attributes:
        at: the best point then.
        spread: difference between its best and worst value; None if not known.
    """

    at: Params
    spread: float | None


class _Walk(Booked):
    """Walks from the start whenever it is asked, as far as reports reach.

    So what it proposes follows from the reports alone, in whatever order they came.
    """

    def __init__(self, search: Greedy, space: Space, objective: Objective | None) -> None:
        super().__init__(space, search.samples)
        self._search = search
        self._standing = Standing(space, objective, search.levels)
        self._first = importance(space, search.order)

    def propose(self) -> dict[str, Value] | None:
        at: Params = self._standing.point
        spreads: dict[str, float] = {}
        for number in range(self._search.rounds):
            before = at
            for name in self._order(spreads):
                if name not in at:
                    continue
                points = self._around(at, name, number)
                for point in points:
                    if self.books.fresh(point):
                        return dict(point)
                if any(self.books.pending(point) for point in points):
                    return None
                at, spread = self._turn(at, points)
                if spread is not None:
                    spreads[name] = max(spread, spreads.get(name, 0.0))
            if number and dict(at) == dict(before):
                break
        raise Exhausted("every parameter has had its turns")

    def _around(self, at: Params, name: str, number: int) -> list[Params]:
        """List the points of a turn; the one they are compared with comes last."""
        levels = self._standing.levels(name, at, number)
        made = (self._standing.with_value(at, name, value) for value in levels)
        others = [point for point in made if point is not None and point != dict(at)]
        return [*others, at]

    def _turn(self, at: Params, points: Sequence[Params]) -> _Step:
        """Go to the best point, rather nowhere than to an equal one."""
        best = self.books.best([at, *points])
        outcomes = [self.books.outcome(point) for point in points]
        scores = [one.score for one in outcomes if one is not None and one.score is not None]
        spread = max(scores) - min(scores) if scores else None
        return _Step(at if best is None else best, spread)

    def _order(self, spreads: Mapping[str, float]) -> list[str]:
        """Take what is named in `order` first, then by difference made, then by role."""
        named = len(self._search.order)
        rest = sorted(self._first[named:], key=lambda name: -spreads.get(name, 0.0))
        return [*self._first[:named], *rest]


def importance(space: Space, first: Sequence[str] = ()) -> list[str]:
    """Order parameters by what usually matters: models and methods by part, then their settings.

    Args:
        space: has the parameters; those of equal rank stay as declared.
        first: comes before all others.
    """

    def rank(name: str) -> tuple[int, int]:
        part, _, setting = name.partition(".")
        stages = [n for n, names in enumerate(_STAGES) if part in names]
        last = setting.rpartition(".")[2]
        fineness = 0 if last in {*_MODELS, ""} else 2 if last in _FINE else 1
        return fineness, stages[0] if stages else len(_STAGES)

    named = list(dict.fromkeys(first))
    rest = [name for name in space.order if name not in named]
    return [*named, *sorted(rest, key=rank)]
