"""Whether what is said of trials to come holds when they come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.schedulers import Race, Settling
from raytuner.schedulers.settling import FEWEST, outlook

UNITS, FURTHER = 96, 64


def drawn(rng, trials, spread, skew=0.0):
    """True worth of trials, by a law with this spread; skewed to the bad if asked for."""
    raw = rng.normal(size=trials)
    if skew:
        raw = -(rng.gamma(1 / skew, skew, size=trials) - 1) / np.sqrt(skew)
    return spread * raw


def answers(rng, worth, questions=UNITS, noise=0.3):
    difficulty = rng.normal(0, 0.4, size=(1, questions))
    return worth[:, None] + difficulty + rng.normal(0, noise, size=(len(worth), questions))


def rested(scores, first=8, complete=4):
    """Leave the best few their later answers only, as a race does; give them and the leader."""
    ranked = np.argsort(-scores[:, :first].mean(axis=1))
    seen = scores.copy()
    seen[ranked[complete:], first:] = np.nan
    leader = ranked[:complete][scores[ranked[:complete]].mean(axis=1).argmax()]
    return seen, int(leader)


@pytest.mark.parametrize("skew", [0.0, 1.0])
@pytest.mark.parametrize(("spread", "trials"), [(0.05, 64), (0.1, 256), (0.2, 256)])
def test_who_is_settled_seldom_misses_a_better_trial(spread, trials, skew):
    rng = np.random.default_rng(int(100 * spread + skew))
    stopped, missed = 0, 0
    for _ in range(60):
        worth = drawn(rng, trials, spread, skew)
        seen, leader = rested(answers(rng, worth))
        found = outlook(seen, leader, 8, FURTHER)
        if found.chance < 0.05:
            stopped += 1
            missed += drawn(rng, FURTHER, spread, skew).max() > worth[leader] + found.effect
    assert missed <= max(1, 0.05 * stopped)


def test_many_trials_beside_noisy_questions_are_enough_and_few_are_not():
    rng = np.random.default_rng(5)
    chances = []
    for trials in (40, 600):
        found = [
            outlook(*rested(answers(rng, drawn(rng, trials, 0.08))), 8, FURTHER).chance
            for _ in range(9)
        ]
        chances.append(np.median(found))
    assert chances[1] < 0.05 < chances[0]


def test_a_wide_spread_and_few_questions_go_on():
    rng = np.random.default_rng(0)
    worth = np.concatenate([[0.2], rng.normal(0, 0.5, size=63)])
    assert outlook(answers(rng, worth, noise=0.1), 0, 8, FURTHER).chance > 0.5


def test_the_leader_is_shrunk_as_far_as_it_rests_on_few_questions():
    rng = np.random.default_rng(1)
    scores = answers(rng, np.r_[0.3, drawn(rng, 63, 0.1)])
    few = scores.copy()
    few[:, 8:] = np.nan
    assert outlook(scores, 0, 8, FURTHER).chance < outlook(few, 0, 8, FURTHER).chance


def test_trials_that_are_all_equal_are_settled():
    row = answers(np.random.default_rng(0), np.zeros(1))
    assert outlook(np.tile(row, (64, 1)), 0, 8, FURTHER).chance == 0.0


@pytest.mark.parametrize(("trials", "questions"), [(FEWEST - 1, 8), (64, 3)])
def test_too_little_tells_nothing(trials, questions):
    scores = answers(np.random.default_rng(0), np.zeros(trials))
    assert outlook(scores, 0, questions, FURTHER) is None


def test_a_question_nobody_has_a_score_at_is_as_if_it_were_not_there():
    rng = np.random.default_rng(0)
    scores = answers(rng, drawn(rng, 64, 0.1), questions=9)
    holes = scores.copy()
    holes[:, 4] = np.nan
    less = np.delete(scores, 4, axis=1)
    chances = [outlook(some, 3, first, 64) for some, first in ((holes, 9), (less, 8))]
    assert chances[0].effect == pytest.approx(chances[1].effect * (8 / 9) ** 0.5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.01, 0.1, 0.5]))
def test_more_trials_have_more_chances(seed, spread):
    rng = np.random.default_rng(seed)
    scores = answers(rng, drawn(rng, 40, spread))
    chances = [outlook(scores, 0, 8, more).chance for more in (1, 8, 64)]
    assert chances == sorted(chances)
    assert all(0 <= chance <= 1 for chance in chances)


def test_a_race_says_how_sure_it_is_once_cohorts_are_over():
    rng = np.random.default_rng(6)
    scores = answers(rng, drawn(rng, 512, 0.01))
    judge = Race(trials=64).start(UNITS, 0)
    assert isinstance(judge, Settling)
    targets = {f"t{row:03}": judge.add(f"t{row:03}") for row in range(512)}
    assert judge.settled() is None
    while targets:
        key, units = targets.popitem()
        values = scores[int(key[1:]), :units]
        judge.measure(key, values)
        decided = judge.report(key, units, float(values.mean()))
        targets.update({name: size for name, size in decided.items() if size is not None})
    assert "the next 64 trials would include one better by 0.1" in judge.settled()
    assert judge.settled().endswith("(estimated from 512 trials)")
