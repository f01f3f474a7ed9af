"""Groups that advance together: successive halving and HyperBand's brackets."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.schedulers import Halving, HyperBand
from raytuner.schedulers.hyperband import bracket_sizes
from tests.raytuner.schedulers.simulation import Driver, keys, noisy


def steady(key, units):
    """The same score at every rung: the later the key, the better."""
    return float(key[1:])


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 100), eta=st.integers(2, 4), workers=st.integers(1, 8))
def test_halving_keeps_the_best_share_of_all(count, eta, workers):
    units = eta**3
    outcome = Driver(
        Halving(grace=1, reduction=eta), units, steady, [keys(count)], workers=workers
    ).run()
    for level in range(4):
        reached = {key for key, answered in outcome.answered.items() if answered >= eta**level}
        assert reached == set(keys(count)[-max(1, count // eta**level) :])


def test_groups_follow_each_other():
    outcome = Driver(
        Halving(grace=1, reduction=3, trials=9), 9, steady, [keys(20)], workers=5
    ).run()
    assert set(outcome.complete) == {"t00008", "t00017", "t00019"}, "the last group has two"
    assert outcome.cost == 2 * (6 * 1 + 2 * 3 + 9) + 1 + 9


def test_a_group_waits_for_its_last_trial():
    judge = Halving(grace=1, reduction=2, trials=4).start(2, 0)
    for key in "abcd":
        judge.add(key)
    assert [judge.report(key, 1, 1.0) for key in "dcb"] == [{}, {}, {}]
    assert judge.add("e") == 1, "the next group does not wait"
    assert judge.report("e", 1, 9.0) == {}
    assert judge.report("a", 1, 0.5) == {"b": 2, "c": 2}, "ties go by key"
    assert judge.report("c", 2, 1.0) == {"a": None, "d": None}
    assert judge.drain() == {"e": 2}


def test_a_failed_trial_has_lost():
    judge = Halving(grace=1, reduction=2, trials=4).start(2, 0)
    for key in "abcd":
        judge.add(key)
    for key, score in [("a", 0.1), ("b", 0.2), ("c", 0.3)]:
        judge.report(key, 1, score)
    assert judge.drop("d") == {"c": 2, "b": 2}


def test_brackets_are_those_of_the_paper():
    """R = 81 and eta = 3: trials and questions of every rung of every bracket."""
    assert bracket_sizes(5, 3) == (81, 34, 15, 8, 5)
    outcome = Driver(HyperBand(grace=1), 81, steady, [keys(143)]).run()
    brackets, start = [], 0
    for size in bracket_sizes(5, 3):
        answered = [outcome.answered[key] for key in keys(143)[start : start + size]]
        start += size
        brackets.append([sum(a >= r for a in answered) for r in (1, 3, 9, 27, 81)])
    assert brackets == [
        [81, 27, 9, 3, 1],
        [34, 34, 11, 3, 1],
        [15, 15, 15, 5, 1],
        [8, 8, 8, 8, 2],
        [5, 5, 5, 5, 5],
    ]


@pytest.mark.parametrize("eta", [2, 3, 4])
@pytest.mark.parametrize("rungs", [1, 2, 3, 4, 5])
def test_brackets_are_those_of_ray(eta, rungs):
    from ray.tune.schedulers import HyperBandScheduler

    ray = HyperBandScheduler(
        time_attr="t", metric="m", mode="max", max_t=eta ** (rungs - 1), reduction_factor=eta
    )
    assert ray._s_max_1 == rungs
    assert bracket_sizes(rungs, eta) == tuple(ray._get_n0(s) for s in reversed(range(rungs)))


def test_after_the_last_bracket_comes_the_first():
    judge = HyperBand(grace=1, reduction=3).start(9, 0)
    firsts = Counter(judge.add(key) for key in keys(9 + 5 + 3 + 9))
    assert bracket_sizes(3, 3) == (9, 5, 3)
    assert firsts == {1: 18, 3: 5, 9: 3}


def test_a_bracket_that_is_not_full_is_decided_with_what_it_has():
    outcome = Driver(HyperBand(grace=1), 81, steady, [keys(10)], workers=3).run()
    assert Counter(outcome.answered.values()) == {1: 7, 3: 2, 81: 1}
    assert outcome.complete == ["t00009"]


def test_trials_that_come_after_a_drain_get_a_bracket_of_their_own():
    outcome = Driver(HyperBand(grace=1), 81, noisy(2), [keys(30), keys(12, "u")]).run()
    assert {key[0] for key in outcome.complete} == {"t", "u"}
