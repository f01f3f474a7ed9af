"""A space laid out as flat axes, which is how libraries of optimisation see it.

An axis is a number from 0 to 1, an index into ordered levels, or an index into categories. Steps,
logarithms and lists of numbers are dealt with here, so that a library needs none of them, and
whatever it proposes is a value of the domain by construction.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from raytuner.objective import Params, Value
from raytuner.schedule import current
from raytuner.space import Space
from raytuner.spaces.domains import Domain, identical
from raytuner.spaces.intervals import Interval, exact
from raytuner.spaces.options import Subset
from raytuner.spaces.texts import Text

Positions = Mapping[str, int | float]
"""Where a point is on each axis, by label: an index below `levels`, or a share from 0 to 1."""


_LISTED = 10_000
"""Up to how many numbers of one parameter are listed once instead of worked out each time."""


class Axis(NamedTuple):
    """One dimension of a space.

    Attributes:
        label: what the axis is called; unique.
        parameter: the parameter it belongs to; a subset has one axis per option, of two levels.
        levels: how many positions there are; None for any share from 0 to 1.
        ordered: whether neighbouring positions are alike.
    """

    label: str
    parameter: str
    levels: int | None
    ordered: bool

    def at(self, share: float) -> int | float:
        """Give the position at a share of the axis, from 0 to 1."""
        share = min(max(float(share), 0.0), 1.0)
        return share if self.levels is None else min(int(share * self.levels), self.levels - 1)

    def share(self, position: float) -> float:
        """Give the share that a position lies at; the middle of its part for a level."""
        return float(position) if self.levels is None else (position + 0.5) / self.levels


class Scale(NamedTuple):
    """A parameter between its values and its axes.

    Attributes:
        domain: the values.
        axes: one per option of a subset, else one; none if there is a single value.
        levels: every value by position, or None if they are shares or too many to list.
        size: how many values there are; `math.inf` if continuous.
    """

    domain: Domain
    axes: tuple[Axis, ...]
    levels: tuple[Value, ...] | None
    size: int | float


@dataclass(frozen=True)
class Layout:
    """The axes of a space, worked out once.

    Attributes:
        space: the space.
        axes: all of them, parameters in declared order.
        scales: by parameter.
    """

    space: Space
    axes: tuple[Axis, ...]
    scales: Mapping[str, Scale]


def layout(space: Space) -> Layout:
    """Lay out a space."""
    scales = {name: _scale(name, domain) for name, domain in space.domains.items()}
    return Layout(space, tuple(axis for one in scales.values() for axis in one.axes), scales)


def positions(plan: Layout, point: Params) -> dict[str, int | float]:
    """Find where an active point is on every axis of its parameters."""
    found: dict[str, int | float] = {}
    for name, value in current(point).items():
        scale = plan.scales[name]
        domain = scale.domain
        if isinstance(domain, Subset):
            chosen = value if isinstance(value, tuple) else ()
            for axis, option in zip(scale.axes, domain.options, strict=False):
                found[axis.label] = int(any(identical(option, one) for one in chosen))
        elif scale.axes and isinstance(domain, Interval):
            found[name] = position_of(scale, domain, value)
        elif scale.axes and scale.levels is not None:
            found[name] = level_of(domain, scale.levels, value)
    return found


def values(plan: Layout, at: Positions) -> dict[str, Any]:
    """Give the value of every parameter whose axes are all there, and of every constant.

    A subset with too few or too many members is repaired by a draw that its members decide.
    """
    found: dict[str, Any] = {}
    for name, scale in plan.scales.items():
        domain = scale.domain
        if not all(axis.label in at for axis in scale.axes):
            continue
        if not scale.axes:
            found[name] = next(domain.values())
        elif isinstance(domain, Subset):
            found[name] = _chosen(domain, [bool(at[axis.label]) for axis in scale.axes])
        elif isinstance(domain, Interval):
            found[name] = value_at(scale, domain, at[name])
        elif scale.levels is not None:
            found[name] = scale.levels[int(at[name])]
    return found


def level_of(domain: Domain, levels: Sequence[Value], value: Value) -> int:
    """Find a value among all there are; of a text that nobody has listed, the nearest one."""
    if isinstance(domain, Text):
        return domain.nearest(value)
    return next(number for number, one in enumerate(levels) if identical(one, value))


def reachable(space: Space, name: str, known: Mapping[str, Any]) -> bool:
    """Tell whether a parameter is active, given values of all its `when` parents that are."""
    return all(
        parent in known
        and any(space.domains[parent].fulfils(known[parent], value) for value in wanted)
        for parent, wanted in space.conditions[name]
    )


def complete(space: Space, known: Mapping[str, Any], rng: random.Random) -> dict[str, Value]:
    """Keep the values of active parameters, draw those that are missing, drop the others.

    Constraints are not looked at.
    """
    found: dict[str, Any] = {}
    for name in space.order:
        if reachable(space, name, found):
            found[name] = known[name] if name in known else space.domains[name].sample(rng)
    return {name: found[name] for name in space.names if name in found}


def _scale(name: str, domain: Domain) -> Scale:
    size = domain.size
    if size == 1:
        return Scale(domain, (), None, size)
    if isinstance(domain, Subset):
        labels = [f"{name}[{number}]" for number in range(len(domain.options))]
        return Scale(domain, tuple(Axis(x, name, 2, ordered=False) for x in labels), None, size)
    if isinstance(domain, Interval):
        count = None if domain.log or domain.stride is None else int(size)
        levels = tuple(domain.values()) if size <= _LISTED else None
        return Scale(domain, (Axis(name, name, count, ordered=True),), levels, size)
    options: list[Any] = list(domain.values())
    ordered = all(isinstance(o, int | float) and not isinstance(o, bool) for o in options)
    levels = tuple(sorted(options) if ordered else options)
    return Scale(domain, (Axis(name, name, len(levels), ordered),), levels, size)


def _chosen(domain: Subset, picked: Sequence[bool]) -> tuple[Value, ...]:
    most = len(picked) if domain.most is None else domain.most
    flags, order = list(picked), list(range(len(picked)))
    if not domain.least <= sum(flags) <= most:
        random.Random(repr(flags)).shuffle(order)
    for number in order:
        if sum(flags) < domain.least:
            flags[number] = True
        elif sum(flags) > most:
            flags[number] = False
    return tuple(option for option, flag in zip(domain.options, flags, strict=True) if flag)


def value_at(scale: Scale, domain: Interval, position: float) -> Value:
    """Give the number at a position of its axis."""
    low, high = domain.low, domain.high
    if domain.stride is None:
        if domain.log:
            value = math.exp(_between(math.log(low), math.log(high), position))
        else:
            value = _between(low, high, position)
        return domain.clean(min(max(value, low), high))
    index = int(position)
    if domain.log:
        # The weight of a value v is that of [v, v + step), as in `Interval.sample`.
        value = math.exp(_between(math.log(low), math.log(_end(scale, domain)), position))
        index = int((exact(value) - exact(low)) // domain.stride)
    index = min(max(index, 0), int(scale.size) - 1)
    if scale.levels is not None:
        return scale.levels[index]
    number = exact(low) + index * domain.stride
    return domain.clean(number if isinstance(number, int) else float(number))


def position_of(scale: Scale, domain: Interval, value: Any) -> int | float:
    """Find where a number is on its axis."""
    low, high = domain.low, domain.high
    if domain.stride is None:
        if domain.log:
            return _share(math.log(low), math.log(high), math.log(value))
        return _share(low, high, value)
    if isinstance(domain.stride, int) and isinstance(value, int):
        index = int((value - exact(low)) // domain.stride)
    else:
        index = round((value - low) / float(domain.stride))
    if not domain.log:
        return min(max(index, 0), int(scale.size) - 1)
    left = float(exact(low) + index * domain.stride)
    right = float(exact(low) + (index + 1) * domain.stride)
    middle = (math.log(left) + math.log(right)) / 2
    return _share(math.log(low), math.log(_end(scale, domain)), middle)


def _end(scale: Scale, domain: Interval) -> float:
    return float(exact(domain.low) + int(scale.size) * (domain.stride or 0))


def _between(low: float, high: float, share: float) -> float:
    return low * (1.0 - share) + high * share


def _share(low: float, high: float, value: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
