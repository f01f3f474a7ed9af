"""How far scores of a metric reach, as their record tells: nothing is shown beyond."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Reach(NamedTuple):
    """The least and the greatest score on record; without an end if none is."""

    low: float = -math.inf
    high: float = math.inf

    @property
    def width(self) -> float:
        """How far scores are apart; of equal ones their size; 1 where nothing tells."""
        if math.isinf(self.low):
            return 1.0
        return self.high - self.low or abs(self.high) or 1.0

    def nearest(self, value: float) -> float:
        """Give a mean that was estimated from other questions the nearest value it can have."""
        return min(max(value, self.low), self.high)

    def shown(self, low: float, high: float) -> tuple[float, float]:
        """Cut off what an interval has beyond 0 and 1, where all scores are shares.

        An end that is not known stays so.
        """
        if self.low < 0 or self.high > 1:
            return low, high
        return (
            max(low, 0.0) if math.isfinite(low) else low,
            min(high, 1.0) if math.isfinite(high) else high,
        )


def reach_of(scores: Iterable[NDArray[np.float64]]) -> Reach:
    """Look at every score of any configurations; NaN where missing."""
    known = np.concatenate([np.empty(0), *(one[~np.isnan(one)] for one in scores)])
    return Reach(float(known.min()), float(known.max())) if len(known) else Reach()
