"""Statistics of paired scores: what must hold whatever the scores are, and what SciPy says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raytuner.proof.statistics import (
    adjusted_p,
    corrected_gain,
    detectable,
    errors,
    fewest_groups,
    intervals,
    needed_questions,
    paired,
)

RESAMPLES = 499
QUARTERS = st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0])


@st.composite
def tables(draw, questions=(1, 40), candidates=(1, 4)):
    rows, columns = draw(st.integers(*questions)), draw(st.integers(*candidates))
    flat = draw(st.lists(QUARTERS, min_size=rows * columns, max_size=rows * columns))
    return np.array(flat).reshape(rows, columns)


def everything(differences, groups=None, scale=1.0):
    bounds = intervals(differences, groups, scale=scale, resamples=RESAMPLES)
    return (
        adjusted_p(differences, groups, resamples=RESAMPLES),
        bounds.mean / scale,
        bounds.low / scale,
        bounds.high / scale,
    )


def same(one, other):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-7, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_questions_does_not_matter(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    groups = [str(row // 3) for row in range(len(table))]
    moved = [groups[row] for row in order]
    same(everything(table), everything(table[order]))
    same(everything(table, groups), everything(table[order], moved))


@settings(max_examples=40, deadline=None)
@given(tables(), st.sampled_from([1e-6, 0.1, 3.0, 1e6]), st.floats(-5, 5))
def test_units_and_zero_of_the_metric_do_not_matter(table, scale, shift):
    scores = np.column_stack([np.zeros(len(table)), table])
    columns = range(1, scores.shape[1])
    moved = paired(scale * (scores + shift), 0, columns)
    same(everything(paired(scores, 0, columns)), everything(moved, scale=scale))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_p_values_lie_above_0_and_intervals_around_the_mean(table):
    p = adjusted_p(table, resamples=RESAMPLES)
    assert ((p > 0) & (p <= 1)).all()
    bounds = intervals(table, resamples=RESAMPLES)
    np.testing.assert_allclose(bounds.mean, table.mean(axis=0), atol=1e-12)
    assert (bounds.low < bounds.mean).all()
    assert (bounds.high > bounds.mean).all()


@settings(max_examples=60, deadline=None)
@given(tables(questions=(1, 8)), st.data())
def test_one_more_candidate_never_makes_another_look_better(table, data):
    worse = st.lists(QUARTERS, min_size=len(table), max_size=len(table))
    more = np.column_stack([table, data.draw(worse)])
    assert (adjusted_p(more)[:-1] >= adjusted_p(table) - 1e-12).all()


def test_one_more_candidate_never_makes_another_look_better_at_random_either():
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.normal(0.1, 1.0, (50, 4))
        assert (
            adjusted_p(table, resamples=199)[:3] >= adjusted_p(table[:, :3], resamples=199)
        ).all()


@settings(max_examples=40, deadline=None)
@given(tables(questions=(2, 10), candidates=(1, 1)))
def test_one_candidate_agrees_with_scipy_where_all_signs_are_counted(table):
    theirs = stats.permutation_test(
        (table[:, 0],), np.sum, permutation_type="samples", alternative="greater",
        n_resamples=np.inf,
    )  # fmt: skip
    assert adjusted_p(table)[0] == pytest.approx(theirs.pvalue, abs=1e-12)


def test_one_candidate_agrees_with_scipy_within_the_error_of_sampling():
    rng = np.random.default_rng(1)
    for gain in (0.0, 0.1, 0.25):
        table = rng.normal(gain, 1.0, (60, 1))
        theirs = stats.permutation_test(
            (table[:, 0],), lambda x, axis=-1: x.mean(axis), permutation_type="samples",
            alternative="greater", vectorized=True, n_resamples=9999, rng=2,
        ).pvalue  # fmt: skip
        error = math.sqrt(2 * theirs * (1 - theirs) / 9999)
        assert abs(adjusted_p(table)[0] - theirs) < 4 * error


def test_groups_of_one_are_no_groups_and_equal_answers_of_a_group_count_once():
    rng = np.random.default_rng(2)
    table = rng.normal(0.2, 1.0, (40, 2))
    same(everything(table), everything(table, [str(row) for row in range(40)]))
    fivefold, groups = np.repeat(table, 5, axis=0), [str(row // 5) for row in range(200)]
    np.testing.assert_allclose(adjusted_p(fivefold, groups), adjusted_p(table))
    np.testing.assert_allclose(errors(fivefold, groups), errors(table))
    assert (errors(fivefold) < errors(table) / 2).all()


def test_intervals_are_those_of_student_and_of_scipy():
    rng = np.random.default_rng(3)
    few = rng.normal(0.3, 1.0, (20, 1))
    theirs = stats.ttest_1samp(few[:, 0], 0.0).confidence_interval(0.95)
    ours = intervals(few)
    assert (ours.low[0], ours.high[0]) == pytest.approx((theirs.low, theirs.high))
    many = rng.exponential(1.0, (200, 1))
    theirs = stats.bootstrap((many[:, 0],), np.mean, method="percentile", rng=0)
    ours = intervals(many)
    width = ours.high[0] - ours.low[0]
    assert ours.low[0] == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert ours.high[0] == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_more_candidates_make_intervals_wider():
    rng = np.random.default_rng(4)
    for questions in (20, 60):
        table = rng.normal(0.0, 1.0, (questions, 3))
        one, all_three = intervals(table[:, :1]), intervals(table)
        assert all_three.high[0] - all_three.low[0] > one.high[0] - one.low[0]


@pytest.mark.parametrize("questions", [5, 60])
@pytest.mark.parametrize("value", [0.0, 0.25])
def test_differences_that_are_all_the_same_are_no_certainty(questions, value):
    table = np.full((questions, 2), value)
    bounds = intervals(table)
    assert (bounds.high - bounds.low > 2 / questions).all()
    p = adjusted_p(table)
    assert (p == 1.0).all() if value == 0 else (p <= 2.0 ** -min(questions, 12)).all()


def test_one_question_proves_nothing():
    assert adjusted_p([[1.0]])[0] == 0.5
    bounds = intervals([[1.0]])
    assert (bounds.low[0], bounds.mean[0], bounds.high[0]) == (-math.inf, 1.0, math.inf)
    with pytest.raises(ValueError, match="two groups"):
        corrected_gain([[1.0, 0.0]], 1)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_missing_is_refused_and_named(bad):
    table = np.zeros((5, 3))
    table[3, 1] = bad
    for call in (adjusted_p, intervals, errors, lambda t: corrected_gain(t, 0),
                 lambda t: paired(t, 0, [1])):  # fmt: skip
        with pytest.raises(ValueError, match=r"\[3, 1\] is (nan|inf)"):
            call(table)


def test_groups_have_to_be_as_many_as_questions():
    with pytest.raises(ValueError, match="2 groups for 3 questions"):
        adjusted_p(np.zeros((3, 1)), ["a", "b"])


@given(
    st.integers(2, 5000), st.floats(0.05, 2.0), st.floats(0.001, 0.2), st.floats(0.5, 0.95)
)  # fmt: skip
def test_needed_and_detectable_are_inverses(questions, sd, alpha, power):
    delta = detectable(questions, sd, alpha, power)
    assert needed_questions(sd, delta, alpha, power) == questions


def test_needed_questions_of_the_textbook():
    assert [needed_questions(0.5, gain) for gain in (0.03, 0.05, 0.1)] == [2181, 785, 197]
    with pytest.raises(ValueError, match="above 0"):
        needed_questions(0.5, 0.0)
    with pytest.raises(ValueError, match="at least 1"):
        detectable(0, 0.5)


def _answers(rng, questions, gains, graded=True):
    """Draw differences to a common base, as scores of real configurations have them."""
    difficulty = rng.normal(0, 1.8, (questions, 1))
    chance = 1 / (1 + np.exp(-difficulty - rng.normal(0, 0.9, (questions, len(gains)))))
    tries = 4 if graded else 1
    return rng.binomial(tries, chance) / tries + np.array(gains)


def _covered(questions, replicates, groups=None):
    rng = np.random.default_rng(5)
    gains = [0.0, 0.1, 0.0, -0.1]
    missed = 0
    for _ in range(replicates):
        bounds = intervals(
            paired(_answers(rng, questions, gains), 0, [1, 2, 3]), groups, resamples=RESAMPLES
        )
        true = np.array(gains[1:])
        missed += bool(((bounds.low > true) | (bounds.high < true)).any())
    return 1 - missed / replicates


@pytest.mark.parametrize("questions", [20, 30, 60])
def test_intervals_cover_what_they_say(questions):
    # 400 samples of 95 %: a standard error of 1.1 %
    assert 0.92 < _covered(questions, 400) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("questions", [20, 30, 60, 200])
def test_intervals_cover_what_they_say_precisely(questions):
    # 4000 samples of 95 %: a standard error of 0.35 %; skewed differences cost up to 1 %
    assert 0.93 < _covered(questions, 4000) < 0.975


@pytest.mark.parametrize("graded", [False, True])
def test_equal_configurations_are_rarely_called_better(graded):
    rng = np.random.default_rng(6)
    found = sum(
        adjusted_p(
            paired(_answers(rng, 40, [0.0] * 4, graded), 0, [1, 2, 3]), resamples=RESAMPLES
        ).min()
        < 0.05
        for _ in range(500)
    )
    assert stats.binomtest(found, 500, 0.05, alternative="greater").pvalue > 0.01


def test_correction_takes_out_most_of_the_luck():
    rng = np.random.default_rng(7)
    raw, corrected = [], []
    for _ in range(60):
        scores = _answers(rng, 40, [0.0] * 16, graded=False)
        raw.append(scores.mean(axis=0).max() - scores[:, 0].mean())
        corrected.append(corrected_gain(scores, 0, resamples=200).mean)
    assert np.mean(raw) > 0.08
    assert abs(np.mean(corrected)) < np.mean(raw) / 3


def test_correction_keeps_a_gain_that_is_there():
    rng = np.random.default_rng(8)
    scores = _answers(rng, 200, [0.0, 0.3, 0.0])
    gain = corrected_gain(scores, 0)
    assert gain.mean == pytest.approx(0.3, abs=0.06)
    assert gain.low < gain.mean < gain.high
    order = rng.permutation(200)
    assert corrected_gain(scores[order], 0) == pytest.approx(gain)


def test_large_tables_fit_into_memory():
    rng = np.random.default_rng(9)
    table = rng.normal(0.0, 1.0, (3000, 3))
    assert (adjusted_p(table) > 0).all()
    assert (intervals(table, resamples=999).error < 0.03).all()


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.0125, 0.01, 0.001, 0.03125, 0.0625])
def test_fewer_groups_prove_nothing_however_large_the_gain(alpha):
    fewest = fewest_groups(alpha)
    for groups in range(2, 13):
        owners = [str(question % groups) for question in range(60)]
        p = 2.0 * adjusted_p(np.ones((60, 1)), owners)[0]
        assert bool(p < alpha) is (groups >= fewest)
