"""Population-based searches: changed copies of the best take the places of the worst.

M. Jaderberg et al., "Population Based Training of Neural Networks", arXiv:1711.09846 (2017);
J. Parker-Holder et al., "Provably Efficient Online Hyperparameter Optimization with
Population-Based Bandits", NeurIPS 2020. They are made for objectives that go on from a
checkpoint of the trial they copy. An objective without checkpoints starts each copy from its
first unit; then these searches are truncation selection, a plain evolution strategy.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from raytuner.component import digest
from raytuner.lineage import Lineage
from raytuner.objective import Objective, Params, Value
from raytuner.schedule import changes, current, forked
from raytuner.search.axes import Layout, complete, layout, level_of
from raytuner.search.herd import Herd
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.search.port import Proposer
from raytuner.space import Space
from raytuner.spaces.domains import Domain, identical
from raytuner.spaces.intervals import Interval
from raytuner.spaces.options import Subset

Ranked = Sequence[tuple[Params, float]]
"""Points that can be compared, with their scores, best first."""
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

    def begin(self, space: Space, seed: int, objective: Objective) -> Proposer:
        """Begin; copies go on from checkpoints where the objective has any."""
        if not objective.forks:
            return self.start(space, seed)
        return self.led(_School(self, space), space, seed)

    @abstractmethod
    def explore(
        self, herd: Herd, ranked: Ranked, parent: Params, rng: random.Random
    ) -> dict[str, Value]:
        """Change a copy of `parent`, one of `ranked`; constraints are not looked at."""


class PopulationBased(Breeder, kind="pbt"):
    """Copy one of the best and change every parameter a little, or draw it again."""

    factor: float = Field(
        default=1.2, gt=1, description="What a number is multiplied or divided by in a copy."
    )

    def explore(
        self, herd: Herd, ranked: Ranked, parent: Params, rng: random.Random
    ) -> dict[str, Value]:
        """Change every parameter by chance."""
        del ranked
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

    def explore(
        self, herd: Herd, ranked: Ranked, parent: Params, rng: random.Random
    ) -> dict[str, Value]:
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
        mean, deviation = herd.surrogate(ranked).predict(fitting)
        return fitting[int(np.argmax(mean + self.optimism * deviation))]


class _Nursery:
    """Proposes random points until there is a population, then changed copies of the best."""

    def __init__(self, search: Breeder, space: Space) -> None:
        self._search = search
        self._space = space
        self._herd = Herd(layout(space), search.population)
        self._descent: Lineage | None = None

    def learn(self, params: Params, outcome: Outcome) -> None:
        self._herd.learn(params, outcome)

    def lineage(self, point: Params) -> Lineage | None:
        del point
        return self._descent

    def suggest(self, seed: int) -> Mapping[str, Any] | None:
        rng = random.Random(seed)
        ranked = self._herd.ranked()
        if len(self._herd) < self._search.population or not ranked:
            return self._stranger(rng)
        return self._copy(ranked, rng, at=0)

    def _copy(self, ranked: Ranked, rng: random.Random, at: int) -> Mapping[str, Any]:
        """Copy one of the best as it was after `at` steps, and change it."""
        count = max(1, round(self._search.quantile * min(len(ranked), self._search.population)))
        parent = ranked[rng.randrange(count)][0]
        for _ in range(_TRIES):
            changed = self._search.explore(self._herd, ranked, current(parent), rng)
            copy = forked(parent, changed, at)
            if copy not in self._herd and not self._space.violated(changed):
                note = f"goes on from step {at}" if at else ""
                self._descent = Lineage("exploit", (parent,), note=note)
                return copy
        return self._stranger(rng)

    def _stranger(self, rng: random.Random) -> Mapping[str, Any]:
        self._descent = Lineage("random")
        return self._space.sample(rng)


class _School(_Nursery):
    """The same for what is trained: a copy goes on from its parent's checkpoint.

    A trial that is stopped after some steps leaves a place, which a copy of one that was among
    the best after as many steps takes. While a population is under way nobody else comes in.
    """

    def __init__(self, search: Breeder, space: Space) -> None:
        super().__init__(search, space)
        self._places: dict[int, int] = {}
        self._under_way: set[str] = set()
        self._ended: set[str] = set()

    def proposed(self, point: Params) -> None:
        """Take in that a point is tried: it has taken its place."""
        self._under_way.add(digest(point))
        if steps := changes(point):
            self._places[steps[-1]] = self._places.get(steps[-1], 0) - 1

    def learn(self, params: Params, outcome: Outcome) -> None:
        super().learn(params, outcome)
        name = digest(params)
        if not outcome.ended or name in self._ended:
            return
        self._ended.add(name)
        self._under_way.discard(name)
        if outcome.score is not None and outcome.units is not None:
            self._places[outcome.units] = self._places.get(outcome.units, 0) + 1

    def suggest(self, seed: int) -> Mapping[str, Any] | None:
        rng = random.Random(seed)
        free = min((at for at, count in self._places.items() if count > 0), default=None)
        if free is not None and (ranked := self._herd.at(free)):
            return self._copy(ranked, rng, free)
        if len(self._under_way) >= self._search.population:
            return None
        return self._stranger(rng)


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
    at = level_of(domain, options, value)
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
