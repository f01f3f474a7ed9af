"""Strengths from comparisons: closed forms, invariance, planted truth, honest errors."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.rating.bradley_terry import Comparison, fit

NO_PRIOR = math.inf


def judged(first, second, wins=0, losses=0, ties=0):
    outcomes = [1] * wins + [-1] * losses + [0] * ties
    return [Comparison(first, second, outcome) for outcome in outcomes]


@given(wins=st.integers(1, 40), losses=st.integers(1, 40), ties=st.integers(0, 40))
def test_two_items_have_a_closed_form(wins, losses, ties):
    found = fit(judged(0, 1, wins, losses, ties), 2, NO_PRIOR)
    gap, error = found.difference(0, 1)
    assert gap == pytest.approx(math.log(wins / losses), abs=1e-6)
    assert error == pytest.approx(math.sqrt(1 / wins + 1 / losses), rel=1e-5)
    total = wins + losses + ties
    assert found.chances(0, 1) == pytest.approx((wins / total, losses / total, ties / total))


comparisons = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([-1, 0, 1])).filter(
        lambda one: one[0] != one[1]
    ),
    max_size=30,
).map(lambda rows: [Comparison(*row, cluster=n % 12) for n, row in enumerate(rows)])


@settings(max_examples=60, deadline=None)
@given(rows=comparisons, order=st.permutations(range(5)), seed=st.integers(0, 9))
def test_names_sides_and_order_do_not_matter(rows, order, seed):
    found = fit(rows, 5)
    turned = [
        Comparison(order[one.second], order[one.first], -one.outcome, one.cluster) for one in rows
    ]
    random.Random(seed).shuffle(turned)
    other = fit(turned, 5)
    np.testing.assert_allclose(other.values[list(order)], found.values, atol=1e-7)
    for item in range(5):
        assert other.error(order[item]) == pytest.approx(found.error(item), abs=1e-6)
    assert found.values.sum() == pytest.approx(0, abs=1e-9)
    assert np.isfinite(found.values).all()


@settings(max_examples=40, deadline=None)
@given(rows=comparisons, winner=st.integers(0, 4), loser=st.integers(0, 4))
def test_one_more_win_never_hurts(rows, winner, loser):
    if winner == loser:
        return
    before, _ = fit(rows, 5).difference(winner, loser)
    after, _ = fit([*rows, Comparison(winner, loser, 1)], 5).difference(winner, loser)
    assert after >= before - 1e-7


def test_one_that_never_lost_stays_finite_and_unsure():
    few, many = (fit(judged(0, 1, wins=count), 3) for count in (3, 30))
    assert 0 < few.difference(0, 1)[0] < many.difference(0, 1)[0] < 20
    assert few.difference(0, 1)[1] > many.difference(0, 1)[1] / 2
    assert few.p_value(0, 1) > 0.05
    assert few.values[2] == pytest.approx(0, abs=1e-9)
    assert few.error(2) > few.error(0)  # nothing is known of it


def test_nothing_and_ties_alone_say_nothing():
    assert fit([], 3).p_value(0, 1) == 1
    tied = fit(judged(0, 1, ties=9), 2)
    assert tied.difference(0, 1)[0] == pytest.approx(0, abs=1e-9)
    assert tied.chances(0, 1)[2] > 0.8


def simulated(strengths, ties, count, seed):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        i, j = rng.choice(len(strengths), 2, replace=False)
        logits = np.array([strengths[i], strengths[j], ties + (strengths[i] + strengths[j]) / 2])
        chances = np.exp(logits) / np.exp(logits).sum()
        rows.append(Comparison(int(i), int(j), int(rng.choice([1, -1, 0], p=chances))))
    return rows


def test_planted_strengths_are_found():
    planted = np.array([2.0, 1.0, 0.0, -1.0, -2.0])
    found = fit(simulated(planted, -0.5, 2_000, seed=1), 5)
    np.testing.assert_allclose(found.values, planted, atol=0.3)
    assert found.ties == pytest.approx(-0.5, abs=0.2)
    assert found.p_value(0, 1) < 0.001


def test_intervals_hold_what_they_promise():
    planted, inside = np.array([0.8, 0.0, -0.8]), 0
    for seed in range(200):
        gap, error = fit(simulated(planted, -1.0, 60, seed), 3).difference(0, 2)
        inside += abs(gap - 1.6) <= 1.96 * error
    assert inside >= 180  # 95 % of 200 is 190; fewer than 180 has a chance of 1 in 1,000


def test_many_raters_of_the_same_questions_are_no_new_evidence():
    alone = [Comparison(0, 1, 1 if n % 3 else -1, cluster=n) for n in range(15)]
    once, often = fit(alone, 2, NO_PRIOR), fit(alone * 10, 2, NO_PRIOR)
    assert often.robust is not None
    assert often.difference(0, 1)[1] == pytest.approx(once.difference(0, 1)[1], rel=0.1)
    naive = fit([one._replace(cluster=0) for one in alone * 10], 2, NO_PRIOR)
    assert naive.difference(0, 1)[1] < 0.5 * often.difference(0, 1)[1]


@pytest.mark.parametrize("wrong", [Comparison(1, 1, 1), Comparison(0, 2, 1), Comparison(-1, 0, 1)])
def test_items_have_to_be_there(wrong):
    with pytest.raises(ValueError, match="no comparison of two of 2 items"):
        fit([wrong], 2)
