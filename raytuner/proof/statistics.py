"""Statistics of paired scores: tests, intervals, and what luck a search has had.

Everything here takes float64 arrays with one row a question, refuses NaN, and gives the same
figures for the same seed whatever the order of the questions. Questions of one group (a source
document, a conversation) are not independent, so groups are resampled and flipped whole.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from raytuner.proof.resampling import (
    DIGITS,
    Array,
    Grouped,
    all_signs,
    checked,
    grouped,
    random_signs,
    sample_weights,
)

RESAMPLES = 9_999
"""Sign patterns or bootstrap samples: a p-value of 0.05 is then known to 0.002 (its standard
error), and the smallest possible one is 1/10000."""
POWER = 0.8
"""Chance of finding a true effect that sample sizes are computed for (Cohen 1988)."""
SMALL = 30
"""Groups below which intervals are Student's: there a bootstrap covers 90 to 92 %, not 95 %."""


class Intervals(NamedTuple):
    """Mean paired differences with bounds that hold for all candidates together.

    Attributes:
        mean: of the differences over questions, [candidates].
        low, high: simultaneous bounds, [candidates]; infinite where there is one group only.
        error: standard error of the mean, [candidates].
    """

    mean: Array
    low: Array
    high: Array
    error: Array


class Gain(NamedTuple):
    """A gain and the interval it lies in."""

    mean: float
    low: float
    high: float


def paired(scores: ArrayLike, base: int, columns: Sequence[int]) -> Array:
    """Give scores of some configurations minus those of another, question by question.

    Args:
        scores: [questions, configurations], higher is better.
        base: column that is compared with.
        columns: those compared.

    Raises:
        ValueError: a score is missing.
    """
    table = checked(scores, "scores")
    return table[:, list(columns)] - table[:, [base]]


def adjusted_p(
    differences: ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Array:
    """Test whether paired differences are positive, all candidates together.

    If a candidate is no better, the signs of its differences are luck; so they are flipped, for
    all candidates at once, which keeps what these have in common. The largest of the studentised
    sums over all candidates is what a candidate has to beat (max-T), and over those no better
    than itself once the better ones are settled (step-down): Westfall and Young (1993), algorithm
    2.8, with sign flips for permutations. All sign patterns are counted where they are no more
    than `resamples`.

    Args:
        differences: [questions, candidates].
        groups: of every question; their signs are flipped together.
        resamples: random sign patterns.
        seed: of these.

    Returns:
        One-sided p-values in (0, 1], [candidates], adjusted so that the chance of any false
        finding is at most the threshold that is used.

    Raises:
        ValueError: a difference is missing.
    """
    sums = grouped(checked(differences, "differences"), groups).sums
    norm = np.sqrt((sums**2).sum(axis=0))
    live = norm > 0
    unit = np.where(live, sums / np.where(live, norm, 1.0), 0.0)
    reached = unit.sum(axis=0)
    order = np.argsort(-np.round(reached, DIGITS), kind="stable")
    unit, reached = unit[:, order], reached[order] - 10.0**-DIGITS
    varied = np.abs(unit).max(axis=1, initial=0.0) > 0
    exact = int(varied.sum()) <= math.log2(resamples + 1)
    patterns = all_signs(unit[varied]) if exact else random_signs(unit, resamples, seed)
    count, total = np.zeros(len(reached)), 0
    for flipped in patterns:
        largest = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]
        count += (largest >= reached).sum(axis=0)
        total += len(flipped)
    # the data's own signs are one of the patterns: so they are counted once where drawn at random
    p = count / total if exact else (count + 1) / (total + 1)
    adjusted = np.empty(len(reached))
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def intervals(
    differences: ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    alpha: float = 0.05,
    scale: float = 1.0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Intervals:
    """Bound mean paired differences from both sides, all candidates together.

    From `SMALL` groups on, by the largest |t| over the candidates in a cluster bootstrap, widened
    from a normal to a Student quantile. Below, by Student's t with Šidák's (1967) correction.
    A low bound above minus a margin says "not worse by more than the margin".

    Args:
        differences: [questions, candidates].
        groups: of every question; they are resampled whole.
        alpha: chance that any of the intervals misses.
        scale: how far scores may be apart. Where all differences are the same their spread is
            not known to be zero: it is taken as if one question differed by this much.
        resamples: bootstrap samples.
        seed: of these.

    Raises:
        ValueError: a difference is missing.
    """
    table = checked(differences, "differences")
    own = grouped(table, groups)
    questions, count = float(own.sizes.sum()), len(own.sums)
    mean = own.sums.sum(axis=0) / questions
    if count < 2:
        endless = np.full(len(mean), np.inf)
        return Intervals(mean, -endless, endless, endless)
    error = _errors(own, mean, scale)
    if count < SMALL:
        one = 1.0 - (1.0 - alpha) ** (1.0 / len(mean))
        critical = _student(one / 2, count - 1)
    else:
        largest = [
            np.abs((weights @ own.sums) / (weights @ own.sizes)[:, None] - mean) / error
            for weights in sample_weights(count, resamples, seed)
        ]
        quantile = np.quantile(np.concatenate(largest).max(axis=1), 1.0 - alpha)
        normal = float(quantile) * math.sqrt(count / (count - 1))
        critical = _student(NormalDist().cdf(-normal), count - 1)
        critical = max(critical, _student(alpha / 2, count - 1))
    return Intervals(mean, mean - critical * error, mean + critical * error, error)


def _student(tail: float, freedom: int) -> float:
    """Give the value that Student's t exceeds with the probability `tail`."""
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    return -float(stdtrit(freedom, tail))


def errors(
    differences: ArrayLike, groups: Sequence[str] | None = None, *, scale: float = 1.0
) -> Array:
    """Give standard errors of mean paired differences, [candidates]; infinite for one group.

    Cluster-robust: the spread of sums over groups, not of single questions. `scale` as in
    `intervals`.

    Raises:
        ValueError: a difference is missing.
    """
    own = grouped(checked(differences, "differences"), groups)
    if len(own.sums) < 2:
        return np.full(own.sums.shape[1], np.inf)
    return _errors(own, own.sums.sum(axis=0) / own.sizes.sum(), scale)


def corrected_gain(
    scores: ArrayLike,
    base: int,
    groups: Sequence[str] | None = None,
    *,
    alpha: float = 0.05,
    resamples: int = 2_000,
    seed: int = 0,
) -> Gain:
    """Say what "take the best one" gains on questions that did not choose it.

    The best configuration is chosen on a bootstrap sample of the questions and compared on those
    left out: bootstrap bias-corrected selection, Tsamardinos, Greasidou and Borboudakis (2018).
    No configuration is run again for it.

    Args:
        scores: [questions, configurations], higher is better, the base among them.
        base: column that the best is compared with.
        groups: of every question; they are resampled whole.
        alpha: share of the samples outside of the interval.
        resamples: bootstrap samples.
        seed: of these.

    Raises:
        ValueError: a score is missing, or there is one group only, of which none can be left out.
    """
    table = checked(scores, "scores")
    own = grouped(table, groups)
    if len(own.sums) < 2:
        raise ValueError("corrected_gain takes two groups of questions at least, not 1")
    beyond = own.sums - own.sums[:, [base]]
    scale = float(np.abs(beyond).max()) or 1.0
    gains = []
    for weights in sample_weights(len(own.sums), resamples, seed):
        # equal means are equal whatever the order of the sum: the first is taken
        picked = np.round(weights @ beyond / scale, DIGITS).argmax(axis=1)
        left = (weights == 0).astype(np.float64)
        many = left @ own.sizes
        some = many > 0
        gained = np.take_along_axis(left @ beyond, picked[:, None], axis=1)[:, 0]
        gains.append(gained[some] / many[some])
    found = np.concatenate(gains)
    low, high = np.quantile(found, [alpha / 2, 1.0 - alpha / 2])
    return Gain(float(found.mean()), float(low), float(high))


def needed_questions(sd: float, delta: float, alpha: float = 0.05, power: float = POWER) -> int:
    """Count the questions that prove an effect: ((z_(alpha/2) + z_power) sd / delta)², rounded up.

    Args:
        sd: standard deviation of a question's paired difference.
        delta: the true mean difference, above 0.
        alpha: threshold of the two-sided test.
        power: chance of proving it.

    Raises:
        ValueError: there is no effect to prove.
    """
    if not delta > 0:
        raise ValueError(f"delta {delta} must be above 0: no number of questions proves it")
    return max(1, math.ceil((_z(alpha, power) * sd / delta) ** 2 - 10.0**-DIGITS))


def fewest_groups(alpha: float = 0.05) -> int:
    """Count the groups without which no sign flip can prove anything, however large the gain.

    The smallest two-sided p-value of g groups is 2^(1 - g): all signs alike, one way or the other.

    Args:
        alpha: threshold of the two-sided test, which p has to stay below.
    """
    return math.floor(1.0 - math.log2(alpha)) + 1


def detectable(questions: int, sd: float, alpha: float = 0.05, power: float = POWER) -> float:
    """Give the smallest true mean difference that so many questions prove; see `needed_questions`.

    Raises:
        ValueError: there are no questions.
    """
    if questions < 1:
        raise ValueError(f"questions {questions} must be at least 1")
    return _z(alpha, power) * sd / math.sqrt(questions)


def _z(alpha: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1.0 - alpha / 2) + normal.inv_cdf(power)


def _errors(own: Grouped, mean: Array, scale: float) -> Array:
    count, questions = len(own.sums), float(own.sizes.sum())
    rest = own.sums - own.sizes[:, None] * mean
    error = np.sqrt((rest**2).sum(axis=0) * count / (count - 1)) / questions
    least = scale / questions
    return np.where(error > least * 10.0**-DIGITS, error, least)
