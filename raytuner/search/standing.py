"""The configuration as it stands, as a search needs it: a value for every parameter of a space.

Searches that start from what the user has (greedy, neighbours) take from here their first point,
the levels that they try of one parameter, and points in which one value is another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from raytuner.component import ConfigError
from raytuner.objective import Objective, Params, Value
from raytuner.search.axes import Layout, layout, positions, values
from raytuner.space import Space
from raytuner.spaces.domains import identical
from raytuner.spaces.intervals import Interval
from raytuner.spaces.options import Subset

_SUBSETS = 8
"""Up to how many subsets are all tried; of more, those that have one member more or less."""


class Standing:
    """The neighbourhood of the configuration as it stands.

    Args:
        space: what may be chosen.
        objective: knows what stands; without one the middle of every domain does.
        levels: how many values of a numeric range are tried at a time.

    Attributes:
        values: by parameter, also those that are not active in `point`.
        point: the point they stand for, or one near it that satisfies the constraints.
    """

    def __init__(self, space: Space, objective: Objective | None, levels: int) -> None:
        self.space = space
        self.plan: Layout = layout(space)
        self._levels = levels
        known = objective.defaults(space.names) if objective is not None else None
        self.values = {name: self._start(name, known or {}) for name in space.names}
        point = self._fitted(space.active(self.values), ())
        self.point = point if point is not None else space.sample(random.Random(0))

    def levels(self, name: str, at: Params, narrow: int = 0) -> list[Value]:
        """List the values to try of a parameter, low ones first.

        Args:
            name: the parameter.
            at: the point that is tried around.
            narrow: how many times the part of a numeric range around the value there has been
                cut to the distance of two levels.
        """
        domain = self.space.domains[name]
        if isinstance(domain, Subset) and domain.size > _SUBSETS:
            return list(_toggled(domain, at.get(name, self.values[name])))
        if not isinstance(domain, Interval) or domain.size <= self._levels:
            return list(domain.values())
        if domain.points is not None and not narrow:
            return list(domain.grid())
        axis = self.plan.scales[name].axes[0]
        width = (self._levels - 1.0) ** -narrow
        middle = 0.5
        if narrow:
            here = positions(self.plan, {name: at.get(name, self.values[name])})
            middle = axis.share(here[name])
        low = min(max(middle - width / 2, 0.0), 1.0 - width)
        shares = [low + width * n / (self._levels - 1) for n in range(self._levels)]
        return list(dict.fromkeys(self._at(name, axis.at(share)) for share in shares))

    def with_value(self, at: Params, name: str, value: Value) -> dict[str, Value] | None:
        """Give a point with one value changed; what becomes active has the value that stands.

        If that breaks a constraint, one other value moves as little as helps.

        Returns:
            The point; None if no other single value helps.
        """
        return self._fitted(self.space.active({**self.values, **at, name: value}), (name,))

    def _fitted(self, point: dict[str, Value], fixed: Sequence[str]) -> dict[str, Value] | None:
        if self.space.violated(point) is None:
            return point
        for other in point:
            if other in fixed:
                continue
            for value in self._near(other, point):
                moved = self.space.active({**self.values, **point, other: value})
                kept = all(identical(moved.get(name), point[name]) for name in fixed)
                if kept and self.space.violated(moved) is None:
                    return moved
        return None

    def _near(self, name: str, point: Params) -> list[Value]:
        """List the levels of a parameter, those next to the present value first."""
        tried = [value for n in (2, 1, 0) for value in self.levels(name, point, n)]
        if not isinstance(self.space.domains[name], Interval):
            return tried
        return sorted(tried, key=lambda value: abs(_number(value) - _number(point[name])))

    def _start(self, name: str, known: Mapping[str, Any]) -> Value:
        """Give the value that stands, or the nearest to it that may be chosen."""
        domain = self.space.domains[name]
        if name in known:
            try:
                return domain.clean(known[name])
            except ConfigError:
                pass  # it stands outside of what is searched
        scale = self.plan.scales[name]
        if not scale.axes or not scale.axes[0].ordered:
            return next(domain.values())
        value = known.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return self._at(name, scale.axes[0].at(0.5))
        if isinstance(domain, Interval):
            return domain.clean(min(max(value, domain.low), domain.high))
        numbers = list(domain.values())
        return min(numbers, key=lambda number: abs(_number(number) - value))

    def _at(self, name: str, position: float) -> Value:
        found: Value = values(self.plan, {name: position})[name]
        if isinstance(found, float):  # as people write it
            return self.space.domains[name].clean(float(f"{found:.12g}"))
        return found


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _toggled(domain: Subset, chosen: Value) -> Iterator[Value]:
    members = chosen if isinstance(chosen, tuple) else ()
    yield members
    for option in domain.options:
        rest = tuple(one for one in members if not identical(one, option))
        toggled = rest if len(rest) < len(members) else (*members, option)
        if domain.contains(toggled):
            yield domain.clean(toggled)
