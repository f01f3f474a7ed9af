"""Measures of how two raters agree, with bootstrap intervals. Knows no judge and no question."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.types import IntArray

RESAMPLES = 2_000
_LEVEL = 95.0
Floats = NDArray[np.float64]


class Figure(NamedTuple):
    """One measure, with its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Pairs:
    """Values of people and judge, float64 [answers], and the question each belongs to.

    `count` is how many grades there are; None: the values are no grades.
    """

    human: Floats
    judge: Floats
    count: int | None
    seed: int
    cluster: IntArray

    def figure(self, measure: Callable[[Floats, Floats], float]) -> Figure:
        """Give a measure and its interval."""
        if not len(self.human):
            return Figure(None)
        value = measure(self.human, self.judge)
        found = np.array([measure(self.human[rows], self.judge[rows]) for rows in self._samples()])
        found = found[np.isfinite(found)]
        if not math.isfinite(value):
            return Figure(None)
        if len(found) < RESAMPLES / 2:  # too often not defined to say anything
            return Figure(value)
        low, high = np.percentile(found, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
        return Figure(value, float(low), float(high))

    def _samples(self) -> list[IntArray]:
        """Draw questions, with all their answers."""
        members = [np.flatnonzero(self.cluster == number) for number in np.unique(self.cluster)]
        if len(members) < 2:
            return []
        random = np.random.default_rng(self.seed)
        draws = random.integers(0, len(members), (RESAMPLES, len(members)))
        return [np.concatenate([members[number] for number in draw]) for draw in draws]

    def agreement(self, human: Floats, judge: Floats) -> float:
        """Give the share that got the same."""
        if self.count is None:
            return float((np.abs(human - judge) < 1e-9).mean())
        return float((_steps(human, self.count) == _steps(judge, self.count)).mean())

    def kappa(self, human: Floats, judge: Floats) -> float:
        """Give Cohen's kappa."""
        if self.count is None:
            return math.nan
        return kappa(_steps(human, self.count), _steps(judge, self.count), self.count)


def _steps(values: Floats, count: int) -> IntArray:
    """Give the nearest grade, from 0; halves go up."""
    return np.floor(values * (count - 1) + 0.5 + 1e-9).astype(np.int64)


def kappa(one: IntArray, other: IntArray, count: int) -> float:
    """Give Cohen's kappa of two raters with quadratic weights (Cohen, "Weighted kappa", 1968).

    1 - sum(w * observed) / sum(w * expected), w = (i - j)^2. With two categories that is the
    plain kappa.

    Args:
        one: categories from 0, int64 [n].
        other: those of the other rater.
        count: categories there are.

    Returns:
        nan where chance alone would have them agree.
    """
    observed = np.bincount(one * count + other, minlength=count * count).reshape(count, count)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / max(1, len(one))
    places = np.arange(count)
    weights = np.square(places[:, None] - places[None, :])
    chance = float((weights * expected).sum())
    return 1 - float((weights * observed).sum()) / chance if chance else math.nan


def pearson(one: Floats, other: Floats) -> float:
    """Give the product-moment correlation; nan where a side does not vary."""
    a, b = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 1e-12 else math.nan


def ranks(values: Floats) -> Floats:
    """Give ranks from 0; equal values share theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return (last - (counts - 1) / 2)[place]
