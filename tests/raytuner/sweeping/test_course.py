"""Trials from rung to rung: what is evaluated, recorded, told, and repeated after a crash."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raytuner
from raytuner.component import ConfigError
from raytuner.journal import read
from raytuner.results import Results
from raytuner.sweeping.listener import Silent
from tests.raytuner.probes import Questions, evaluations, same, start, study, table, wait_for

HALVING = {
    "asha": {"kind": "asha", "grace": 2, "reduction": 2},
    "stop": {"kind": "asha", "grace": 2, "reduction": 2, "variant": "stop"},
    "halving": {"kind": "halving", "grace": 2, "reduction": 2},
    "hyperband": {"kind": "hyperband", "grace": 2, "reduction": 2},
    "median": {"kind": "median", "grace": 2, "interval": 2, "min_trials": 2},
}
BACKENDS = {"inprocess": 1, "threads": 3, "async": 3}


def staged(objective, scheduler="asha", **fields):
    return study(objective, scheduler=HALVING[scheduler], **fields)


@pytest.mark.parametrize("scheduler", HALVING)
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_question_is_asked_twice_and_rungs_are_prefixes(tmp_path, scheduler, backend):
    objective = Questions(tmp_path / "log", units=16)
    fields = {"backend": backend, "workers": BACKENDS[backend]}
    results = raytuner.run(staged(objective, scheduler, **fields), tmp_path)
    asked = evaluations(tmp_path / "log")
    assert len(asked) == len(set(asked)) == results.trials.answered.sum()
    assert len(asked) < 12 * 16
    for trial in results.record.current:
        answered = len(trial.units) - len(trial.missing())
        assert trial.missing() == list(trial.units[answered:])  # a prefix, nothing else
        assert trial.status == ("complete" if answered == 16 else "pruned")
    assert results.best is not None
    assert results.best.status == "complete"


def test_a_promoted_trial_pays_for_its_new_questions_only(tmp_path):
    objective = Questions(tmp_path / "log", units=16, batch=16)
    results = raytuner.run(staged(objective), tmp_path)
    best = tuple(sorted(results.best.params.items()))
    mine = [unit for params, unit in evaluations(tmp_path / "log") if params == best]
    assert mine == [f"q{number}" for number in range(16)]
    rungs = [
        event["units"]
        for event in read(tmp_path / "runs/t/journal.jsonl")[0]
        if event["event"] == "rung" and event["key"] == results.best.key
    ]
    assert rungs[0] == 2
    assert rungs[-1] == 16
    assert rungs == sorted(set(rungs))


def test_the_baseline_answers_everything(tmp_path):
    base = {"x": 4, "y": "b"}
    results = raytuner.run(staged(Questions(units=16, base=base)), tmp_path)
    assert results.baseline.params == base
    assert results.baseline.status == "complete"


@pytest.mark.parametrize("scheduler", HALVING)
def test_a_failed_trial_holds_nobody_up(tmp_path, scheduler):
    objective = Questions(units=16, faults={1: "raise", 3: "nan"})
    results = raytuner.run(staged(objective, scheduler), tmp_path)
    status = results.trials.groupby("x").status.agg(set)
    assert status[1] | status[3] <= {"failed", "pruned"}  # pruned before the bad question
    assert "failed" in status[1] | status[3]
    assert "complete" in status[2] | status[4]
    assert "paused" not in set(results.trials.status)


@pytest.mark.parametrize("scheduler", HALVING)
def test_a_finished_run_is_not_run_again(tmp_path, scheduler):
    objective = Questions(tmp_path / "log", units=16)
    first = raytuner.run(staged(objective, scheduler), tmp_path)
    asked = len(evaluations(tmp_path / "log"))
    again = raytuner.run(staged(objective, scheduler), tmp_path)
    same(table(first), table(again))
    assert len(evaluations(tmp_path / "log")) == asked
    same(table(first), table(Results.open(tmp_path / "runs/t")))


@pytest.mark.parametrize("scheduler", HALVING)
@pytest.mark.parametrize("stop", [1, 7, 23, 40])
def test_a_run_cut_off_anywhere_ends_like_an_undisturbed_one(tmp_path, scheduler, stop):
    """Not even a question answered in the session that was cut off is asked again."""

    class Cut(Exception):
        pass

    class Listener(Silent):
        left = stop

        def scored(self, trial, units):
            self.left -= 1
            if not self.left:
                raise Cut

    whole = raytuner.run(staged(Questions(units=16), scheduler), tmp_path / "whole")
    objective = Questions(tmp_path / "log", units=16)
    try:
        raytuner.run(staged(objective, scheduler), tmp_path, listener=Listener())
    except Cut:
        assert len(evaluations(tmp_path / "log")) < whole.trials.answered.sum()
    results = raytuner.run(staged(objective, scheduler), tmp_path)
    same(table(whole), table(results))
    asked = evaluations(tmp_path / "log")
    assert len(asked) == len(set(asked)) == whole.trials.answered.sum()


@pytest.mark.parametrize("backend", ["inprocess", "threads"])
def test_kill_nine_between_rungs(tmp_path, backend):
    objective = {"log": str(tmp_path / "log"), "units": 16, "pause": 0.02}
    fields = {"backend": backend, "workers": BACKENDS[backend], "scheduler": HALVING["asha"]}
    killed = start(tmp_path, dict(objective), **fields)
    wait_for(lambda: len(evaluations(tmp_path / "log")) > 20)
    killed.kill()
    killed.wait()
    before = evaluations(tmp_path / "log")
    results = raytuner.run(study(Questions(tmp_path / "log", units=16), **fields), tmp_path)
    asked = evaluations(tmp_path / "log")
    # What a worker was at when it was killed is all that may be asked again: a batch of two each.
    assert len(asked) - len(set(asked)) <= 2 * BACKENDS[backend]
    assert len(before) < len(asked)
    assert set(results.trials.status) == {"complete", "pruned"}


@settings(max_examples=40, deadline=None)
@given(
    scheduler=st.sampled_from(sorted(HALVING)),
    samples=st.integers(1, 12),
    units=st.integers(4, 40),
    seed=st.integers(0, 99),
)
def test_every_run_ends_with_a_complete_trial(scheduler, samples, units, seed):
    search = {"kind": "random", "samples": samples}
    made = staged(Questions(units=units), scheduler, search=search, seed=seed)
    results = raytuner.run(made, in_memory=True)
    assert len(results.record.current) == samples
    assert results.best is not None
    assert set(results.trials.status) <= {"complete", "pruned"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scheduler": "bohb"}, "search: scheduler 'bohb' works with search bohb only, got 'grid'"),
        (
            {"search": {"kind": "bohb", "samples": 3}},
            "got scheduler 'none'; give `scheduler: bohb`",
        ),
        ({"scheduler": {"kind": "asha", "grace": 99}}, "99"),
        ({"scheduler": "ashe"}, "Did you mean 'asha'?"),
    ],
)
def test_a_bad_pair_is_one_sentence(fields, message):
    with pytest.raises(ConfigError) as caught:
        raytuner.run(study(Questions(), **fields), in_memory=True)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


LEARNERS = ["hyperopt", "optuna", "bayes"]


@pytest.mark.parametrize("search", LEARNERS)
@pytest.mark.parametrize("scheduler", ["asha", None])
def test_a_learning_search_goes_on_as_if_never_away(tmp_path, search, scheduler):
    fields = {
        "search": {"kind": search, "samples": 8},
        "space": {"x": {"int": [1, 4]}, "y": ["a", "b", "c"], "z": {"int": [0, 9]}},
        **({"scheduler": HALVING[scheduler]} if scheduler else {}),
    }
    whole = raytuner.run(study(Questions(units=16), **fields), tmp_path / "whole")
    assert len(whole.record.current) == 8
    part = fields | {"budget": {"trials": 3}}
    raytuner.run(study(Questions(tmp_path / "log", units=16), **part), tmp_path)
    results = raytuner.run(study(Questions(tmp_path / "log", units=16), **fields), tmp_path)
    asked = evaluations(tmp_path / "log")
    assert len(asked) == len(set(asked))
    assert len(results.record.current) == 8
    if scheduler is None:
        same(table(whole), table(results))


def test_bohb_runs_to_the_end(tmp_path):
    fields = {
        "search": {"kind": "bohb", "samples": 12},
        "scheduler": {"kind": "bohb", "grace": 2, "reduction": 2},
        "space": {"x": {"int": [1, 4]}, "y": ["a", "b", "c"], "z": {"float": [0.0, 1.0]}},
    }
    objective = Questions(tmp_path / "log", units=16)
    results = raytuner.run(study(objective, **fields), tmp_path)
    asked = evaluations(tmp_path / "log")
    assert len(asked) == len(set(asked))
    assert len(results.record.current) == 12
    assert results.best is not None


def test_population_based_training_replaces_the_worst(tmp_path):
    fields = {
        "search": {"kind": "pbt", "samples": 12, "population": 4},
        "scheduler": {"kind": "pbt", "population": 4, "interval": 4, "quantile": 0.5},
        "space": {"x": {"int": [1, 4]}, "y": ["a", "b", "c"], "z": {"float": [0.0, 1.0]}},
    }
    results = raytuner.run(study(Questions(units=16), **fields), tmp_path)
    assert len(results.record.current) == 12
    assert results.best is not None
    assert "pruned" in set(results.trials.status)


def test_numbers_follow_proposals(tmp_path):
    results = raytuner.run(staged(Questions(units=16, base={"x": 1, "y": "c"})), tmp_path)
    numbered = [dict(trial.params) for trial in results.record.current]
    grid = [{"x": x, "y": y} for x, y in itertools.product([1, 2, 3, 4], "abc")]
    grid.remove({"x": 1, "y": "c"})
    assert numbered == [{"x": 1, "y": "c"}, *grid]
