"""When further trials would only cost: the chance that one is better by what can be told apart.

The idea is that of A. Makarova et al., "Automatic Termination for Hyperparameter Optimization",
AutoML 2022: stop when what can still be gained is less than what the evaluation can tell apart.
Theirs asks a model of the parameters; here trials come by chance, so those seen tell what others
are like: the true means are taken as normal, and their spread is estimated from what scores vary
by beyond their noise (C. N. Morris, "Parametric Empirical Bayes Inference", JASA 78, 1983).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST = 32
"""Trials that have to be seen before anything is said of others."""
_QUESTIONS = 4
"""Questions that all of them must have answered."""
_DETECTABLE = 1.645 + 0.842
"""Standard errors that a one-sided test at 5 % finds with 80 % power."""
_NOTHING = 1e-12
"""A variance that is none."""
_RISK = 0.05
"""Chance that the spread is larger than what is counted with."""


class Outlook(NamedTuple):
    """What further trials may bring.

    Attributes:
        chance: that at least one of them is truly better than the leader by more than `effect`.
        effect: least difference of two trials that all questions tell apart.
    """

    chance: float
    effect: float


def outlook(scores: NDArray[np.float64], leader: int, first: int, further: int) -> Outlook | None:
    """Judge by trials that came by chance what further ones may bring.

    A score is question + trial + noise. Noise, and the spread of the trials, are taken from the
    first questions, which all have answered: the spread is the upper confidence limit of the
    variance of their means, less the noise in them. What the leader is worth is predicted from
    all answers (best linear unbiased prediction: G. K. Robinson, Statistical Science 6, 1991), so
    shrunk to the mean of all trials as far as it rests on few questions: having been chosen makes
    it no better. A kind of trial that is rare and unlike all that were seen is not foreseen.

    Args:
        scores: of all trials by question, NaN where not answered; shape [trials, questions].
        leader: row of the best trial.
        first: how many questions all trials have answered.
        further: how many more trials there would be.

    Returns:
        None if there are too few trials or questions.
    """
    from scipy.special import gammaincinv, ndtr

    early = scores[:, :first]
    early = early[:, ~np.isnan(early).any(axis=0)]
    trials, questions = early.shape
    if trials < FEWEST or questions < _QUESTIONS:
        return None
    means = early.mean(axis=1)
    residuals = early - means[:, None] - early.mean(axis=0) + early.mean()
    noise = float((residuals**2).sum()) / ((trials - 1) * (questions - 1))
    freedom = trials - 1
    quantile = 2 * float(gammaincinv(freedom / 2, _RISK))
    spread = max(0.0, float(means.var(ddof=1)) * freedom / quantile - noise / questions)
    effect = _DETECTABLE * math.sqrt(2 * noise / scores.shape[1])
    if spread <= _NOTHING or noise <= _NOTHING:
        return Outlook(0.0, effect) if spread <= _NOTHING else None
    worth, doubt = _predicted(scores, leader, noise, spread)
    one = float(ndtr(-(worth + effect) / math.sqrt(spread + doubt)))
    return Outlook(-math.expm1(further * math.log1p(-min(one, 1 - 1e-12))), effect)


def _predicted(
    scores: NDArray[np.float64], row: int, noise: float, spread: float
) -> tuple[float, float]:
    """Predict what a trial is worth beside the mean of all, and the variance of that.

    Solves the mixed model equations, questions as fixed effects, trials as random ones; the
    questions are eliminated first.
    """
    answered = ~np.isnan(scores)
    answered = answered[:, answered.any(axis=0)]
    values = np.where(answered, scores[:, ~np.isnan(scores).all(axis=0)], 0.0)
    share = answered / answered.sum(axis=0)
    system = np.diag(answered.sum(axis=1) + noise / spread) - share @ answered.T
    right = values.sum(axis=1) - share @ values.sum(axis=0)
    unit = np.zeros(len(scores))
    unit[row] = 1.0
    solved = np.linalg.solve(system, np.stack([right, unit], axis=1))
    return float(solved[row, 0]), noise * float(solved[row, 1])
