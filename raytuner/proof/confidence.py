"""An estimate from golden questions, with its confidence interval."""

from __future__ import annotations

import math
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
