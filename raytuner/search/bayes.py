"""Bayesian optimisation: a Gaussian process of the scores, and expected improvement.

J. Snoek, H. Larochelle and R. P. Adams, "Practical Bayesian Optimization of Machine Learning
Algorithms", NIPS 2012, with the kernel of greatest marginal likelihood.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from raytuner.component import digest
from raytuner.objective import Params, Value
from raytuner.search.axes import Layout, complete, layout, positions, values
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.search.surrogate import Modeller, Surrogate, Vector
from raytuner.space import Space

_PARENTS = 5
"""How many of the best points lend their neighbourhoods as candidates."""


class Bayes(Learner, kind="bayes"):
    """Model the scores by a Gaussian process, and try where most improvement is expected.

    Good at few, mostly numeric parameters and up to some hundred trials. A trial that was
    stopped early counts with the score it has, one that failed with the worst of all scores.
    """

    startup: int = Field(
        default=10, ge=2, description="How many points are random before the model is used."
    )
    candidates: int = Field(
        default=400, ge=10, description="Among how many points the most promising is sought."
    )
    margin: float = Field(
        default=0.01,
        ge=0,
        description="Improvement asked for, in standard deviations of the scores; more explores.",
    )

    def guide(self, space: Space, seed: int) -> Guide:
        """Set up the model; everything random comes with each proposal."""
        del seed
        return _Improver(self, space)


class _Improver:
    """Proposes the candidate of greatest expected improvement."""

    def __init__(self, search: Bayes, space: Space) -> None:
        self._search = search
        self._space = space
        self._layout = layout(space)
        self._known: dict[str, tuple[Params, float | None]] = {}
        self._modeller = Modeller(self._layout)
        self._surrogate: Surrogate | None = None

    def learn(self, params: Params, outcome: Outcome) -> None:
        name, known = digest(params), (params, outcome.score)
        if self._known.get(name) != known:
            self._known[name] = known
            self._surrogate = None

    def suggest(self, seed: int) -> Mapping[str, Any]:
        return self._promising(random.Random(seed), thin=False)

    def retry(self, seed: int, attempt: int) -> Mapping[str, Any]:
        """Leave out candidates by chance: what was most promising is being tried already."""
        del attempt
        return self._promising(random.Random(seed), thin=True)

    def _promising(self, rng: random.Random, *, thin: bool) -> Mapping[str, Any]:
        scored = [(params, score) for params, score in self._known.values() if score is not None]
        if len(self._known) < self._search.startup or not scored:
            return self._space.sample(rng)
        best = sorted(scored, key=lambda known: -known[1])[:_PARENTS]
        candidates = self._candidates([params for params, _ in best], rng)
        if thin:
            candidates = [point for point in candidates if rng.random() < 0.5]
        if not candidates:
            return self._space.sample(rng)
        surrogate = self._model(min(score for _, score in scored))
        mean, deviation = surrogate.predict(candidates)
        wanted = surrogate.best + self._search.margin * surrogate.spread
        return candidates[int(np.argmax(expected_improvement(mean, deviation, wanted)))]

    def _model(self, worst: float) -> Surrogate:
        if self._surrogate is None:
            self._surrogate = self._modeller.fit(
                {
                    name: (params, worst if score is None else score)
                    for name, (params, score) in self._known.items()
                }
            )
        return self._surrogate

    def _candidates(self, best: list[Params], rng: random.Random) -> list[dict[str, Value]]:
        """Draw points that nothing is known of: half anywhere, half next to the best."""
        count = self._search.candidates // 2
        drawn = [self._space.sample(rng) for _ in range(count)]
        near = [neighbour(self._layout, best[n % len(best)], rng) for n in range(count)]
        distinct = {digest(point): point for point in (*drawn, *near)}
        return [
            point
            for name, point in distinct.items()
            if name not in self._known and not self._space.violated(point)
        ]


def expected_improvement(mean: Vector, deviation: Vector, best: float) -> Vector:
    """Give E[max(score - best, 0)] for normally distributed scores, one per candidate."""
    from scipy.special import ndtr

    deviation = np.maximum(deviation, 1e-12)
    standard = (mean - best) / deviation
    density = np.exp(-(standard**2) / 2) / np.sqrt(2 * np.pi)
    result: Vector = (mean - best) * ndtr(standard) + deviation * density
    return result


def neighbour(plan: Layout, point: Params, rng: random.Random) -> dict[str, Value]:
    """Move an active point along one or two axes; what becomes active is drawn.

    Constraints are not looked at.
    """
    at = positions(plan, point)
    mine = [axis for axis in plan.axes if axis.label in at]
    for axis in rng.sample(mine, min(len(mine), rng.choice((1, 1, 2)))):
        here = at[axis.label]
        if axis.levels is None:
            at[axis.label] = axis.at(here + rng.gauss(0, 10 ** rng.uniform(-2.5, -0.5)))
        elif axis.ordered:
            step = max(1, round(abs(rng.gauss(0, axis.levels / 10))))
            at[axis.label] = min(max(here + rng.choice((-step, step)), 0), axis.levels - 1)
        else:
            at[axis.label] = (here + rng.randrange(1, axis.levels)) % axis.levels
    return complete(plan.space, values(plan, at), rng)
