"""Preparation that is paid for is used: points that share it are nearly free.

A point is chosen by the improvement that a model expects of it, per cost: J. Snoek, H. Larochelle
and R. P. Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NIPS 2012,
section 3.2. The cost of a point is one evaluation, and more if its preparation (its documents
cut and embedded) is one that no point before it had.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from raytuner.component import ConfigError, digest
from raytuner.objective import Objective, Params, Value
from raytuner.search.accounts import Booked
from raytuner.search.bayes import expected_improvement, neighbour
from raytuner.search.learner import mixed
from raytuner.search.port import Exhausted, Proposer, Sampled
from raytuner.search.sampling import Random
from raytuner.search.standing import Standing
from raytuner.search.surrogate import Modeller, Surrogate, Vector, encode
from raytuner.space import Space

_LISTED = 2_000
"""Up to how many points a space is listed instead of drawn from."""
_PROBES = 8
"""Around how many points the parameters are looked for that change what is prepared."""
_PARENTS = 5
"""How many of the best points lend their neighbourhoods, and their preparation."""
_LEVELS = 4
"""How many values of a range are looked at to find out whether it changes what is prepared."""


class Neighbours(Sampled, kind="neighbours"):
    """Try the most promising point for its cost, and what shares its preparation soon after.

    Asks the objective which points share expensive preparation: changing `retriever.top_k`, a
    prompt or a temperature costs an evaluation, changing `chunker.size` an ingestion too. Begins
    with the configuration as it stands and a few points far from it and from each other; then a
    Gaussian process of all scores decides. A finite space is exhausted in the end.
    """

    learns: ClassVar[bool] = True

    explore: int = Field(
        default=4,
        ge=1,
        description="How many points, each with its own preparation, come before the model.",
    )
    preparation: float = Field(
        default=1.0,
        ge=0,
        description="What preparing a new ingestion costs, in evaluations of a configuration.",
    )
    candidates: int = Field(
        default=400,
        ge=10,
        description="Among how many points the most promising is sought, in a large space.",
    )
    margin: float = Field(
        default=0.0,
        ge=0,
        description="Improvement asked for, in standard deviations of the scores; more explores.",
    )

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin where nothing is prepared, at the middle of every domain."""
        return _Frugal(self, space, seed, None)

    def begin(self, space: Space, seed: int, objective: Objective) -> Proposer:
        """Begin at the configuration as it stands."""
        return _Frugal(self, space, seed, objective)


class Preparations:
    """Tells which points share preparation, asking the objective once for each way to prepare.

    Args:
        standing: the points around which parameters are varied.
        objective: names what a point needs prepared; without one nothing is.

    Attributes:
        dear: the parameters that change it.
    """

    def __init__(self, standing: Standing, objective: Objective | None) -> None:
        self._affinity = objective.affinity if objective is not None else _alike
        self._known: dict[str, str] = {}
        self.dear = frozenset(_changing(standing, self._affinity))

    def of(self, point: Params) -> str:
        """Name the preparation of a point."""
        name = digest({name: value for name, value in point.items() if name in self.dear})
        if name not in self._known:
            self._known[name] = _named(self._affinity, point)
        return self._known[name]


def _alike(params: Params) -> str:
    del params
    return ""


def _named(affinity: Callable[[Params], str], point: Params) -> str:
    """Name a preparation; that of a point that cannot be run is nothing."""
    try:
        return affinity(point)
    except ConfigError:
        return ""


def _changing(standing: Standing, affinity: Callable[[Params], str]) -> set[str]:
    """Find the parameters that change the affinity, by changing each around several points."""
    space, rng = standing.space, random.Random(0)
    points = [standing.point, *(space.sample(rng) for _ in range(_PROBES - 1))]
    found: set[str] = set()
    for point in points:
        here = _named(affinity, point)
        for name in point:
            if name in found:
                continue
            others = (standing.with_value(point, name, v) for v in standing.levels(name, point))
            if any(other is not None and _named(affinity, other) != here for other in others):
                found.add(name)
    return found


class _Frugal(Booked):
    """Proposes by improvement per cost; all follows from its books, its seed and the objective."""

    def __init__(
        self, search: Neighbours, space: Space, seed: int, objective: Objective | None
    ) -> None:
        super().__init__(space, search.samples)
        self._search = search
        self._space = space
        self._seed = seed
        self._standing = Standing(space, objective, _LEVELS)
        self._modeller = Modeller(self._standing.plan)
        self._prepared = Preparations(self._standing, objective)
        self._draws = Random().start(space, mixed(seed))
        total = space.total()
        listed = total is not None and total <= _LISTED
        self._all = list(itertools.islice(space.every(), _LISTED)) if listed else None

    def propose(self) -> dict[str, Value] | None:
        if self.books.fresh(self._standing.point):
            return dict(self._standing.point)
        rng = random.Random(mixed(self._seed, len(self.books.asked)))
        candidates = self._candidates(rng)
        if not candidates:
            return self._by_chance()
        tried = self._tried()
        paid = {self._prepared.of(point) for point in tried}
        scored = [point for point in tried if self._score(point) is not None]
        if len(tried) <= self._search.explore or len(scored) < 2:
            new = [point for point in candidates if self._prepared.of(point) not in paid]
            return farthest(self._standing, tried, new or candidates)
        return dict(self._promising(tried, candidates, paid))

    def _tried(self) -> list[Params]:
        told = {name: point for name, (point, _) in self.books.told.items()}
        return list({**told, **self.books.asked}.values())

    def _score(self, point: Params) -> float | None:
        outcome = self.books.outcome(point)
        return None if outcome is None else outcome.score

    def _promising(
        self, tried: Sequence[Params], candidates: Sequence[Params], paid: set[str]
    ) -> Params:
        """Give the candidate of greatest expected improvement per cost."""
        model = self._model(tried)
        mean, deviation = model.predict(candidates)
        wanted = model.best + self._search.margin * model.spread
        gain = expected_improvement(mean, deviation, wanted)
        extra = self._search.preparation
        costs = [1.0 + extra * (self._prepared.of(point) not in paid) for point in candidates]
        return candidates[int(np.argmax(gain / np.array(costs)))]

    def _model(self, tried: Sequence[Params]) -> Surrogate:
        """Model the scores; of points still under way, as it expects them to be."""
        outcomes = {digest(point): (point, self.books.outcome(point)) for point in tried}
        worst = min(o.score for _, o in outcomes.values() if o is not None and o.score is not None)
        known = {
            name: (point, worst if one.score is None else one.score)
            for name, (point, one) in outcomes.items()
            if one is not None
        }
        model = self._modeller.fit(known)
        waiting = {name: point for name, (point, one) in outcomes.items() if one is None}
        if not waiting:
            return model
        means = model.predict(list(waiting.values()))[0].tolist()
        believed = zip(waiting, zip(waiting.values(), means, strict=True), strict=True)
        return self._modeller.fit(known, dict(believed))

    def _candidates(self, rng: random.Random) -> list[dict[str, Value]]:
        """List fresh points: all there are, or a draw near and far."""
        if self._all is not None:
            return [point for point in self._all if self.books.fresh(point)]
        third = self._search.candidates // 3 + 1
        best = self._best()
        drawn = [self._space.sample(rng) for _ in range(third)]
        near = [neighbour(self._standing.plan, rng.choice(best), rng) for _ in range(third)]
        free = [self._sharing(rng.choice(best), rng) for _ in range(third)]
        distinct = {digest(point): point for point in (*drawn, *near, *free)}
        return [
            point
            for point in distinct.values()
            if self.books.fresh(point) and not self._space.violated(point)
        ]

    def _best(self) -> list[Params]:
        scored = [(point, self._score(point)) for point in self._tried()]
        ranked = sorted((p for p in scored if p[1] is not None), key=lambda p: -(p[1] or 0.0))
        return [point for point, _ in ranked[:_PARENTS]] or [self._standing.point]

    def _sharing(self, point: Params, rng: random.Random) -> dict[str, Value]:
        """Draw a point with the same preparation."""
        dear = {name: value for name, value in point.items() if name in self._prepared.dear}
        return self._space.active({**self._standing.values, **self._space.sample(rng), **dear})

    def _by_chance(self) -> dict[str, Value]:
        while (point := self._draws.ask()) is not None:
            if self.books.fresh(point):
                return point
        raise Exhausted("chance has no more points")


def farthest(
    standing: Standing, tried: Sequence[Params], candidates: Sequence[Params]
) -> dict[str, Value]:
    """Give the candidate whose nearest tried point is farthest away, the first of equals.

    M. E. Johnson, L. M. Moore and D. Ylvisaker, "Minimax and maximin distance designs", Journal of
    Statistical Planning and Inference 26 (1990).
    """
    here: Vector = encode(standing.plan, candidates)
    there: Vector = encode(standing.plan, tried)
    squares = ((here[:, None, :] - there[None, :, :]) ** 2).sum(axis=2)
    return dict(candidates[int(np.argmax(squares.min(axis=1).round(9)))])
