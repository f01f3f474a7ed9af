"""A genetic algorithm over mixed and conditional spaces, one child at a time.

Steady state: every child competes with all who were there before, so that no worker waits for
a generation to end. D. Whitley, "The GENITOR Algorithm and Selection Pressure", ICGA 1989;
niches: A. Petrowski, "A clearing procedure as a niching method for genetic algorithms", ICEC
1996; beginning anew beside the best: L. J. Eshelman, "The CHC Adaptive Search Algorithm", FOGA
1991; several goals: K. Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6 (2002).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from pydantic import Field

from raytuner.component import digest
from raytuner.lineage import Lineage
from raytuner.objective import Params
from raytuner.search.axes import complete, layout
from raytuner.search.genes import crossed, mutated
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.search.ranking import Ranking
from raytuner.search.surrogate import Vector, encode
from raytuner.space import Space

_TRIES = 20
"""How many children in a row may be known or violate a constraint before the next remedy."""
_LOOKED_AT = 4
"""How many populations of the best are looked at for members of different niches."""


_Child = tuple[dict[str, Any], Lineage]


class Evolution(Learner, kind="evolution"):
    """Mix and change the best points so far, whatever they are made of.

    A child comes from one or two winners of tournaments: uniform crossover, which keeps settings
    with the choice they belong to, and mutation by type (a number moves by a part of its range,
    a list of numbers to a neighbour, any other choice to another, a subset gains, loses or
    exchanges a member). The population are the best points of different niches. Of several goals
    it looks at every one, as NSGA-II does. A trial that was stopped early is compared at the
    number of units that half a population has reached.
    """

    population: int = Field(
        default=20, ge=4, description="How many points are random at first, and may be parents."
    )
    tournament: int = Field(
        default=3,
        ge=1,
        description="Of how many members drawn by chance the best is a parent; more is greedier.",
    )
    crossover: float = Field(
        default=0.9, ge=0, le=1, description="Chance that a child has two parents."
    )
    mutation: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Chance of each parameter to change; null: one in the number of parameters.",
    )
    step: float = Field(
        default=0.1, gt=0, le=1, description="Typical change of a number, as a share of its range."
    )
    elite: int = Field(
        default=1,
        ge=1,
        description="How many of the best are always in the population, whatever their niche.",
    )
    immigrants: float = Field(
        default=0.05, ge=0, le=1, description="Chance that a point is random instead of a child."
    )
    niche: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Mean distance per parameter, as a share of ranges, below which only the "
        "better one of two points may be a parent.",
    )
    patience: int | None = Field(
        default=100,
        ge=1,
        description="After how many points without improvement the population but for its elite "
        "is drawn anew; null: never.",
    )

    def guide(self, space: Space, seed: int) -> Guide:
        """Begin with an empty population; everything random comes with each proposal."""
        del seed
        return _Breeding(self, space)


class _Breeding:
    """Proposes children of the population, which follows from the outcomes learned."""

    def __init__(self, search: Evolution, space: Space) -> None:
        self._search = search
        self._space = space
        self._plan = layout(space)
        self._ranking = Ranking(search.population)
        self._places: dict[str, Vector] = {}
        self._population: list[Params] | None = None
        self._born: _Child | None = None

    def learn(self, params: Params, outcome: Outcome) -> None:
        name = self._ranking.learn(params, outcome)
        if name not in self._places:
            self._places[name] = encode(self._plan, [params])[0]
        self._population = None

    def suggest(self, seed: int) -> Mapping[str, Any]:
        rng = random.Random(seed)
        if self._population is None:
            self._population = self._members()
        generation = len(self._ranking.points) // self._search.population
        if not self._population or rng.random() < self._search.immigrants:
            child, lineage = self._space.sample(rng), Lineage("random")
        else:
            child, lineage = self._child(self._population, rng)
        self._born = child, lineage._replace(generation=generation)
        return child

    def lineage(self, point: Params) -> Lineage | None:
        return self._born[1] if self._born and self._born[0] == point else None

    def _members(self) -> list[Params]:
        """Give the population, best first: the elite, and of each niche the best that is there.

        There is none while its first members, or those after it was drawn anew, are random.
        """
        search, points = self._search, self._ranking.points
        ranked = self._ranking.best()
        begun = 0 if self._ranking.several else self._begun()
        if len(points) - begun < search.population:
            return []
        recent = set(islice(points, begun, None)) if begun else points
        allowed = (n for at, n in enumerate(ranked) if at < search.elite or n in recent)
        looked = list(islice(allowed, _LOOKED_AT * search.population))
        places = np.array([self._places[name] for name in looked])
        closest = len(self._space.names) * search.niche**2
        free, members = np.ones(len(looked), dtype=bool), list[Params]()
        for at, name in enumerate(looked):
            if free[at] or at < search.elite:
                members.append(points[name])
                free &= ((places - places[at]) ** 2).sum(axis=1).round(9) >= closest
            if len(members) == search.population:
                break
        return members

    def _begun(self) -> int:
        """Tell how many points there were when the population was last drawn anew."""
        if self._search.patience is None:
            return 0
        patience = max(self._search.patience, self._search.population)
        begun, idle, best = 0, 0, -math.inf
        for number, score in enumerate(self._ranking.timeline(), 1):
            if score is not None and score > best:
                best, idle = score, 0
            elif (idle := idle + 1) == patience:
                begun, idle, best = number, 0, -math.inf
        return begun

    def _child(self, members: Sequence[Params], rng: random.Random) -> _Child:
        """Breed a child that is new and inside the constraints; chance is the last way."""
        for attempt in range(2 * _TRIES):
            child, lineage = self._bred(members, rng)
            if attempt >= _TRIES and self._space.violated(child):
                lineage = Lineage("mutation", lineage.parents[:1])
                child = self._redrawn(lineage.parents[0], rng)
            if self._is_new(child):
                return child, lineage
        return self._space.sample(rng), Lineage("random")

    def _bred(self, members: Sequence[Params], rng: random.Random) -> _Child:
        """Breed a child, whatever becomes of it."""
        search, plan = self._search, self._plan
        first = self._winner(len(members), rng)
        if len(members) == 1 or rng.random() >= search.crossover:
            parent = members[first]
            child = mutated(plan, parent, rng, search.mutation, search.step)
            return child, Lineage("mutation", (parent,))
        second = self._winner(len(members) - 1, rng)
        second += second >= first
        parents = (members[min(first, second)], members[max(first, second)])
        child = crossed(self._space, *parents, rng)
        chance = search.mutation or 1 / len(child)
        if child in parents or any(rng.random() < chance for _ in child):
            child = mutated(plan, child, rng, search.mutation, search.step)
        return child, Lineage("crossover", parents)

    def _winner(self, count: int, rng: random.Random) -> int:
        return min(rng.randrange(count) for _ in range(self._search.tournament))

    def _redrawn(self, parent: Params, rng: random.Random) -> dict[str, Any]:
        """Draw parameters that depend on each other again; so no constraint is violated."""
        fresh, group = self._space.sample(rng), rng.choice(self._space.groups)
        kept = {name: value for name, value in parent.items() if name not in group}
        drawn = {name: value for name, value in fresh.items() if name in group}
        return complete(self._space, {**kept, **drawn}, rng)

    def _is_new(self, child: Params) -> bool:
        return not self._space.violated(child) and digest(child) not in self._ranking.points
