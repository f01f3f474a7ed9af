"""What a genetic algorithm does to points: changes of single values, and mixtures of two points.

Mutation of numbers: H. Muhlenbein and D. Schlierkamp-Voosen, "Predictive Models for the Breeder
Genetic Algorithm", Evolutionary Computation 1 (1993), mostly small steps and now and then a large
one. Uniform crossover: G. Syswerda, ICGA 1989. Whatever comes out is active and of plain values
of its domains; constraints are for the caller to look at.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from raytuner.objective import Params, Value
from raytuner.search.axes import Layout, Scale, complete, level_of, position_of, reachable, value_at
from raytuner.space import Space
from raytuner.spaces.domains import Domain, identical
from raytuner.spaces.intervals import Interval
from raytuner.spaces.options import Subset

_REACH = (-1.5, 0.5)
"""Between which powers of ten of what is asked for steps vary, evenly."""


def mutated(
    plan: Layout, point: Params, rng: random.Random, rate: float | None, step: float
) -> dict[str, Value]:
    """Change some parameters of an active point, at least one; what becomes active is drawn.

    Args:
        plan: of the space.
        point: stays as it is.
        rng: decides.
        rate: chance of each parameter to change; None: so that one does on average.
        step: typical change of a number, as a share of its range (of orders of magnitude).
    """
    names = [name for name in point if plan.scales[name].size > 1]
    if not names:
        return dict(point)
    chance = 1 / len(names) if rate is None else rate
    chosen = [name for name in names if rng.random() < chance] or [rng.choice(names)]
    changed = {name: other_value(plan.scales[name], point[name], rng, step) for name in chosen}
    return complete(plan.space, {**point, **changed}, rng)


def other_value(scale: Scale, value: Value, rng: random.Random, step: float) -> Value:
    """Give another value of a domain, which has at least two.

    A number moves by `step` of its range, more or less, at least to the next one; so does a
    number of a list. Any other choice gives way to another. A subset gains a member, loses one,
    or exchanges one.
    """
    domain = scale.domain
    if isinstance(domain, Subset) and isinstance(value, tuple):
        return _other_subset(domain, value, rng)
    if isinstance(domain, Interval) and isinstance(value, int | float):
        return _other_number(scale, domain, value, rng, step)
    levels = scale.levels or ()
    here = level_of(domain, levels, value)
    if scale.axes[0].ordered:
        return levels[_other_level(here, len(levels), rng, step)]
    return levels[(here + rng.randrange(1, len(levels))) % len(levels)]


def crossed(space: Space, first: Params, second: Params, rng: random.Random) -> dict[str, Value]:
    """Mix two active points, each parameter from either with equal chance.

    What a `when` has made active comes from the point that its condition was taken from, where
    the two differ in that: the size of a chunker belongs to it. Subsets are mixed by member.
    """
    parents, found, taken = (first, second), dict[str, Value](), dict[str, int]()
    for name in space.order:
        if not reachable(space, name, found):
            continue
        having = [side for side in (0, 1) if name in parents[side]]
        wanted = {
            taken[parent]
            for parent, _ in space.conditions[name]
            if parent in taken and _differ(parents, parent)
        }.intersection(having)
        if not having:
            found[name] = space.domains[name].sample(rng)
        elif len(wanted) == 1 or len(having) == 1:
            taken[name] = next(iter(wanted or having))
            found[name] = parents[taken[name]][name]
        else:
            taken[name] = rng.randrange(2)
            found[name] = _either(space.domains[name], parents, name, taken[name], rng)
    return {name: found[name] for name in space.names if name in found}


def _differ(parents: tuple[Params, Params], name: str) -> bool:
    first, second = parents
    both = name in first and name in second
    return not both or not identical(first[name], second[name])


def _either(
    domain: Domain, parents: tuple[Params, Params], name: str, side: int, rng: random.Random
) -> Value:
    one, other = parents[side][name], parents[1 - side][name]
    if isinstance(domain, Subset) and isinstance(one, tuple) and isinstance(other, tuple):
        return _mixed(domain, one, other, rng)
    return one


def _other_number(
    scale: Scale, domain: Interval, value: float, rng: random.Random, step: float
) -> Value:
    axis, here = scale.axes[0], position_of(scale, domain, value)
    if axis.levels is not None:
        return value_at(scale, domain, _other_level(int(here), axis.levels, rng, step))
    move = _size(rng, step)
    for side in rng.sample((-1, 1), 2):
        moved = value_at(scale, domain, min(max(here + side * move, 0.0), 1.0))
        if moved == value and domain.stride is not None:  # to the next one at least
            top = domain.low + (int(scale.size) - 1) * float(domain.stride)
            moved = domain.clean(min(max(value + side * float(domain.stride), domain.low), top))
        if moved != value:
            return moved
    return domain.sample(rng)  # a step below what floats can tell apart


def _other_level(here: int, levels: int, rng: random.Random, step: float) -> int:
    move = max(1, round(_size(rng, step) * levels))
    for side in rng.sample((-1, 1), 2):
        moved = min(max(here + side * move, 0), levels - 1)
        if moved != here:
            break
    return moved


def _size(rng: random.Random, step: float) -> float:
    return abs(rng.gauss(0, step * 10 ** rng.uniform(*_REACH)))


def _other_subset(domain: Subset, value: tuple[Value, ...], rng: random.Random) -> Value:
    inside = [o for o in domain.options if any(identical(o, one) for one in value)]
    outside = [o for o in domain.options if not any(identical(o, one) for one in value)]
    most = len(domain.options) if domain.most is None else domain.most
    ways = []
    if outside and len(inside) < most:
        ways.append("add")
    if len(inside) > domain.least:
        ways.append("drop")
    if inside and outside:
        ways.append("swap")
    way = rng.choice(ways)
    dropped = rng.choice(inside) if way != "add" else None
    kept = [one for one in inside if way == "add" or not identical(one, dropped)]
    return domain.clean([*kept, *([] if way == "drop" else [rng.choice(outside)])])


def _mixed(
    domain: Subset, one: Sequence[Value], other: Sequence[Value], rng: random.Random
) -> Value:
    """Keep common members and some of the others, as many as a subset may have."""
    both, some = list[Value](), list[Value]()
    for option in domain.options:
        count = sum(any(identical(option, member) for member in side) for side in (one, other))
        (both if count == 2 else some if count else []).append(option)
    most = len(domain.options) if domain.most is None else domain.most
    rng.shuffle(some)
    wanted = sum(rng.random() < 0.5 for _ in some)
    size = min(max(len(both) + wanted, domain.least), most)
    return domain.clean([*both, *some[: size - len(both)]])
