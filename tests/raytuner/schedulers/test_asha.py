"""Asynchronous successive halving."""

import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.schedulers import Asha
from tests.raytuner.schedulers.simulation import Driver, fraction, keys, noisy


def test_promotion_step_by_step():
    judge = Asha(grace=1, reduction=3).start(9, 0)
    assert [judge.add(key) for key in "abcdef"] == [1] * 6
    assert judge.report("a", 1, 0.5) == {}
    assert judge.report("b", 1, 0.1) == {}
    assert judge.report("c", 1, 0.2) == {"a": 3}, "one of three"
    assert judge.report("d", 1, 0.9) == {"d": 3}, "better than the one that went on"
    assert judge.report("e", 1, 0.2) == {}
    assert judge.report("f", 1, 0.1) == {}, "both of the best two of six have gone on"
    assert judge.report("a", 3, 0.5) == {}
    assert judge.report("d", 3, 0.6) == {}
    assert judge.drain() == {"d": 9}, "the best at the highest rung is completed"
    assert judge.report("d", 9, 0.6) == {}
    assert judge.drain() == {}


def test_a_good_trial_comes_back_when_there_is_a_place():
    judge = Asha(grace=1, reduction=2).start(4, 0)
    for key in "abcd":
        judge.add(key)
    assert judge.report("a", 1, 0.9) == {}
    assert judge.report("b", 1, 0.8) == {"a": 2}
    assert judge.report("c", 1, 0.1) == {}
    assert judge.report("d", 1, 0.1) == {"b": 2}


def test_ties_go_by_key():
    judge = Asha(grace=1, reduction=3).start(9, 0)
    for key in "cab":
        judge.add(key)
    answers = [judge.report(key, 1, 0.5) for key in "cab"]
    assert answers == [{}, {}, {"a": 3}]


def test_a_failed_trial_has_had_its_place():
    judge = Asha(grace=1, reduction=2).start(4, 0)
    for key in "abcd":
        judge.add(key)
    judge.report("a", 1, 0.9)
    assert judge.report("b", 1, 0.8) == {"a": 2}
    assert judge.drop("a") == {}
    assert judge.drop("b") == {}
    assert judge.report("c", 1, 0.5) == {}
    assert judge.report("d", 1, 0.6) == {}, "the best two of four have gone on, or failed"
    assert judge.drain() == {"d": 4}


def test_stop_lets_go_on_or_stops_at_once():
    judge = Asha(grace=1, reduction=2, variant="stop").start(4, 0)
    for key in "abcd":
        judge.add(key)
    assert judge.report("a", 1, 0.5) == {"a": 2}
    assert judge.report("b", 1, 0.4) == {}, "lost, but nobody is complete yet"
    assert judge.report("c", 1, 0.45) == {"c": 2}, "at the median of 0.4 and 0.5"
    assert judge.report("a", 2, 0.5) == {"a": 4}
    assert judge.report("c", 2, 0.4) == {}
    assert judge.report("a", 4, 0.5) == {"b": None, "c": None}
    assert judge.report("d", 1, 0.1) == {"d": None}
    assert judge.drain() == {}


@settings(max_examples=60, deadline=None)
@given(
    eta=st.integers(2, 5),
    count=st.integers(1, 120),
    workers=st.integers(1, 10),
    rate=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 10**6),
)
def test_whoever_is_promoted_is_among_the_best_and_nobody_else_was_to_be(
    eta, count, workers, rate, seed
):
    """Against the paper's rule, worked out anew from all that was reported."""
    units = eta**4
    outcome = Driver(
        Asha(grace=1, reduction=eta),
        units,
        noisy(seed, 0.05),
        [keys(count)],
        workers=workers,
        fails=fraction(seed, rate),
        chance=random.Random(seed),
    ).run()
    rungs, gone, failed = {}, set(), set()
    for name, args, answer in outcome.calls:
        if name == "drain":
            break
        if name == "drop":
            failed.add(args[0])
        if name == "report" and args[1] < units:
            key, size, score = args
            rung = rungs.setdefault(size, [])
            rung.append((-score, key))
            best = {name for _, name in sorted(rung)[: len(rung) // eta]}
            promotable = {k for k in best if (k, size) not in gone and k not in failed}
            assert set(answer) == promotable
            assert set(answer.values()) <= {size * eta}
            gone |= {(k, size) for k in promotable}
    for size, rung in rungs.items():
        went = sum(at == size for _, at in gone)
        assert len(rung) // eta <= went + len(failed)


def test_in_order_of_arrival_no_more_than_a_share_goes_on():
    """With falling scores nobody is displaced, so that floor(n / reduction) is met exactly."""
    outcome = Driver(Asha(grace=1, reduction=3), 27, lambda key, _: -int(key[1:]), [keys(81)]).run()
    assert Counter(outcome.answered.values()) == {1: 54, 3: 18, 9: 6, 27: 3}
    assert outcome.complete == keys(3)
