"""Measures of agreement, against other libraries."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from pipelines.agreement import RESAMPLES, Figure, Pairs, kappa, pearson, ranks


@st.composite
def ratings(draw, count=None):
    count = count or draw(st.integers(2, 6))
    rated = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = np.array(draw(st.lists(rated, min_size=2, max_size=40)), np.int64)
    return pairs[:, 0], pairs[:, 1], count


def same(found, wanted):
    return (math.isnan(found) and math.isnan(wanted)) or found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.filterwarnings("ignore")
@given(ratings())
def test_weighted_kappa_is_scikit_learns(given_ratings):
    one, other, count = given_ratings
    wanted = cohen_kappa_score(one, other, labels=list(range(count)), weights="quadratic")
    assert same(kappa(one, other, count), wanted)


@pytest.mark.filterwarnings("ignore")
@given(ratings(count=2))
def test_kappa_of_yes_and_no_is_the_plain_one(given_ratings):
    one, other, count = given_ratings
    assert same(kappa(one, other, count), cohen_kappa_score(one, other, labels=[0, 1]))


@pytest.mark.filterwarnings("ignore")
@given(ratings())
def test_correlations_are_scipys(given_ratings):
    one, other = (part / 4 for part in given_ratings[:2])
    assert same(pearson(one, other), scipy.stats.pearsonr(one, other).statistic)
    found = pearson(ranks(one), ranks(other))
    assert same(found, scipy.stats.spearmanr(one, other).statistic)


def pairs(human, judge, count=5, cluster=None):
    cluster = np.arange(len(human)) if cluster is None else np.array(cluster)
    return Pairs(np.array(human, float), np.array(judge, float), count, 0, cluster)


def test_agreement_takes_the_nearest_grade():
    some = pairs([0.0, 0.25, 0.5, 1.0], [0.1, 0.375, 0.5, 0.8])  # grades 1 2 3 5; 1 3 3 4
    assert some.agreement(some.human, some.judge) == 0.5
    shares = pairs([0.5, 0.2], [0.5, 0.3], count=None)
    assert shares.agreement(shares.human, shares.judge) == 0.5


def mean(human, judge):
    return float(np.abs(human - judge).mean())


def test_the_interval_of_a_mean_is_what_theory_says():
    random = np.random.default_rng(1)
    human = random.random(200)
    some = pairs(human, human + random.normal(0, 0.2, 200), count=None)
    found = some.figure(mean)
    apart = np.abs(some.human - some.judge)
    half = 1.96 * apart.std() / math.sqrt(200)
    assert found.value == pytest.approx(apart.mean())
    assert found.low == pytest.approx(apart.mean() - half, abs=0.004)
    assert found.high == pytest.approx(apart.mean() + half, abs=0.004)


def test_answers_to_one_question_are_drawn_together():
    human, judge = [0.0] * 40, [0.0] * 20 + [1.0] * 20
    apart = pairs(human, judge).figure(mean)
    together = pairs(human, judge, cluster=[number // 10 for number in range(40)]).figure(mean)
    assert together.value == apart.value
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_intervals_are_the_same_every_time():
    some = pairs([0.0, 0.5, 1.0, 0.25], [0.0, 0.25, 1.0, 0.5])
    assert some.figure(some.kappa) == some.figure(some.kappa)


def test_what_is_not_defined_is_none():
    flat = pairs([1.0] * 5, [1.0] * 5)
    assert flat.figure(flat.kappa) == Figure(None)
    assert flat.figure(pearson) == Figure(None)
    assert flat.figure(flat.agreement) == Figure(1.0, 1.0, 1.0)
    assert pairs([], []).figure(mean) == Figure(None)


def test_one_question_has_no_interval():
    one = pairs([0.0, 1.0], [0.0, 0.5], cluster=[0, 0])
    assert one.figure(mean) == Figure(0.25)


def test_a_measure_that_is_mostly_undefined_has_no_interval():
    some = pairs([1.0] * 30 + [0.0], [1.0] * 30 + [0.0])
    seen = []

    def rarely(human, judge):
        seen.append(human)
        return 1.0 if len(seen) == 1 else math.nan

    assert some.figure(rarely) == Figure(1.0)
    assert len(seen) == RESAMPLES + 1


@settings(max_examples=20)
@given(ratings(count=5))
def test_an_interval_holds_possible_values(given_ratings):
    one, other, count = given_ratings
    some = pairs(one / 4, other / 4, count)
    found = some.figure(some.agreement)
    assert 0 <= found.low <= found.high <= 1
