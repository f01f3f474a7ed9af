"""Population-based searches: changed copies of the best take the places of the worst.

M. Jaderberg et al., "Population Based Training of Neural Networks", arXiv:1711.09846 (2017);
J. Parker-Holder et al., "Provably Efficient Online Hyperparameter Optimization with
Population-Based Bandits", NeurIPS 2020. They are made for objectives that go on from a
checkpoint of the trial they copy. An objective without checkpoints starts each copy from its
first unit; then these searches are truncation selection, a plain evolution strategy.
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from raytuner.component import digest
from raytuner.domains import Domain, identical
from raytuner.intervals import Interval
from raytuner.objective import Params, Value
from raytuner.options import Subset
from raytuner.search.axes import Layout, complete, layout
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.search.surrogate import Surrogate, fit
from raytuner.space import Space

_TRIES = 50
"""How many copies may repeat what is known or violate a constraint; then chance draws one."""


class Breeder(Learner):
    """What population-based searches have in common: who is copied."""

    schedulers: ClassVar[frozenset[str]] = frozenset({"pbt"})

    population: int = Field(
        default=8, ge=2, description="How many points are random before the best are copied."
    )
    quantile: float = Field(
        default=0.25,
        gt=0,
        le=0.5,
        description="The best share of a population, one of which is copied each time.",
    )
    resample: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Chance that a parameter of a copy is drawn again instead of changed a little.",
    )

    def guide(self, space: Space, seed: int) -> Guide:
        """Begin with an empty population; everything random comes with each proposal."""
        del seed
        return _Nursery(self, space)

    @abstractmethod
    def explore(self, herd: Herd, parent: Params, rng: random.Random) -> dict[str, Value]:
        """Change a copy of `parent`; constraints are not looked at."""


class PopulationBased(Breeder, kind="pbt"):
    """Copy one of the best and change every parameter a little, or draw it again."""

    factor: float = Field(
        default=1.2, gt=1, description="What a number is multiplied or divided by in a copy."
    )

    def explore(self, herd: Herd, parent: Params, rng: random.Random) -> dict[str, Value]:
        """Change every parameter by chance."""
        space = herd.plan.space
        changed = {
            name: changed_value(space.domains[name], value, rng, self.resample, self.factor)
            for name, value in parent.items()
        }
        return complete(space, changed, rng)


class PopulationBandit(Breeder, kind="pb2"):
    """Copy one of the best, and choose its numbers by a Gaussian process' upper bound.

    Parameters that are no numbers are copied, or drawn again with the chance `resample`.
    """

    optimism: float = Field(
        default=1.0,
        ge=0,
        description="How many standard deviations the bound is above the mean; more explores.",
    )
    candidates: int = Field(
        default=200, ge=2, description="Among how many copies the most promising is sought."
    )

    def explore(self, herd: Herd, parent: Params, rng: random.Random) -> dict[str, Value]:
        """Draw many copies that differ in their numbers, and take the most promising."""
        space = herd.plan.space
        kept = {
            name: value
            for name, value in parent.items()
            if not _numeric(herd.plan, name) and rng.random() >= self.resample
        }
        rest = {
            name: value
            for name, value in complete(space, kept, rng).items()
            if not _numeric(herd.plan, name)
        }
        copies = [complete(space, rest, rng) for _ in range(self.candidates)]
        fitting = [one for one in copies if not space.violated(one)] or copies[:1]
        mean, deviation = herd.surrogate().predict(fitting)
        return fitting[int(np.argmax(mean + self.optimism * deviation))]


class Herd:
    """Every point that is known, with its score at each number of units it was reported at."""

    def __init__(self, plan: Layout, population: int) -> None:
        self.plan = plan
        self._population = population
        self._known: dict[str, tuple[Params, dict[float, float]]] = {}
        self._surrogate: Surrogate | None = None

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, point: Params) -> bool:
        return digest(point) in self._known

    def learn(self, params: Params, outcome: Outcome) -> None:
        """Take in a report; a point that has failed is nobody to copy."""
        _, scores = self._known.setdefault(digest(params), (params, {}))
        before = dict(scores)
        if outcome.score is None:
            scores.clear()
        else:
            scores[math.inf if outcome.units is None else outcome.units] = outcome.score
        if scores != before:
            self._surrogate = None

    def ranked(self) -> list[tuple[Params, float]]:
        """Rank the points that have reached the highest common number of units, best first.

        That is the highest number that half a population has reached; if there is none, the
        one that most have.
        """
        reached: dict[float, int] = {}
        for _, scores in self._known.values():
            for units in scores:
                reached[units] = reached.get(units, 0) + 1
        if not reached:
            return []
        common = [units for units, count in reached.items() if 2 * count >= self._population]
        level = max(common, default=max(reached, key=lambda units: (reached[units], units)))
        there = [(p, scores[level]) for p, scores in self._known.values() if level in scores]
        return sorted(there, key=lambda known: (-known[1], digest(known[0])))

    def surrogate(self) -> Surrogate:
        """Model the scores of the points that `ranked` lists, which must be some."""
        if self._surrogate is None:
            points, scores = zip(*self.ranked(), strict=True)
            self._surrogate = fit(self.plan, points, scores)
        return self._surrogate


class _Nursery:
    """Proposes random points until there is a population, then changed copies of the best."""

    def __init__(self, search: Breeder, space: Space) -> None:
        self._search = search
        self._space = space
        self._herd = Herd(layout(space), search.population)

    def learn(self, params: Params, outcome: Outcome) -> None:
        self._herd.learn(params, outcome)

    def suggest(self, seed: int) -> Mapping[str, Any]:
        rng = random.Random(seed)
        ranked = self._herd.ranked()
        if len(self._herd) < self._search.population or not ranked:
            return self._space.sample(rng)
        count = max(1, round(self._search.quantile * min(len(ranked), self._search.population)))
        parent = ranked[rng.randrange(count)][0]
        for _ in range(_TRIES):
            copy = self._search.explore(self._herd, parent, rng)
            if copy not in self._herd and not self._space.violated(copy):
                return copy
        return self._space.sample(rng)


def changed_value(
    domain: Domain, value: Value, rng: random.Random, resample: float, factor: float
) -> Value:
    """Draw a value again with the chance `resample`, else change it a little.

    A number is multiplied or divided by `factor`, at least by a step; a choice gives way to one
    next to it, or stays if there is none on that side; a subset gains or loses a member.
    """
    if rng.random() < resample:
        return domain.sample(rng)
    up = rng.random() < 0.5
    if isinstance(domain, Interval) and isinstance(value, int | float):
        return _scaled(domain, value, factor if up else 1 / factor)
    if isinstance(domain, Subset) and isinstance(value, tuple):
        member = rng.choice(domain.options)
        if any(identical(member, other) for other in value):
            toggled = tuple(other for other in value if not identical(member, other))
        else:
            toggled = (*value, member)
        return domain.clean(toggled) if domain.contains(toggled) else value
    options = list(domain.values())
    at = next(number for number, option in enumerate(options) if identical(option, value))
    return options[min(max(at + (1 if up else -1), 0), len(options) - 1)]


def _scaled(domain: Interval, value: float, factor: float) -> Value:
    def at(number: float) -> Value:
        return domain.clean(min(max(number, domain.low), domain.high))

    scaled = at(value * factor)
    if scaled == value and domain.stride is not None:
        step = float(domain.stride)
        return at(value + (step if factor > 1 else -step))
    return scaled


def _numeric(plan: Layout, name: str) -> bool:
    return any(axis.ordered for axis in plan.scales[name].axes)
