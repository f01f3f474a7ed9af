"""Which of several trials are clearly behind the best one, on the questions they share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_PRIOR = 8
"""Degrees of freedom that the spread common to all trials counts for against a trial's own.

Few yes/no questions often give one trial no spread at all, and it would be beyond doubt; so its
variance is drawn towards the mean variance, as in the moderated t of G. K. Smyth, "Linear Models
and Empirical Bayes Methods for Assessing Differential Expression", SAGMB 3 (2004).
"""


def mean_of(values: Values) -> float:
    """Average what is defined, minus infinity if nothing is; shape [units]."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else -np.inf


def beaten(leader: Values, others: Sequence[Values], risk: float) -> list[bool]:
    """Tell who is worse than the leader, by a one-sided paired t test each.

    Nothing is corrected for how many are tested, or how often: a test that is, stops so few that
    a race does not pay.

    Args:
        leader: scores of the best trial by unit, higher is better, NaN where the metric is not
            defined; shape [units].
        others: the same of those compared with it.
        risk: chance that a trial as good as the leader is told to be worse, at each look.

    Returns:
        For each of `others`; False where fewer than two units are defined for both.
    """
    from scipy.special import stdtrit

    if not others:
        return []
    behind = leader - np.stack(others)
    defined = ~np.isnan(behind)
    counts = defined.sum(axis=1)
    freedom = np.maximum(counts - 1, 0)
    mean = np.where(defined, behind, 0.0).sum(axis=1) / np.maximum(counts, 1)
    squares = (np.where(defined, behind - mean[:, None], 0.0) ** 2).sum(axis=1)
    common = squares.sum() / max(1, freedom.sum())
    variance = (_PRIOR * common + squares) / np.maximum(_PRIOR + freedom, 1)
    wanted = stdtrit(_PRIOR + freedom, 1 - risk) * np.sqrt(variance / np.maximum(counts, 1))
    found: list[bool] = ((counts > 1) & (mean > 0) & (mean > wanted)).tolist()
    return found
