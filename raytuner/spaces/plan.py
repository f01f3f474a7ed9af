"""A space resolved: what each `when` and constraint refers to, and in which order to decide.

Parameters that depend on each other, through a `when` or a constraint, form a group; groups are
independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from raytuner.component import ConfigError, nearest
from raytuner.objective import Value
from raytuner.spaces.constraints import Constraint, constraint
from raytuner.spaces.domains import Domain, shorten

Point = dict[str, Value]
"""Values of the active parameters, in declared order."""
Condition = tuple[str, tuple[Value, ...]]
"""A parameter and the values of it that are asked for."""


@dataclass(frozen=True)
class Plan:
    """A space, checked and ready to walk through.

    Attributes:
        domains: by parameter, as declared.
        conditions: by parameter, all of which must be fulfilled.
        constraints: all of which must hold.
        order: the parameters as declared, but each after those its conditions name.
        groups: the order, cut into independent parts.
    """

    domains: Mapping[str, Domain]
    conditions: Mapping[str, tuple[Condition, ...]]
    constraints: tuple[Constraint, ...]
    order: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]

    def active(self, name: str, point: Mapping[str, Value]) -> bool:
        """Tell whether a parameter is active, given the values of those before it."""
        return all(
            parent in point
            and any(self.domains[parent].fulfils(point[parent], value) for value in wanted)
            for parent, wanted in self.conditions[name]
        )

    def values(self, name: str) -> Iterator[Value]:
        """Give every value of a finite parameter."""
        return self.domains[name].values()

    def within(self, names: Iterable[str]) -> tuple[Constraint, ...]:
        """List the constraints that mention only these parameters."""
        inside = set(names)
        return tuple(c for c in self.constraints if inside.issuperset(c.names))

    def declared(self, point: Mapping[str, Value]) -> Point:
        """Put a point into declared order."""
        return {name: point[name] for name in self.domains if name in point}

    def core(self, group: Sequence[str]) -> tuple[str, ...]:
        """List the parameters of a group that others of it depend on."""
        parents = {parent for conditions in self.conditions.values() for parent, _ in conditions}
        tied = {name for one in self.constraints for name in one.names}
        return tuple(name for name in group if name in parents | tied)


def compile_plan(domains: Mapping[str, Domain], constraints: Sequence[str]) -> Plan:
    """Resolve names in `when` and constraints.

    Raises:
        ConfigError: for an unknown name, a value outside of its domain, a circle, or a
            constraint that cannot be read.
    """
    conditions = {name: _conditions(name, domains) for name in domains}
    order = _order(conditions)
    parsed = []
    for number, text in enumerate(constraints):
        try:
            parsed.append(constraint(text, domains))
        except ConfigError as error:
            raise ConfigError(str(error), ("constraints", number)) from None
    ties = [(name, *(parent for parent, _ in found)) for name, found in conditions.items()]
    ties += [one.names for one in parsed]
    return Plan(domains, conditions, tuple(parsed), order, _groups(order, ties))


def _conditions(name: str, domains: Mapping[str, Domain]) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for parent, wanted in domains[name].when.items():
        where = f"{name}: `when` {parent}"
        if parent not in domains:
            raise ConfigError(
                f"{where}: no parameter is called {parent!r}; the space has "
                f"{', '.join(domains)}.{nearest(parent, domains)}",
                ("space", name, "when"),
            )
        cleaned: list[Value] = []
        for value in wanted:
            try:
                cleaned.append(domains[parent].condition(value))
            except ConfigError:
                raise ConfigError(
                    f"{where}: {shorten(value)} is no value of {parent}, which is "
                    f"{domains[parent].describe()}",
                    ("space", name, "when"),
                ) from None
        found.append((parent, tuple(cleaned)))
    return tuple(found)


def _order(conditions: Mapping[str, Sequence[Condition]]) -> tuple[str, ...]:
    order: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise ConfigError(
                f"{name}: `when` goes in a circle, {circle}: remove one of these conditions",
                ("space", name, "when"),
            )
        if name not in order:
            for parent, _ in conditions[name]:
                visit(parent, (*path, name))
            order[name] = None

    for name in conditions:
        visit(name, ())
    return tuple(order)


def _groups(order: Sequence[str], ties: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    group = {name: name for name in order}
    for first, *others in ties:
        for other in others:
            old, new = group[other], group[first]
            group = {name: new if label == old else label for name, label in group.items()}
    labels = dict.fromkeys(group[name] for name in order)
    return tuple(tuple(name for name in order if group[name] == label) for label in labels)
