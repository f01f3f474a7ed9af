"""An estimate from golden questions, with its confidence interval."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Interval(NamedTuple):
    """An estimate with its two-sided 95 % confidence interval."""

    estimate: float
    low: float
    high: float


def mean_interval(values: NDArray[np.float64], scale: float = 1.0) -> Interval:
    """Estimate a mean over questions with a Student t interval.

    Args:
        values: one number per question, without NaN; shape [questions].
        scale: how far scores of this metric are apart; of yes-or-no scores 1.

    The standard error never falls below scale / (4 n): n equal answers are not proof of a
    variance of zero.
    """
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, -math.inf, math.inf)
    from scipy.special import stdtrit

    error = max(float(values.std(ddof=1)) / math.sqrt(n), scale / (4 * n))
    half = float(stdtrit(n - 1, 0.975)) * error
    return Interval(mean, mean - half, mean + half)


def scale_of(scores: Iterable[NDArray[np.float64]]) -> float:
    """Tell how far scores are apart, of whatever they are scores; 1 where nothing tells.

    Args:
        scores: of any configurations, NaN where missing.
    """
    known = np.concatenate([np.empty(0), *(one[~np.isnan(one)] for one in scores)])
    if not len(known):
        return 1.0
    return float(np.ptp(known)) or float(np.abs(known).max()) or 1.0
