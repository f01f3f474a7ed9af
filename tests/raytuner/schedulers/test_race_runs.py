"""Whole studies with a race: the same whoever works, and after a crash."""

import pytest

import raytuner
from raytuner.sweeping.listener import Silent
from tests.raytuner.probes import Questions, evaluations, study, table

RACE = {"kind": "race", "grace": 4, "contenders": 2}
WORKERS = {"inprocess": 1, "threads": 3, "async": 3}


def fates(results):
    """What became of every trial, whatever the order."""
    trials = table(results)
    return sorted(zip(trials.key, trials.status, trials.answered, strict=True))


@pytest.mark.parametrize("backend", ["threads", "async"])
@pytest.mark.parametrize("search", ["grid", {"kind": "random", "samples": 9}])
def test_threads_come_to_the_decisions_of_one_worker(backend, search):
    def run(kind):
        made = study(
            Questions(units=32, pause=0.0005),
            scheduler=RACE,
            search=search,
            backend=kind,
            workers=WORKERS[kind],
        )
        return raytuner.run(made, in_memory=True)

    alone, together = run("inprocess"), run(backend)
    assert fates(together) == fates(alone)
    assert together.best.key == alone.best.key
    assert alone.trials.answered.sum() < 0.8 * len(alone.trials) * len(alone.best.units)


@pytest.mark.parametrize("stop", [3, 10, 25, 45])
def test_a_run_cut_off_anywhere_ends_like_an_undisturbed_one(tmp_path, stop):
    class Listener(Silent):
        count = 0

        def scored(self, trial, units):
            self.count += 1
            if self.count == stop:
                raise KeyboardInterrupt

    objective = Questions(tmp_path / "log", units=32)
    whole = raytuner.run(study(Questions(units=32), scheduler=RACE), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        raytuner.run(study(objective, scheduler=RACE), tmp_path, listener=Listener())
    results = raytuner.run(study(objective, scheduler=RACE), tmp_path)
    assert fates(results) == fates(whole)
    asked = evaluations(tmp_path / "log")
    assert len(asked) == len(set(asked))


def test_a_failed_trial_holds_nobody_up():
    objective = Questions(units=32, faults={1: "raise"})
    results = raytuner.run(study(objective, scheduler=RACE), in_memory=True)
    assert results.best is not None
    assert set(results.trials.status) == {"complete", "pruned", "failed"}
