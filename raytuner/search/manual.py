"""The points of a list, in its order: what a careful person wants tried, and nothing else.

Where a search is to go on after such a list, `points:` of the study is what is wanted: every
search takes it. People evaluate the proposals of any search with `objective: {kind: manual}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, field_validator

from raytuner.component import ConfigError
from raytuner.given import read_points
from raytuner.objective import Objective, Value
from raytuner.search.port import Exhausted, Proposer, Search, Unlearning
from raytuner.space import Space


class Manual(Search, kind="manual"):
    """Try the points that are given, in their order."""

    points: tuple[dict[str, Any], ...] = Field(
        description="Configurations to try; what they leave out stays as it stands.",
    )

    @field_validator("points", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or not value:
            raise ConfigError(f"give a list of configurations, got {value!r:.80}")
        return value

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; nothing is random.

        Raises:
            ConfigError: a point is not in the space, or lacks a value.
        """
        del seed
        return self._listing(space, None)

    def begin(self, space: Space, seed: int, objective: Objective) -> Proposer:
        """Begin; what points leave out stays as it stands."""
        del seed
        return self._listing(space, objective)

    def total(self, space: Space) -> int:
        """Count the points."""
        del space
        return len(self.points)

    def _listing(self, space: Space, objective: Objective | None) -> Proposer:
        standing = objective.defaults(space.names) if objective is not None else None
        try:
            return _Listed(iter(read_points(self.points, space, standing)))
        except ConfigError as error:
            message = error.message.removeprefix("space: ")
            raise ConfigError(f"search.{message}", ("search", *error.field)) from None


class _Listed(Unlearning):
    def __init__(self, points: Iterator[dict[str, Value]]) -> None:
        self._points = points

    def ask(self) -> dict[str, Value]:
        for point in self._points:
            return point
        raise Exhausted("every point of the list has been proposed")
