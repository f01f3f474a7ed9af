"""Strengths from comparisons in pairs, ties included.

R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs", Biometrika 39 (1952);
ties after R. R. Davidson, "On extending the Bradley-Terry model to accommodate ties in paired
comparison experiments", JASA 65 (1970): with strengths t, and v for how common ties are,

    P(i wins) : P(j wins) : P(tie)  =  exp(t_i) : exp(t_j) : exp(v + (t_i + t_j) / 2).

That is a conditional logit, concave in (t, v), so Newton's method finds the one maximum. A normal
prior on every strength, and on v, keeps those finite that never won or never lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR = 3.0
"""Standard deviation of the prior, in log odds: a gap of 3 is 95 wins in 100."""
_CLUSTERS = 10
"""From so many questions on, how much they differ is measured; of fewer it cannot be."""
_STEPS = 100
_ROWS = {1: 0, -1: 1, 0: 2}
"""Where an outcome stands among the features of a comparison."""

Floats = NDArray[np.float64]


class Comparison(NamedTuple):
    """One judgement.

    Attributes:
        first, second: what was compared, by number.
        outcome: 1: the first is better, -1: the second, 0: a tie.
        cluster: what it shares with others that are no independent evidence (the question).
    """

    first: int
    second: int
    outcome: int
    cluster: int = -1


@dataclass(frozen=True)
class Strengths:
    """What comparisons say.

    Attributes:
        values: log strengths, centred at 0; shape [items].
        ties: v of the model; -inf where nothing was tied.
        covariance: of `values`, as the model has it; shape [items, items].
        robust: the same, allowing for questions on which all judgements lean one way; None where
            there are too few questions to tell.
    """

    values: Floats
    ties: float
    covariance: Floats
    robust: Floats | None = None

    def difference(self, first: int, second: int) -> tuple[float, float]:
        """Give how much stronger `first` is, and the standard error: the larger of the two."""
        contrast = np.zeros(len(self.values))
        contrast[first], contrast[second] = 1.0, -1.0
        return float(contrast @ self.values), self._error(contrast)

    def error(self, item: int) -> float:
        """Give the standard error of a strength against the average of all."""
        contrast = np.full(len(self.values), -1.0 / len(self.values))
        contrast[item] += 1.0
        return self._error(contrast)

    def p_value(self, first: int, second: int) -> float:
        """Give the two-sided p-value of both being equal (Wald)."""
        gap, error = self.difference(first, second)
        return math.erfc(abs(gap) / error / math.sqrt(2)) if error > 0 else 1.0

    def chances(self, first: int, second: int) -> tuple[float, float, float]:
        """Give the chance that the first wins, that the second does, and of a tie."""
        chances = _chances(self.values[first], self.values[second], self.ties)
        return float(chances[0]), float(chances[1]), float(chances[2])

    def _error(self, contrast: Floats) -> float:
        found = [self.covariance] if self.robust is None else [self.covariance, self.robust]
        return math.sqrt(max(0.0, *(float(contrast @ one @ contrast) for one in found)))


def fit(comparisons: Sequence[Comparison], items: int, prior: float = PRIOR) -> Strengths:
    """Find the most likely strengths.

    Args:
        comparisons: of items numbered from 0.
        items: how many there are.
        prior: standard deviation of strengths; inf: none, and then every item has to have won
            and lost against the others, directly or over others.

    Raises:
        ValueError: an item is compared with itself, or out of range.
    """
    for one in comparisons:
        if one.first == one.second or not 0 <= min(one[:2]) <= max(one[:2]) < items:
            raise ValueError(f"no comparison of two of {items} items: {one}")
    data = _Data(comparisons, items, prior)
    at = np.zeros(items + data.tied)
    for _ in range(_STEPS):
        gradient, hessian = data.slopes(at)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while data.value(at + size * step) < data.value(at) - 1e-12 and size > 1e-6:
            size /= 2
        at = at + size * step
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    values = at[:items] - (at[:items].mean() if items else 0.0)
    ties = float(at[items]) if data.tied else -math.inf
    covariance, robust = data.covariances(at)
    return Strengths(values, ties, covariance, robust)


def _chances(first: float, second: float, ties: float) -> Floats:
    logits = np.array([first, second, ties + (first + second) / 2])
    raised = np.exp(logits - logits.max())
    return np.asarray(raised / raised.sum(), dtype=np.float64)


class _Data:
    """Comparisons as arrays: per comparison, three rows of features, and which one came true."""

    def __init__(self, comparisons: Sequence[Comparison], items: int, prior: float) -> None:
        self.items = items
        self.tied = int(any(one.outcome == 0 for one in comparisons))
        size = items + self.tied
        self._features = np.zeros((len(comparisons), 2 + self.tied, size))
        for row, one in enumerate(comparisons):
            self._features[row, 0, one.first] = 1.0
            self._features[row, 1, one.second] = 1.0
            if self.tied:
                self._features[row, 2, [one.first, one.second]] = 0.5
                self._features[row, 2, items] = 1.0
        self._came = np.array([_ROWS[one.outcome] for one in comparisons], dtype=np.intp)
        self._rows = np.arange(len(comparisons))
        self._clusters = [one.cluster for one in comparisons]
        self._ridge = np.zeros((size, size))
        self._ridge[np.diag_indices(size)] = prior**-2
        self._drift = np.zeros((size, size))  # strengths mean something up to a constant only
        self._drift[:items, :items] = 1.0

    def value(self, at: Floats) -> float:
        logits = self._features @ at
        top = logits.max(axis=1, initial=-math.inf)
        spread = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
        fit = float((logits[self._rows, self._came] - spread).sum())
        return fit - float(at @ (self._ridge + self._drift) @ at) / 2

    def slopes(self, at: Floats) -> tuple[Floats, Floats]:
        """Give the gradient, and the Hessian with its sign turned."""
        scores, weighted = self._scores(at)
        mean = np.einsum("nk,nkd->nd", weighted, self._features)
        hessian = np.einsum("nk,nkd,nke->de", weighted, self._features, self._features)
        hessian -= mean.T @ mean
        hessian += self._ridge + self._drift
        return scores.sum(axis=0) - (self._ridge + self._drift) @ at, hessian

    def covariances(self, at: Floats) -> tuple[Floats, Floats | None]:
        """Give the covariance of strengths by the model, and by how clusters differ (sandwich)."""
        _, hessian = self.slopes(at)
        inverse: Floats = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
        kept = slice(0, self.items)
        names = sorted(set(self._clusters))
        if len(names) < _CLUSTERS:
            return inverse[kept, kept], None
        scores, _ = self._scores(at)
        sums = np.zeros((len(names), scores.shape[1]))
        np.add.at(sums, [names.index(cluster) for cluster in self._clusters], scores)
        spread: Floats = sums.T @ sums * len(names) / (len(names) - 1)
        return inverse[kept, kept], (inverse @ spread @ inverse)[kept, kept]

    def _scores(self, at: Floats) -> tuple[Floats, Floats]:
        """Give the gradient of every comparison, and the chance of each of its outcomes."""
        logits = self._features @ at
        raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-math.inf))
        chances = raised / raised.sum(axis=1, keepdims=True)
        mean = np.einsum("nk,nkd->nd", chances, self._features)
        return self._features[self._rows, self._came] - mean, chances
