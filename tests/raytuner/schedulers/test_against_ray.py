"""Decisions held against those of Ray Tune's own schedulers, fed the same curves."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.schedulers import Asha, Median


class LightTrial:
    """As much of a Ray trial as its schedulers look at."""

    def __init__(self, trial_id):
        self.trial_id = trial_id


class NobodyWaits:
    """As much of Ray's controller as the median rule asks."""

    def get_live_trials(self):
        return []


@pytest.fixture(scope="module")
def ray_schedulers():
    return pytest.importorskip("ray.tune.schedulers")


@settings(max_examples=40, deadline=None)
@given(
    eta=st.integers(2, 4),
    steps=st.integers(1, 4),
    grace=st.integers(1, 3),
    count=st.integers(1, 60),
    seed=st.integers(0, 10**6),
)
def test_asha_stops_whom_ray_stops(ray_schedulers, eta, steps, grace, count, seed):
    chance = random.Random(seed)
    units = grace * eta**steps
    ours = Asha(grace=grace, reduction=eta, variant="stop")
    rungs, judge = ours.rungs(units), ours.start(units, 0)
    theirs = ray_schedulers.ASHAScheduler(
        time_attr="t", metric="m", mode="max", max_t=units, grace_period=grace,
        reduction_factor=eta,
    )  # fmt: skip
    level = {}
    for number in range(count):
        trial = LightTrial(f"t{number}")
        theirs.on_trial_add(None, trial)
        assert judge.add(trial.trial_id) == grace
        level[trial] = 0
    while level:
        trial = chance.choice(list(level))
        size, score = rungs[level[trial]], chance.random()
        answer = theirs.on_trial_result(None, trial, {"t": size, "m": score})
        decided = judge.report(trial.trial_id, size, score)
        if size == units:
            del level[trial]
            continue
        stopped = answer == ray_schedulers.TrialScheduler.STOP
        assert (decided.get(trial.trial_id) is None) == stopped
        level[trial] += 1
        if stopped:
            del level[trial]


@settings(max_examples=40, deadline=None)
@given(
    rungs=st.integers(2, 6),
    count=st.integers(1, 30),
    wanted=st.integers(1, 6),
    seed=st.integers(0, 10**6),
)
def test_the_median_rule_stops_whom_ray_stops(ray_schedulers, rungs, count, wanted, seed):
    """Ray takes the best report of the trial itself, we its mean: so it reports a constant.

    The others' curves are random: their running average over equal steps is our mean.
    """
    chance = random.Random(seed)
    judge = Median(grace=5, interval=5, min_trials=wanted).start(5 * rungs, 0)
    theirs = ray_schedulers.MedianStoppingRule(
        time_attr="t", metric="m", mode="max", grace_period=5, min_samples_required=wanted
    )
    curves = {}
    for number in range(count):
        trial = LightTrial(f"t{number}")
        judge.add(trial.trial_id)
        constant = [chance.random()] * rungs
        curves[trial] = constant if number % 2 else [chance.random() for _ in range(rungs)]
    done = dict.fromkeys(curves, 0)
    while done:
        trial = chance.choice(list(done))
        done[trial] += 1
        steps, curve = done[trial], curves[trial]
        report = {"t": 5 * steps, "m": curve[steps - 1]}
        answer = theirs.on_trial_result(NobodyWaits(), trial, report)
        mean = sum(curve[:steps]) / steps if len(set(curve)) > 1 else curve[0]
        decided = judge.report(trial.trial_id, 5 * steps, mean)
        if steps == rungs:
            del done[trial]
            continue
        stopped = decided.get(trial.trial_id) is None
        if len(set(curve)) == 1:
            assert (answer == ray_schedulers.TrialScheduler.STOP) == stopped
        if stopped:
            del done[trial]
