"""How far scores of the metric can reach, as their record tells: nothing is shown beyond."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from raytuner.results import Results


class Reach(NamedTuple):
    """The least and the greatest score on record, of all trials; without an end if none is."""

    low: float = -math.inf
    high: float = math.inf

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


def reach_of(results: Results) -> Reach:
    """Look at every score of the optimised metric, on questions searched and held out."""
    if results.metric is None:
        return Reach()
    trials = results.record.current
    tables = [table for trial in trials for table in (trial, trial.held)]
    known = [own[~np.isnan(own)] for own in (table.values(results.metric) for table in tables)]
    scores = np.concatenate([np.empty(0), *known])
    return Reach(float(scores.min()), float(scores.max())) if len(scores) else Reach()
