"""Every point of the grid, once."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from pydantic import Field

from raytuner.component import ConfigError
from raytuner.objective import Value
from raytuner.search.port import Exhausted, Proposer, Search, Unlearning
from raytuner.space import Space

_SHUFFLED = 1_000_000
"""How many points are held in memory to shuffle them."""


class Grid(Search, kind="grid"):
    """Try every point of the grid, the last parameter of the space varying fastest."""

    shuffle: bool = Field(
        default=False,
        description="Random order, so that a run that is stopped early has seen all regions.",
    )

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; `seed` decides the order if shuffled.

        Raises:
            ConfigError: if a domain has no grid, no point satisfies the constraints, or there
                are too many points to shuffle.
        """
        points = space.grid()
        if not self.shuffle:
            return _Listed(points)
        held = list(itertools.islice(points, _SHUFFLED + 1))
        if len(held) > _SHUFFLED:
            raise ConfigError(
                f"search: a grid of more than {_SHUFFLED} points cannot be shuffled: "
                "set `shuffle: false`, or use `kind: random`",
                ("search", "shuffle"),
            )
        random.Random(seed).shuffle(held)
        return _Listed(iter(held))

    def total(self, space: Space) -> int | None:
        """Count the grid; None if it has none or is too large to count."""
        return space.size()


class _Listed(Unlearning):
    """Proposes what an iterator gives."""

    def __init__(self, points: Iterator[dict[str, Value]]) -> None:
        self._points = points

    def ask(self) -> dict[str, Value]:
        for point in self._points:
            return point
        raise Exhausted("every point of the grid has been proposed")
