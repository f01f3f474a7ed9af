"""A race: who drops out, and that the order of reports decides nothing."""

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.schedulers import Race
from raytuner.sweeping.rungs import Rungs
from tests.raytuner.schedulers.simulation import keys

TABLES = st.builds(
    lambda seed, trials, units, kind: made(np.random.default_rng(seed), trials, units, kind),
    seed=st.integers(0, 10**6),
    trials=st.integers(1, 40),
    units=st.integers(1, 90),
    kind=st.sampled_from(["binary", "graded", "equal", "holes"]),
)


def made(rng, trials, units, kind):
    """Scores [trials, units] of trials that differ in worth, on questions that do in difficulty."""
    worth = rng.normal(0, 0.2, size=(trials, 1)) + rng.normal(0, 0.3, size=(1, units))
    scores = np.clip(0.5 + worth + rng.normal(0, 0.2, size=(trials, units)), 0, 1)
    if kind == "equal":
        return np.full((trials, units), 0.5)
    if kind == "binary":
        return np.round(scores)
    if kind == "holes":
        scores[:, rng.random(units) < 0.3] = np.nan
    return scores


def raced(scheduler, scores, *, order=None, fails=(), waves=1):
    """Run trials through `Rungs`; give how many units each has answered, and who was stopped.

    Args:
        order: a source of chance that says who comes in next; None: who began first.
        fails: pairs of trial and units at which it fails.
    """
    names = keys(len(scores))
    units = scores.shape[1]
    rungs = Rungs(scheduler.start(units, 0), units)
    answered, stopped = dict.fromkeys(names, 0), []
    for wave in np.array_split(names, waves):
        waiting = list(wave)
        while True:
            while waiting:
                rungs.enter(str(waiting.pop(0)))
            while ready := rungs.ready:
                key = order.choice(ready) if order else ready[0]
                row, size = names.index(key), rungs.target(key)
                if (row, size) in fails:
                    stopped += rungs.dropped(key)
                    continue
                answered[key] = size
                values = scores[row, :size]
                mean = None if np.isnan(values).all() else float(np.nanmean(values))
                stopped += rungs.reached(key, mean, values)
            going, ended = rungs.drain()
            stopped += ended
            if not going:
                break
    return answered, sorted(stopped)


@settings(max_examples=120, deadline=None)
@given(scores=TABLES, trials=st.sampled_from([None, 7, 16]), seed=st.integers(0, 10**6))
def test_who_comes_in_first_decides_nothing(scores, trials, seed):
    scheduler = Race(trials=trials)
    steady = raced(scheduler, scores)
    assert raced(scheduler, scores, order=random.Random(seed)) == steady


@settings(max_examples=60, deadline=None)
@given(scores=TABLES, seed=st.integers(0, 10**6), rate=st.sampled_from([0.1, 0.5, 1.0]))
def test_failures_block_nobody_and_decide_nothing_by_their_order(scores, seed, rate):
    rungs = Race().rungs(scores.shape[1])
    rng = random.Random(seed)
    fails = {(row, size) for row in range(len(scores)) for size in rungs if rng.random() < rate}
    steady = raced(Race(), scores, fails=fails)
    assert raced(Race(), scores, fails=fails, order=rng) == steady
    if not fails:
        assert scores.shape[1] in steady[0].values()


@settings(max_examples=60, deadline=None)
@given(scores=TABLES, seed=st.integers(0, 10**6))
def test_the_order_in_which_trials_are_named_decides_nothing(scores, seed):
    """One cohort: only scores and keys count, not who was proposed first."""
    units = scores.shape[1]
    entered = keys(len(scores))
    random.Random(seed).shuffle(entered)
    judge = Rungs(Race().start(units, 0), units)
    for key in entered:
        judge.enter(key)
    going = True
    answered = {}
    while going:
        while ready := judge.ready:
            row, size = int(ready[0][1:]), judge.target(ready[0])
            answered[ready[0]] = size
            values = scores[row, :size]
            mean = None if np.isnan(values).all() else float(np.nanmean(values))
            judge.reached(ready[0], mean, values)
        going, _ = judge.drain()
    assert answered == raced(Race(), scores)[0]


@settings(max_examples=80, deadline=None)
@given(scores=TABLES, trials=st.sampled_from([None, 16]), contenders=st.integers(1, 6))
def test_the_best_on_every_question_is_never_stopped(scores, trials, contenders):
    best = len(scores) // 2
    scores[best] = np.fmax.reduce(scores, axis=0) + 0.01
    answered, stopped = raced(Race(trials=trials, contenders=contenders), scores)
    assert answered[keys(len(scores))[best]] == scores.shape[1]
    assert keys(len(scores))[best] not in stopped


@settings(max_examples=60, deadline=None)
@given(scores=TABLES, contenders=st.integers(1, 6))
def test_contenders_are_there_at_the_end(scores, contenders):
    answered, stopped = raced(Race(contenders=contenders), scores)
    complete = [key for key, units in answered.items() if units == scores.shape[1]]
    assert len(complete) >= min(contenders, len(scores))
    assert not set(complete) & set(stopped)


@settings(max_examples=60, deadline=None)
@given(scores=TABLES)
def test_twice_the_questions_are_for_half_of_the_trials_at_most(scores):
    answered, _ = raced(Race(contenders=1), scores)
    rungs = Race().rungs(scores.shape[1])
    there = [sum(units >= rung for units in answered.values()) for rung in rungs]
    for (before, many), (here, few) in itertools.pairwise(zip(rungs, there, strict=True)):
        assert few * here < many * before + here  # a part of a trial is one trial


@settings(max_examples=40, deadline=None)
@given(scores=TABLES, waves=st.integers(2, 4), seed=st.integers(0, 99))
def test_later_cohorts_race_against_the_best_of_earlier_ones(scores, waves, seed):
    scheduler = Race(trials=9)
    steady = raced(scheduler, scores, waves=waves)
    assert raced(scheduler, scores, waves=waves, order=random.Random(seed)) == steady


def test_clear_losers_go_at_once_and_close_ones_stay():
    rng = np.random.default_rng(1)
    difficulty = rng.normal(0.5, 0.3, size=64)
    near = [difficulty + rng.normal(0, 0.02, size=64) for _ in range(8)]
    far = [difficulty - 0.4 + rng.normal(0, 0.02, size=64) for _ in range(8)]
    answered, _ = raced(Race(), np.array(near + far))
    assert [answered[key] for key in keys(16)[8:]] == [8] * 8
    assert sum(answered[key] > 8 for key in keys(16)[:8]) >= 4


def test_a_beaten_cohort_ends_at_its_first_rung():
    rng = np.random.default_rng(2)
    difficulty = rng.normal(0.5, 0.2, size=64)
    good = [difficulty + 0.3 + rng.normal(0, 0.02, size=64) for _ in range(8)]
    bad = [difficulty + rng.normal(0, 0.02, size=64) for _ in range(8)]
    answered, stopped = raced(Race(trials=8), np.array(good + bad))
    assert [answered[key] for key in keys(16)[8:]] == [8] * 8
    assert set(keys(16)[8:]) <= set(stopped)


def test_equals_are_halved_by_key():
    answered, _ = raced(Race(contenders=2), np.full((16, 32), 0.5))
    assert list(answered.values()) == [32] * 4 + [16] * 4 + [8] * 8


@pytest.mark.parametrize(
    ("units", "rungs"),
    [
        (1, (1,)),
        (15, (15,)),
        (16, (8, 16)),
        (40, (8, 16, 40)),
        (64, (8, 16, 32, 64)),
        (88, (8, 16, 32, 64, 88)),
        (120, (8, 16, 32, 64, 120)),
    ],
)
def test_rungs_double_while_it_is_worth_it(units, rungs):
    assert Race().rungs(units) == rungs


def test_too_few_questions_are_no_race():
    answered, stopped = raced(Race(), np.random.default_rng(0).random((9, 15)))
    assert set(answered.values()) == {15}
    assert stopped == []


def test_a_first_rung_beyond_the_questions_is_refused():
    with pytest.raises(ConfigError, match=r"scheduler\.grace: 40 questions .* only 20"):
        Race(grace=40).start(20, 0)
    assert Race(grace=20).rungs(20) == (20,)


def test_all_trials_of_a_search_race_together_where_their_number_is_known():
    assert Race().suited(216, forks=False).trials == 216
    assert Race().suited(None, forks=False).trials == 64
    assert Race().suited(100_000, forks=False).trials == 512
    assert Race(trials=9).suited(216, forks=False) == Race(trials=9)
