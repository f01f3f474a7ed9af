"""A random forest's opinion on which parameters matter, given only where it can be believed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from raytuner.insight.levels import numeric
from raytuner.insight.matrix import Array, Matrix
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 40
"""Trials below which no forest is fitted."""
CREDIBLE = 0.2
"""Out-of-bag R^2 below which what a forest says is not shown."""
_TREES, _SHUFFLES = 200, 10


class Opinion(NamedTuple):
    """What a model says, or why it says nothing.

    Attributes:
        table: `parameter`, `importance`, `share`; or None.
        r2: out-of-bag R^2, or None if none was fitted.
        reason: why there is no table, as a sentence; else empty.
    """

    table: pd.DataFrame | None
    r2: float | None
    reason: str


def opinion(matrix: Matrix, parameters: Sequence[str], seed: int) -> Opinion:
    """Fit a forest to the trials' means and shuffle one parameter at a time.

    Args:
        matrix: scores of the trials.
        parameters: names of the tuned parameters.
        seed: of the forest and the shuffles.
    """
    count = len(matrix.trials)
    if count < FEWEST:
        return Opinion(None, None, f"No model: it takes {FEWEST} trials, there are {count}.")
    names = [name for name in parameters if any(name in t.params for t in matrix.trials)]
    target = matrix.values.mean(axis=1)
    if not names or target.std() < 1e-12:
        return Opinion(None, None, "No model: no trial differs from another.")
    import pandas as pd
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    inputs = np.column_stack([encoded(name, matrix.trials) for name in names])
    forest = RandomForestRegressor(
        n_estimators=_TREES, min_samples_leaf=2, oob_score=True, random_state=seed, n_jobs=1
    )
    forest.fit(inputs, target)
    r2 = float(forest.oob_score_)
    if math.isnan(r2) or r2 < CREDIBLE:
        reason = (
            f"A model explains too little of trials it has not seen to be shown (R^2 {r2:.2f}, "
            f"shown from {CREDIBLE})."
        )
        return Opinion(None, r2, reason)
    shuffled = permutation_importance(
        forest, inputs, target, n_repeats=_SHUFFLES, random_state=seed, n_jobs=1
    )
    loss = np.maximum(shuffled.importances_mean, 0.0)
    share = loss / loss.sum() if loss.sum() > 0 else loss
    table = pd.DataFrame({"parameter": names, "importance": loss, "share": share})
    table = table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
    return Opinion(table, r2, "")


def encoded(name: str, trials: Sequence[Trial]) -> Array:
    """Give a parameter as floats: numbers as they are, others by their position; shape [trials].

    Where it is not active, it lies below all its values.
    """
    values = [trial.params[name] for trial in trials if name in trial.params]
    if numeric(values):
        floats = [float(value) for value in values]  # type: ignore[arg-type]
        outside = min(floats) - 1.0
        return np.array(
            [float(t.params[name]) if name in t.params else outside for t in trials]  # type: ignore[arg-type]
        )
    order = sorted({json.dumps(value) for value in values})
    position = {text: float(number) for number, text in enumerate(order)}
    return np.array(
        [position[json.dumps(t.params[name])] if name in t.params else -1.0 for t in trials]
    )
