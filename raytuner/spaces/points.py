"""Walks through, counts and draws the points of a space, and tells whether there are any.

Independent groups of parameters are counted and drawn on their own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from raytuner.component import ConfigError, RaytunerError
from raytuner.objective import Value
from raytuner.spaces.constraints import Constraint
from raytuner.spaces.plan import Plan, Point

Values = Callable[[str], Iterable[Value]]
"""Gives the values to take of a parameter: its grid, or all there are."""

DRAWS = 10_000
"""How many random points of a group are tried against its constraints."""
VISITS = 1_000_000
"""How many partial points counting or proving may look at; a few seconds."""


class TooManyError(RaytunerError):
    """A walk was given up because it looked at as many points as it may."""


def walk(
    plan: Plan, names: Sequence[str], values: Values, *, visits: int | None = None
) -> Iterator[Point]:
    """Give every distinct point of some parameters that satisfies their constraints.

    The last name varies fastest. A constraint cuts as soon as all its parameters are set.

    Args:
        plan: resolves conditions and constraints.
        names: in the plan's order, with everything that their conditions name.
        values: gives the values to take of a parameter.
        visits: how many partial points may be looked at.

    Raises:
        TooManyError: after that many.
    """
    if not names:
        yield {}
        return
    point: Point = {}

    def choices(name: str) -> Iterator[tuple[Value, ...]]:
        return ((value,) for value in values(name)) if plan.active(name, point) else iter([()])

    checks, stack = _checks(plan, names), [choices(names[0])]
    while stack:
        depth = len(stack) - 1
        point.pop(names[depth], None)
        choice = next(stack[-1], None)
        if choice is None:
            stack.pop()
            continue
        if visits is not None and (visits := visits - 1) < 0:
            raise TooManyError("too many points to look at")
        point.update((names[depth], value) for value in choice)
        if all(one.holds(point) for one in checks[depth]):
            if depth + 1 == len(names):
                yield plan.declared(point)
            else:
                stack.append(choices(names[depth + 1]))


def _checks(plan: Plan, names: Sequence[str]) -> list[list[Constraint]]:
    """Assign every constraint to the last of its parameters."""
    position = {name: number for number, name in enumerate(names)}
    checks: list[list[Constraint]] = [[] for _ in names]
    for one in plan.within(names):
        checks[max(position[name] for name in one.names)].append(one)
    return checks


def count(plan: Plan, values: Values, sizes: Mapping[str, int]) -> int | None:
    """Count distinct points without walking through independent parameters.

    Returns:
        The number, or None if more than `VISITS` partial points would have to be looked at.
    """
    total = 1
    for group in plan.groups:
        core = plan.core(group)
        leaves = [name for name in group if name not in core]
        try:
            total *= sum(
                math.prod(sizes[name] for name in leaves if plan.active(name, point))
                for point in walk(plan, core, values, visits=VISITS)
            )
        except TooManyError:
            return None
    return total


def draw(plan: Plan, group: Sequence[str], rng: random.Random) -> Point | None:
    """Draw a point of one group that satisfies its constraints; None if none is found."""
    checks = plan.within(group)
    for _ in range(DRAWS if checks else 1):
        point: Point = {}
        for name in group:
            if plan.active(name, point):
                point[name] = plan.domains[name].sample(rng)
        if all(one.holds(point) for one in checks):
            return point
    return None


def exists(plan: Plan, group: Sequence[str], values: Values) -> bool | None:
    """Tell whether a group has a point; None if that takes too long to find out."""
    try:
        return next(walk(plan, plan.core(group), values, visits=VISITS), None) is not None
    except TooManyError:
        return None


def impossible(plan: Plan, group: Sequence[str]) -> ConfigError:
    """Make the error for a group without a point."""
    texts = " and ".join(repr(one.text) for one in plan.within(group))
    names = ", ".join(dict.fromkeys(name for one in plan.within(group) for name in one.names))
    return ConfigError(
        f"space: no point satisfies {texts}: widen {names} or drop a constraint "
        "(parameters in an equation need a `step`)",
        ("constraints",),
    )


def refuse_dead(plan: Plan, group: Sequence[str]) -> None:
    """Refuse a group with a parameter that is never active, where that can be listed.

    Raises:
        ConfigError: naming the parameter.
    """
    core = plan.core(group)
    dead = dict.fromkeys(name for name in group if plan.conditions[name])
    if not dead or any(math.isinf(plan.domains[name].size) for name in core):
        return
    try:
        for point in walk(plan, core, plan.values, visits=VISITS):
            for name in [name for name in dead if plan.active(name, point)]:
                del dead[name]
            if not dead:
                return
    except TooManyError:
        return
    if dead:
        name = next(iter(dead))
        raise ConfigError(
            f"space: {name}: its `when` ({', '.join(plan.domains[name].when)}) is never fulfilled "
            "together with the other conditions and constraints: correct it or drop the parameter",
            ("space", name, "when"),
        )
