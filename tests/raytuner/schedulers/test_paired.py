"""Who is clearly behind: a paired t test with a spread drawn towards the common one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from raytuner.schedulers import paired
from raytuner.schedulers.paired import beaten, mean_of


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), units=st.integers(2, 40), risk=st.sampled_from([0.02, 0.1, 0.3]))
def test_without_a_prior_it_is_scipys_paired_test(monkeypatch_prior, seed, units, risk):
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(6, units))
    table = table[np.argsort(-table.mean(axis=1))]
    wanted = [ttest_rel(table[0], row, alternative="greater").pvalue < risk for row in table[1:]]
    assert beaten(table[0], list(table[1:]), risk) == wanted


@pytest.fixture(scope="module")
def monkeypatch_prior():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired, "_PRIOR", 0)
        yield


def noisy(rng, rows, units):
    return rng.integers(0, 2, size=(rows, units)).astype(float)


def test_equals_are_taken_for_worse_as_often_as_the_risk_says():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        table = noisy(rng, 9, 16)
        found += beaten(table[0], list(table[1:]), 0.1)
    assert 0.06 < np.mean(found) < 0.13


def test_a_large_difference_is_seen_on_few_questions():
    leader = np.ones(8)
    assert beaten(leader, [np.zeros(8), np.r_[np.ones(7), 0.0]], 0.1) == [True, False]


def test_the_leader_itself_and_its_equals_are_never_behind():
    leader = np.array([1.0, 0.0, 1.0, 0.5])
    assert beaten(leader, [leader, leader.copy()], 0.4) == [False, False]


def test_undefined_units_count_for_nobody():
    leader = np.array([1.0, np.nan, 1.0, 1.0, 1.0, 1.0, 1.0])
    rival = np.array([0.0, 1.0, np.nan, 0.0, 0.0, 0.0, 0.0])
    whole = [leader[[0, 3, 4, 5, 6]], rival[[0, 3, 4, 5, 6]]]
    assert beaten(leader, [rival], 0.1) == beaten(whole[0], [whole[1]], 0.1) == [True]
    assert beaten(leader, [np.full(7, np.nan)], 0.4) == [False]


def test_one_question_tells_nothing():
    assert beaten(np.array([1.0]), [np.array([0.0])], 0.4) == [False]
    assert beaten(np.array([1.0]), [], 0.4) == []


def test_means_leave_out_what_is_undefined():
    assert mean_of(np.array([1.0, np.nan, 0.0])) == 0.5
    assert mean_of(np.array([np.nan])) == -np.inf
