"""Points that a study names itself: completed by the configuration as it stands, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, field_validator

from raytuner.component import ConfigError
from raytuner.objective import Params, Value
from raytuner.space import Space
from raytuner.spaces.domains import shorten


class Beginning(BaseModel):
    """The fields of a study that say what it begins with."""

    points: tuple[dict[str, Any], ...] = Field(
        default=(),
        description="configurations to try first; what they leave out stays as it stands",
    )
    warm_start: tuple[str, ...] = Field(
        default=(),
        description="run folders of earlier studies: scores that compare are taken over, and "
        "their best configurations are tried first",
    )

    @field_validator("points", "warm_start", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"give a list, in [ ] or with a dash a line, got {value!r:.80}")
        return value

    @property
    def beginning(self) -> list[Any]:
        """What of it decides which trials are the study's own."""
        return [list(self.points), list(self.warm_start)] if self.points or self.warm_start else []


def read_points(
    given: Sequence[Mapping[str, Any]], space: Space, standing: Params | None
) -> list[dict[str, Value]]:
    """Make points of what a study names.

    Args:
        given: values by parameter name.
        space: they have to be in it.
        standing: gives the values that are not named, or nothing does.

    Raises:
        ConfigError: naming the point, the parameter, its value and what would be right.
    """
    return [_point(values, space, standing or {}, number) for number, values in enumerate(given)]


def _point(
    given: Mapping[str, Any], space: Space, standing: Params, number: int
) -> dict[str, Value]:
    try:
        point = completed(given, space, standing)
    except ConfigError as error:
        reason = error.message.removeprefix("space: ")
        raise ConfigError(
            f"points[{number}]: {reason}", ("points", number, *error.field[1:])
        ) from None
    if (broken := space.violated(point)) is not None:
        raise ConfigError(
            f"points[{number}]: {_spelled(point)} breaks the constraint {broken!r}",
            ("points", number),
        )
    return point


def completed(given: Mapping[str, Any], space: Space, standing: Params) -> dict[str, Value]:
    """Give the point of some values; what they leave out has the value that stands.

    Raises:
        ConfigError: an unknown name, a value that the space does not have, or an active parameter
            that has no value either way.
    """
    usable = {
        name: value
        for name, value in standing.items()
        if name in space.domains and space.domains[name].contains(value)
    }
    point = space.active({**usable, **given})
    for name, value in given.items():
        if name in point and not space.domains[name].contains(value):
            raise ConfigError(
                f"space: {name}: {shorten(value)} is no value of {space.domains[name].describe()}",
                ("space", name),
            )
    return point


def _spelled(point: Params) -> str:
    return ", ".join(f"{name}: {shorten(value)}" for name, value in point.items())
