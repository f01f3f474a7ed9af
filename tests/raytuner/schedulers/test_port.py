"""What every scheduler promises, whatever becomes of its trials."""

import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.schedulers import Asha, Full, Scheduler
from tests.raytuner.schedulers.simulation import (
    EVERY,
    SCHEDULERS,
    Driver,
    fraction,
    keys,
    label,
    noisy,
    replayed,
)


@settings(max_examples=250, deadline=None)
@given(
    scheduler=SCHEDULERS,
    units=st.integers(6, 60),
    count=st.integers(0, 45),
    late=st.integers(0, 12),
    workers=st.integers(1, 12),
    rate=st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.9]),
    grain=st.sampled_from([None, 0.25]),
    seed=st.integers(0, 10**6),
)
def test_every_study_comes_to_its_end(scheduler, units, count, late, workers, rate, grain, seed):
    waves = [keys(count), keys(late, "u")]
    fails = fraction(seed, rate)
    outcome = Driver(
        scheduler,
        units,
        noisy(seed, grain),
        waves,
        workers=workers,
        fails=fails,
        chance=random.Random(seed),
    ).run()

    ends = [*outcome.complete, *outcome.stopped, *outcome.failed]
    assert sorted(ends) == sorted(waves[0] + waves[1]), "everybody has one end"
    if not outcome.complete:
        assert not outcome.stopped, "somebody is complete unless everybody failed"
    assert replayed(scheduler, units, outcome) == outcome.calls


@pytest.mark.parametrize("scheduler", EVERY, ids=label)
def test_thousands_of_trials_are_decided_at_once(scheduler):
    started = time.perf_counter()
    outcome = Driver(scheduler, 290, noisy(1), [keys(5000)], workers=16).run()
    assert outcome.complete
    assert time.perf_counter() - started < 10  # the simulation's own time included


@pytest.mark.parametrize("scheduler", EVERY, ids=label)
def test_an_outage_ends_everything_and_completes_nothing(scheduler):
    outcome = Driver(
        scheduler, 81, noisy(0), [keys(60)], workers=4, fails=lambda key, units: True
    ).run()
    assert sorted(outcome.failed) == keys(60)


@pytest.mark.parametrize("scheduler", EVERY, ids=label)
def test_when_all_leaders_fail_late_the_best_of_the_rest_is_completed(scheduler):
    """Those that lost to them are still there."""
    best = set(sorted(keys(40), key=lambda key: noisy(3)(key, 10**6))[-25:])

    def late(key, units):
        return key in best and units == 81

    outcome = Driver(scheduler, 81, noisy(3), [keys(40)], workers=4, fails=late).run()
    assert outcome.complete
    assert not best & set(outcome.complete)


@pytest.mark.parametrize("scheduler", EVERY, ids=label)
def test_one_trial_alone_is_completed(scheduler):
    outcome = Driver(scheduler, 40, noisy(0), [["only"]]).run()
    assert outcome.complete == ["only"]


def test_without_a_scheduler_everybody_answers_everything():
    outcome = Driver(Full(), 10, noisy(0), [keys(7)], workers=3).run()
    assert (outcome.complete, outcome.cost) == (keys(7), 70)


def test_kinds_are_known_by_name():
    assert set(Scheduler.kinds()) >= {
        "asha", "bohb", "halving", "hyperband", "median", "none", "pbt", "race",
    }  # fmt: skip
    assert Scheduler.model_validate({"kind": "asha", "reduction": 4}) == Asha(reduction=4)
    for kind in ("asha", "bohb", "halving", "hyperband", "median", "pbt", "race"):
        scheduler = Scheduler.model_validate(kind)
        assert Scheduler.model_validate(scheduler.model_dump()) == scheduler
        assert all(info.description for info in type(scheduler).model_fields.values())
    with pytest.raises(ConfigError, match="Did you mean 'median'"):
        Scheduler.named("medain")


def test_pairs_with_searches_are_declared():
    wanted = {kind: Scheduler.named(kind).searches for kind in Scheduler.kinds()}
    assert wanted["bohb"] == {"bohb"}
    assert wanted["pbt"] == {"pbt", "pb2"}
    assert not wanted["race"]
    assert not wanted["asha"] | wanted["hyperband"] | wanted["halving"] | wanted["median"]


def test_importing_them_imports_no_ray():
    code = "import sys, raytuner.schedulers; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
