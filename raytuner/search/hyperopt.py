"""Tree-structured Parzen estimators, by the library HyperOpt.

J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, "Algorithms for Hyper-Parameter Optimization",
NIPS 2011.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from raytuner.component import digest
from raytuner.objective import Params, Value
from raytuner.search.axes import Axis, Positions, layout, positions, values
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.space import Space


class HyperOpt(Learner, kind="hyperopt"):
    """Draw near points that did well, away from those that did badly.

    A trial counts with its latest score, also while it is paused or when it was stopped early:
    scores at different rungs are compared as they are. A failed trial counts as worse than any
    score.
    """

    startup: int = Field(
        default=20, ge=1, description="Random points until this many have a score; then it learns."
    )
    gamma: float = Field(
        default=0.25,
        gt=0.0,
        description="Of n trials the best gamma * sqrt(n), 25 at most, count as good.",
    )
    candidates: int = Field(
        default=24, ge=1, description="How many values are drawn per parameter to take the best."
    )
    prior_weight: float = Field(
        default=1.0, gt=0.0, description="Weight of the whole domain against one good trial."
    )

    def guide(self, space: Space, seed: int) -> Guide:
        """Set up HyperOpt; all chance comes with the proposals' own seeds."""
        del seed
        return _Parzen(self, space)


class _Parzen:
    """Rebuilds HyperOpt's trials from what is known; keeps nothing else.

    Every axis stands on its own. This is the tree of conditions: TPE models each parameter by
    itself, from the trials that had it, and points give no value to what was inactive.
    """

    def __init__(self, config: HyperOpt, space: Space) -> None:
        import hyperopt

        self._config = config
        self._plan = layout(space)
        self._library: Any = hyperopt
        priors = {axis.label: self._prior(axis) for axis in self._plan.axes}
        self._domain: Any = self._library.base.Domain(None, priors) if priors else None
        self._known: dict[str, tuple[Positions, float | None]] = {}

    def suggest(self, seed: int) -> Mapping[str, Value]:
        return self.retry(seed, 0)

    def retry(self, seed: int, attempt: int) -> Mapping[str, Value]:
        """Halve the candidates every time: less choice among them, more of what did well."""
        if self._domain is None:
            return values(self._plan, {})
        number = len(self._known)
        failed = sum(score is None for _, score in self._known.values())
        good = math.ceil(self._config.gamma * math.sqrt(number))  # as many must not have failed
        documents = self._library.tpe.suggest(
            [number],
            self._domain,
            self._trials(),
            seed,
            prior_weight=self._config.prior_weight,
            n_startup_jobs=max(self._config.startup, min(good, 25)) + failed,
            n_EI_candidates=max(self._config.candidates >> attempt, 1),
            gamma=self._config.gamma,
            verbose=False,
        )
        found = documents[0]["misc"]["vals"]
        return values(self._plan, {label: float(one[0]) for label, one in found.items()})

    def learn(self, params: Params, outcome: Outcome) -> None:
        self._known[digest(params)] = (positions(self._plan, params), outcome.score)

    def _prior(self, axis: Axis) -> Any:
        hp = self._library.hp
        if axis.levels is None:
            return hp.uniform(axis.label, 0.0, 1.0)
        if axis.ordered:  # half a step beyond the ends, so that these are not rarer
            return hp.quniform(axis.label, -0.5, axis.levels - 0.5, 1)
        return hp.randint(axis.label, axis.levels)

    def _trials(self) -> Any:
        trials = self._library.Trials()
        documents = [
            self._document(number, at, score)
            for number, (at, score) in enumerate(self._known.values())
        ]
        trials.insert_trial_docs(documents)
        trials.refresh()
        return trials

    def _document(self, number: int, at: Positions, score: float | None) -> dict[str, Any]:
        """Spell one trial as HyperOpt does; an axis without a value says that it was inactive."""
        found = {a.label: [at[a.label]] if a.label in at else [] for a in self._plan.axes}
        base = self._library.base
        return {
            "tid": number,
            "spec": None,
            "result": {"status": base.STATUS_FAIL}
            if score is None
            else {"status": base.STATUS_OK, "loss": -score},
            "misc": {
                "tid": number,
                "cmd": self._domain.cmd,
                "idxs": {label: [number] * len(one) for label, one in found.items()},
                "vals": found,
            },
            "state": base.JOB_STATE_DONE,
            "owner": None,
            "book_time": None,
            "refresh_time": None,
            "exp_key": None,
        }
