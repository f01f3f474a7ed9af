"""Random points, each at most once.

Random search is the baseline to beat: J. Bergstra and Y. Bengio, "Random Search for
Hyper-Parameter Optimization", JMLR 13 (2012).
"""

from __future__ import annotations

import itertools
import random

from raytuner.component import ConfigError, digest
from raytuner.objective import Value
from raytuner.search.port import Exhausted, Proposer, Sampled, Unlearning
from raytuner.space import Space

_REPEATS = 200
"""How many draws in a row may repeat earlier ones before the rest is listed instead."""
_BATCH = 10_000
"""How many points not yet proposed are listed and shuffled at a time."""


class Random(Sampled, kind="random"):
    """Try random points; no point twice, so that a finite space is exhausted in the end."""

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin. The first n proposals are the same whatever `samples` is."""
        return _Draws(space, seed, self.samples)


class _Draws(Unlearning):
    """Draws without replacement; learns nothing, so that results cannot change the sequence."""

    def __init__(self, space: Space, seed: int, samples: int | None) -> None:
        self._space = space
        self._rng = random.Random(seed)
        self._left = samples
        self._seen: set[str] = set()
        self._rest: list[dict[str, Value]] | None = None

    def ask(self) -> dict[str, Value]:
        if self._left == 0:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        point = self._draw() if self._rest is None else self._list()
        self._seen.add(digest(point))
        if self._left is not None:
            self._left -= 1
        return point

    def _draw(self) -> dict[str, Value]:
        for _ in range(_REPEATS):
            try:
                point = self._space.sample(self._rng)
            except ConfigError:
                # What satisfies the constraints is too rare to meet by chance.
                if not self._space.finite:
                    raise
                break
            if digest(point) not in self._seen:
                return point
        if not self._space.finite:
            raise Exhausted(f"{_REPEATS} random points in a row had been proposed before")
        return self._list()

    def _list(self) -> dict[str, Value]:
        """Take from the points not yet proposed, a shuffled batch at a time."""
        if not self._rest:
            unseen = (p for p in self._space.every() if digest(p) not in self._seen)
            self._rest = list(itertools.islice(unseen, _BATCH))
            self._rng.shuffle(self._rest)
        if not self._rest:
            raise Exhausted("every point of the space has been proposed")
        return self._rest.pop()
