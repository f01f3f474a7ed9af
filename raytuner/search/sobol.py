"""Points that fill a space evenly: scrambled Sobol sequences.

I. M. Sobol, "On the distribution of points in a cube and the approximate evaluation of
integrals", USSR Computational Mathematics and Mathematical Physics 7 (1967); scrambled after
A. B. Owen, "Scrambling Sobol and Niederreiter-Xing Points", Journal of Complexity 14 (1998).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from raytuner.component import digest
from raytuner.objective import Value
from raytuner.search.axes import layout, values
from raytuner.search.port import Exhausted, Proposer, Sampled, Unlearning
from raytuner.search.sampling import Random
from raytuner.space import Space

_BATCH = 64
"""How many points of the sequence are computed at a time."""
_MISSES = 200
"""How many points in a row may repeat or violate; then chance chooses, or lists what is left."""


class Sobol(Sampled, kind="sobol"):
    """Try points that cover every axis, and every pair of axes, more evenly than chance does.

    Every domain is cut at its quantiles. Parameters that are not active are left out of a point,
    points that violate a constraint are skipped, and no point is proposed twice, so that a
    finite space is exhausted in the end.
    """

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin. The first n proposals are the same whatever `samples` is."""
        return _Sequence(space, seed, self.samples)


class _Sequence(Unlearning):
    """Follows the sequence without replacement; learns nothing."""

    def __init__(self, space: Space, seed: int, samples: int | None) -> None:
        self._space = space
        self._left = samples
        self._seen: set[str] = set()
        self._points = _points(space, seed)
        self._rest = Random().start(space, seed)
        self._resting = False

    def ask(self) -> dict[str, Value]:
        if self._left == 0:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        point = self._next()
        self._seen.add(digest(point))
        if self._left is not None:
            self._left -= 1
        return point

    def _next(self) -> dict[str, Value]:
        for _ in range(0 if self._resting else _MISSES):
            point = next(self._points)
            if not self._space.violated(point) and digest(point) not in self._seen:
                return point
        self._resting = True
        while (drawn := self._rest.ask()) is None or digest(drawn) in self._seen:
            pass
        return drawn


def _points(space: Space, seed: int) -> Iterator[dict[str, Value]]:
    """Give the points of the sequence, of which some may violate constraints or repeat."""
    import numpy as np
    from scipy.stats import qmc

    plan = layout(space)
    sequence: Any = qmc.Sobol(max(len(plan.axes), 1), seed=np.random.default_rng(seed))
    while True:
        for row in sequence.random(_BATCH).tolist():
            at = {axis.label: axis.at(x) for axis, x in zip(plan.axes, row, strict=False)}
            yield space.active(values(plan, at))
