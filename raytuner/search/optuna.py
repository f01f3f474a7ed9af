"""Optuna's samplers: tree-structured Parzen estimator, Gaussian process, CMA-ES and NSGA-II.

T. Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.
TPE: J. Bergstra et al., NIPS 2011; CMA-ES: N. Hansen, "The CMA Evolution Strategy: A Tutorial",
arXiv:1604.00772; NSGA-II: K. Deb et al., IEEE Transactions on Evolutionary Computation 6 (2002).
"""

from __future__ import annotations

import contextlib
import logging
import random
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from raytuner.component import ConfigError, digest, require
from raytuner.objective import Params
from raytuner.search.axes import Axis, Layout, complete, layout, positions, reachable, values
from raytuner.search.goals import Score, parts_of
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.space import Space

_SIGMA = 0.25
"""First standard deviation of CMA-ES, as a share of each axis."""


class Optuna(Learner, kind="optuna"):
    """Let one of Optuna's samplers propose.

    - `tpe` models good and bad points apart, and knows conditions. A trial that was stopped or
      paused early ranks below those that are complete, and a failed one below all.
    - `gp` is a Gaussian process; it needs PyTorch (`kind: bayes` does not).
    - `cmaes` adapts a normal distribution over the numbers; anything else is drawn by chance.
    - `nsga2` is a genetic algorithm; with one score it is selection of the fittest.

    To all but `tpe`, a trial that was stopped early counts with the score it has, and a failed
    one with the worst of all scores. Of several goals (`metric: [recall, usd_per_question]`) all
    but `cmaes` look at every one, and then the same holds for `tpe`.
    """

    sampler: Literal["tpe", "gp", "cmaes", "nsga2"] = Field(
        default="tpe", description="The algorithm: tpe, gp, cmaes or nsga2."
    )
    startup: int = Field(
        default=10,
        ge=2,
        description="How many points are random before results are used; a generation of nsga2.",
    )

    def guide(self, space: Space, seed: int) -> Guide:
        """Set up the sampler; everything random comes with each proposal.

        Raises:
            MissingExtraError: if what the sampler needs is not installed.
            ConfigError: if the sampler cannot work on this space.
        """
        del seed
        if self.sampler == "cmaes":
            require("cmaes", extra="optuna")
            return _Evolution(space, self.startup)
        require("optuna", extra="optuna")
        if self.sampler == "gp":
            require("torch", extra="optuna-gp")
        return _Study(self, space)


class _Study:
    """Proposes by a study of Optuna that holds what the outcomes say."""

    def __init__(self, search: Optuna, space: Space) -> None:
        self._search = search
        self._plan = layout(space)
        self._outcomes: dict[str, tuple[Params, Outcome]] = {}
        self._study: Any = None
        self._goals = 1
        self._held: list[tuple[str, Outcome]] = []

    def learn(self, params: Params, outcome: Outcome) -> None:
        self._outcomes[digest(params)] = (params, outcome)

    def suggest(self, seed: int) -> Mapping[str, Any]:
        import optuna

        with quiet():
            self._catch_up()
            self._study.sampler = _sampler(self._search, seed)
            trial = self._study.ask()
            point = _fill(trial, self._plan)
            # What becomes of the point is added as a trial of its own.
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return point

    def _catch_up(self) -> None:
        """Add new outcomes to the study; an outcome that has changed makes a new study."""
        import optuna

        goals = len(self._worst())
        wanted = self._observations(goals)
        stale = goals != self._goals or wanted[: len(self._held)] != self._held
        if self._study is None or stale:
            sampler = _sampler(self._search, 0)
            self._study = optuna.create_study(directions=["maximize"] * goals, sampler=sampler)
            self._goals, self._held = goals, []
        for name, outcome in wanted[len(self._held) :]:
            at = positions(self._plan, self._outcomes[name][0])
            if self._search.sampler == "nsga2":  # only a trial that was asked for has a generation
                self._study.enqueue_trial(at)
                trial = self._study.ask()
                _ = trial.relative_params  # reading it is what assigns the generation
                _fill(trial, self._plan)
                self._study.tell(trial, _values(outcome))
            else:
                self._study.add_trial(_trial(self._plan, at, outcome))
        self._held = wanted

    def _worst(self) -> tuple[float, ...]:
        """Give the worst that was seen of every goal."""
        known = [parts_of(out.score) for _, out in self._outcomes.values() if out.score is not None]
        return tuple(map(min, zip(*known, strict=True))) or (0.0,)

    def _observations(self, goals: int) -> list[tuple[str, Outcome]]:
        """Give each point's outcome as the sampler is to see it.

        Of several goals Optuna knows no stopped trials.
        """
        known = [(name, outcome) for name, (_, outcome) in self._outcomes.items()]
        if self._search.sampler == "tpe" and goals == 1:
            return known
        worst = Score(self._worst())
        return [
            (name, Outcome(worst if outcome.score is None else outcome.score))
            for name, outcome in known
        ]


class _Evolution:
    """CMA-ES over the ordered axes, fed with every generation that is on record.

    The `cmaes` package is what Optuna's sampler uses too. Generations are consecutive outcomes,
    whoever proposed them, so that nothing but outcomes decides the next proposal.
    """

    def __init__(self, space: Space, startup: int) -> None:
        self._plan = layout(space)
        self._axes = [axis for axis in self._plan.axes if axis.ordered]
        self._startup = startup
        self._known: dict[str, tuple[Params, Outcome]] = {}
        if len(self._axes) < 2:
            raise ConfigError(
                f"search.sampler: 'cmaes' needs two parameters that are numbers, this space has "
                f"{len(self._axes)}: use 'tpe'",
                ("search", "sampler"),
            )

    def learn(self, params: Params, outcome: Outcome) -> None:
        self._known[digest(params)] = (params, outcome)

    def suggest(self, seed: int) -> Mapping[str, Any]:
        rng = random.Random(seed)
        if len(self._known) < self._startup:
            return self._plan.space.sample(rng)
        at: dict[str, int | float] = {
            axis.label: axis.at(rng.random()) for axis in self._plan.axes if not axis.ordered
        }
        for axis, share in zip(self._axes, self._evolved(seed).ask(), strict=True):
            at[axis.label] = axis.at(share)
        return complete(self._plan.space, values(self._plan, at), rng)

    def _evolved(self, seed: int) -> Any:
        cmaes = require("cmaes", extra="optuna")
        count = len(self._axes)
        bounds = np.tile([0.0, 1.0], (count, 1))
        evolution = cmaes.CMA(np.full(count, 0.5), _SIGMA, bounds=bounds, seed=seed)
        worst = _worst(outcome for _, outcome in self._known.values())
        solutions = [
            (self._vector(params), -(worst if outcome.score is None else outcome.score))
            for params, outcome in self._known.values()
        ]
        size = evolution.population_size
        for start in range(0, len(solutions) - size + 1, size):
            evolution.tell(solutions[start : start + size])
        return evolution

    def _vector(self, params: Params) -> np.ndarray[Any, np.dtype[np.float64]]:
        at = positions(self._plan, params)
        shares = [axis.share(at[axis.label]) if axis.label in at else 0.5 for axis in self._axes]
        return np.array(shares)


def _worst(outcomes: Iterator[Outcome]) -> float:
    return min((out.score for out in outcomes if out.score is not None), default=0.0)


def _values(outcome: Outcome) -> list[float]:
    """Spell a score as Optuna takes it."""
    return [] if outcome.score is None else list(map(float, parts_of(outcome.score)))


def _sampler(search: Optuna, seed: int) -> Any:
    from optuna import samplers

    if search.sampler == "tpe":
        return samplers.TPESampler(
            seed=seed, n_startup_trials=search.startup, multivariate=True, group=True
        )
    if search.sampler == "gp":
        return samplers.GPSampler(
            seed=seed, n_startup_trials=search.startup, warn_independent_sampling=False
        )
    return samplers.NSGAIISampler(seed=seed, population_size=search.startup)


def _fill(trial: Any, plan: Layout) -> dict[str, Any]:
    """Let a trial of Optuna choose every active parameter, parents first."""
    found: dict[str, Any] = {}
    for name in plan.space.order:
        if reachable(plan.space, name, found):
            at = {axis.label: _position(trial, axis) for axis in plan.scales[name].axes}
            found[name] = values(plan, at)[name]
    return found


def _position(trial: Any, axis: Axis) -> Any:
    if axis.levels is None:
        return trial.suggest_float(axis.label, 0.0, 1.0)
    if axis.ordered:
        return trial.suggest_int(axis.label, 0, axis.levels - 1)
    return trial.suggest_categorical(axis.label, range(axis.levels))


def _trial(plan: Layout, at: Mapping[str, Any], outcome: Outcome) -> Any:
    """Make a finished trial of Optuna from an outcome."""
    from optuna.trial import TrialState, create_trial

    known = {axis.label: _distribution(axis) for axis in plan.axes if axis.label in at}
    if outcome.score is not None and outcome.units is None:
        return create_trial(params=dict(at), distributions=known, values=_values(outcome))
    steps = {}
    if outcome.score is not None and outcome.units is not None:
        steps[outcome.units] = outcome.score
    return create_trial(
        state=TrialState.PRUNED,
        params=dict(at),
        distributions=known,
        intermediate_values=steps,
    )


def _distribution(axis: Axis) -> Any:
    from optuna import distributions

    if axis.levels is None:
        return distributions.FloatDistribution(0.0, 1.0)
    if axis.ordered:
        return distributions.IntDistribution(0, axis.levels - 1)
    return distributions.CategoricalDistribution(range(axis.levels))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from reporting every study and trial, and leave its settings as they were."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the grouped sampler is marked as experimental
            yield
    finally:
        logger.setLevel(level)
