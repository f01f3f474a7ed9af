"""A space as the library ConfigSpace spells it, conditions included, for BOHB.

M. Lindauer et al., "BOAH: A Tool Suite for Multi-Fidelity Bayesian Optimization & Analysis of
Hyperparameters", arXiv:1908.06756 (2019). Constraints are not translated: whoever proposes
checks them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from raytuner.component import require
from raytuner.objective import Value
from raytuner.search.axes import Axis, layout, positions
from raytuner.space import Space
from raytuner.spaces.intervals import Interval, exact
from raytuner.spaces.options import Subset
from raytuner.spaces.plan import Condition


def configuration_space(space: Space) -> Any:
    """Make a `ConfigSpace.ConfigurationSpace` with one hyperparameter an axis, named as it is.

    A share is a real number in [0, 1], ordered levels are whole numbers from 0, others are the
    categories 0, 1, ... A hyperparameter is active exactly where its parameter is. Constants,
    and what can never be active, are not in it.

    Raises:
        MissingExtraError: if ConfigSpace is not installed.
    """
    return _Translation(space).result


class _Translation:
    """Adds parameter by parameter, parents first."""

    def __init__(self, space: Space) -> None:
        self._library = require("ConfigSpace", extra="bohb")
        self._space = space
        self._plan = layout(space)
        self._axes = {name: scale.axes for name, scale in self._plan.scales.items()}
        self._added: dict[str, Any] = {}
        self.result = self._library.ConfigurationSpace()
        for name in space.order:
            for axis in self._axes[name]:
                self._add(axis)

    def _add(self, axis: Axis) -> None:
        child = self._hyperparameter(axis)
        condition = self._active(axis.parameter, child)
        if condition is not False:
            self.result.add(child)
            self._added[axis.label] = child
        if not isinstance(condition, bool):
            self.result.add(condition)

    def _hyperparameter(self, axis: Axis) -> Any:
        if axis.levels is None:
            return self._library.UniformFloatHyperparameter(axis.label, 0.0, 1.0)
        if axis.ordered:
            return self._library.UniformIntegerHyperparameter(axis.label, 0, axis.levels - 1)
        return self._library.CategoricalHyperparameter(axis.label, list(range(axis.levels)))

    def _active(self, name: str, child: Any) -> Any:
        """Give the condition under which a parameter is active; True for always, False for never.

        ConfigSpace itself sees to it that the parents are active.
        """
        return self._every(self._holds(one, child) for one in self._space.conditions[name])

    def _holds(self, condition: Condition, child: Any) -> Any:
        parent, wanted = condition
        domain = self._space.domains[parent]
        if not self._axes[parent]:  # a constant: its own conditions stand for it
            only = next(domain.values())
            fulfilled = any(domain.fulfils(only, value) for value in wanted)
            return self._active(parent, child) if fulfilled else False
        if any(axis.label not in self._added for axis in self._axes[parent]):
            return False
        if isinstance(domain, Subset):
            return self._some(self._chosen(parent, value, child) for value in wanted)
        if isinstance(domain, Interval) and self._axes[parent][0].levels is None:
            return self._some(self._within(parent, domain, value, child) for value in wanted)
        levels = {int(positions(self._plan, {parent: value})[parent]) for value in wanted}
        return self._library.InCondition(child, self._added[parent], sorted(levels))

    def _chosen(self, parent: str, wanted: Value, child: Any) -> Any:
        """Say that a subset has a member, or is exactly the wanted one."""
        whole = isinstance(wanted, tuple)
        at = positions(self._plan, {parent: wanted if whole else (wanted,)})
        equals = self._library.EqualsCondition
        return self._every(
            equals(child, self._added[label], int(level))
            for label, level in at.items()
            if whole or level
        )

    def _within(self, parent: str, domain: Interval, wanted: Value, child: Any) -> Any:
        """Say that a share is the one of a value or, with steps, within its part."""
        share = float(positions(self._plan, {parent: wanted})[parent])
        if domain.stride is None:
            return self._library.EqualsCondition(child, self._added[parent], share)
        value = exact(wanted if isinstance(wanted, int | float) else math.nan)
        low = float(exact(domain.low))
        width = math.log(float(exact(domain.low) + int(domain.size) * domain.stride) / low)
        left = math.log(float(value) / low) / width
        right = math.log(float(value + domain.stride) / low) / width
        ends = []
        if value > domain.low:
            ends.append(self._library.GreaterThanCondition(child, self._added[parent], left))
        if value + domain.stride <= domain.high:
            ends.append(self._library.LessThanCondition(child, self._added[parent], right))
        return self._every(ends)

    def _every(self, parts: Iterable[Any]) -> Any:
        found = list(parts)
        if any(part is False for part in found):
            return False
        real = [part for part in found if part is not True]
        if len(real) < 2:
            return real[0] if real else True
        return self._library.AndConjunction(*real)

    def _some(self, parts: Iterable[Any]) -> Any:
        found = [part for part in parts if part is not False]
        if not found or any(part is True for part in found):
            return bool(found)
        return found[0] if len(found) == 1 else self._library.OrConjunction(*found)
