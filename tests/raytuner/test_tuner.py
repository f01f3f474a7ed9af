"""Whole runs: equal tables everywhere, failures, growth, baselines, checks before work."""

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.journal import read
from raytuner.tuner import prepare
from tests.raytuner.probes import (
    BACKENDS,
    SIZE,
    SPACE,
    Questions,
    Waiting,
    evaluations,
    recorded,
    same,
    study,
    table,
)

# ---- one table everywhere


@pytest.mark.parametrize("backend", ["threads", "processes", "async"])
def test_backends_give_equal_tables(backend, expected):
    results = raytuner.run(study(**BACKENDS[backend]), in_memory=True)
    same(table(results), expected)
    assert results.work["questions"] == SIZE
    order = ["trial", "unit", "metric"]
    one = raytuner.run(study(), in_memory=True).scores.sort_values(order, ignore_index=True)
    same(results.scores.sort_values(order, ignore_index=True), one)


def test_equal_tables_with_a_random_search(tmp_path):
    fields = {"space": {"x": {"int": [1, 50]}, "y": {"float": [0.0, 1.0]}},
              "search": {"kind": "random", "samples": 10}, "seed": 3}  # fmt: skip
    one = table(raytuner.run(study(**fields), in_memory=True))
    two = table(raytuner.run(study(**fields, **BACKENDS["threads"]), in_memory=True))
    three = table(raytuner.run(study(**{**fields, "seed": 4}), in_memory=True))
    same(one, two)
    assert set(one.key).isdisjoint(three.key)
    assert sorted(one.trial) == list(range(10))


@pytest.mark.parametrize("backend", BACKENDS)
async def test_run_inside_a_running_event_loop(backend, expected):
    same(table(raytuner.run(study(**BACKENDS[backend]), in_memory=True)), expected)


async def test_arun(expected):
    results = await raytuner.arun(study(Waiting(), workers=4), in_memory=True)
    same(table(results), expected)


# ---- failures


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_failing_trial_leaves_the_others(tmp_path, backend, expected):
    objective = Questions(log=tmp_path / "log", faults={2: "raise"})
    results = raytuner.run(study(objective, **BACKENDS[backend]), tmp_path)
    frame = table(results)
    failed = frame[frame.x == 2]
    assert set(failed.status) == {"failed"}
    assert failed.hit.isna().all()
    assert set(failed.failure) == {"objective: RuntimeError: out of luck (4 units)"}
    assert set(failed.answered) == {2}
    stand = frame[frame.x != 2].drop(columns="failure").reset_index(drop=True)
    same(stand, expected[expected.x != 2].drop(columns="failure").reset_index(drop=True))
    assert len(results.failed) == 3
    same(table(tmp_path / "runs/t"), frame)


def test_failed_units_are_tried_again_by_the_next_run_and_scores_stand(tmp_path, expected):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log, faults={2: "raise"})), tmp_path)
    known, before = recorded(tmp_path / "runs/t"), len(evaluations(log))
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert set(evaluations(log)[before:]).isdisjoint(known)
    same(table(results), expected)


def test_all_trials_failing_is_a_result():
    faults = dict.fromkeys(SPACE["x"], "nan")
    results = raytuner.run(study(Questions(faults=faults)), in_memory=True)
    assert results.best is None
    assert results.ranked[0].status == "failed"
    assert results.contenders() == []
    assert results.trials.hit.isna().all()


# ---- growth and baseline


def test_widened_grid_reuses_what_stands(tmp_path, expected):
    log = tmp_path / "log"
    narrow = {"x": [2, 3], "y": ["b"]}
    raytuner.run(study(Questions(log=log), space=narrow), tmp_path)
    assert len(evaluations(log)) == 12
    wide = raytuner.run(study(Questions(log=log)), tmp_path)
    assert len(evaluations(log)) == SIZE
    same(table(wide), expected)
    back = raytuner.run(study(Questions(log=log), space=narrow), tmp_path)
    assert len(evaluations(log)) == SIZE
    assert sorted(back.trials.trial) == [0, 1]
    other = raytuner.run(study(Questions(log=log, scope="other data")), tmp_path)
    assert len(evaluations(log)) == 2 * SIZE
    assert len(other.trials) == 12


@pytest.mark.parametrize(("samples", "trials"), [(5, 6), (12, 12)])
def test_trial_0_comes_on_top_of_what_a_learning_search_proposes(tmp_path, samples, trials):
    search = {"kind": "hyperopt", "samples": samples}
    made = study(Questions(base={"y": "b", "x": 3}), search=search)
    prepared = prepare(made, tmp_path)
    assert prepared.planned == trials
    assert len(raytuner.run(made, tmp_path).trials) == trials


def test_baseline_is_trial_0_outside_and_inside_the_grid(tmp_path):
    log = tmp_path / "log"
    outside = {"x": 9, "y": "z"}
    results = raytuner.run(study(Questions(log=log, base=outside)), tmp_path)
    assert results.baseline.number == 0
    assert results.baseline.params == outside
    assert len(results.trials) == 13
    inside = study(Questions(log=log, base={"y": "b", "x": 3}), name="u")
    assert not prepare(inside, tmp_path).extra_baseline
    results = raytuner.run(inside, tmp_path)
    assert results.baseline.params == {"x": 3, "y": "b"}
    assert results.baseline.number == 0
    assert sorted(results.trials.trial) == list(range(12))
    assert results.trials.baseline.sum() == 1
    assert len(evaluations(log)) == 13 * 6 + SIZE
    without = raytuner.run(study(Questions(base=outside), baseline=False), in_memory=True)
    assert without.baseline is None
    assert len(without.trials) == 12


def test_baseline_with_inactive_parameters_merges():
    space = {"x": [1, 2], "y": {"choice": ["a", "b"], "when": {"x": 1}}}
    base = {"x": 2, "y": "a"}
    results = raytuner.run(study(Questions(base=base), space=space), in_memory=True)
    assert len(results.trials) == 3
    assert results.baseline.params == {"x": 2}


def test_baseline_that_cannot_run_is_a_failure():
    objective = Questions(base={"x": 9, "y": "a"}, faults={9: "refuse"})
    results = raytuner.run(study(objective, budget={"trials": 12}), in_memory=True)
    assert results.baseline.failure.kind == "config"
    assert results.baseline.number == 0
    assert (results.trials.status == "complete").sum() == 12
    assert results.stop_reason is None


# ---- checks before work


def test_metric_that_nothing_measures_is_said_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"metric: 'hits' is not .* hit, loss\. Did you mean 'hi"):
        prepare(study(metric="hits"))

    calls = []

    def function(params):
        calls.append(params)
        return {"recall": 0.5}

    with pytest.raises(ConfigError, match=r"'recal' is not measured; .* recall\. Did you mean"):
        raytuner.run(study(function, metric="recal"), tmp_path)
    assert len(calls) == 1
    results = raytuner.run(study(function, metric="recall"), tmp_path)
    assert results.best is not None
    assert len(results.trials) == 12


def test_minimised_metric():
    results = raytuner.run(study(metric="loss"), in_memory=True)
    assert results.best.mean("loss") == results.trials.loss.min()
    assert list(results.trials.loss) == sorted(results.trials.loss)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"space": {"x": [1], "status": [1, 2]}}, "space: status: the trial table has a column"),
        ({"space": {"x": {"float": [0, 1]}}, "search": "random"}, "budget: this search never ends"),
        ({"objective": Questions(units=0)}, "objective: there is nothing to score"),
        ({"objective": Questions(faults={3: "refuse"})}, "space: x: 3 is too much"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(tmp_path, fields, message):
    given = {"objective": Questions(), **fields}
    with pytest.raises(ConfigError, match=message):
        prepare(study(**given), tmp_path)
    assert not (tmp_path / "runs").exists()


def test_run_folder_that_cannot_be(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(ConfigError, match=r"run folder .*runs/t cannot be created: Not a dir"):
        raytuner.run(study(), tmp_path)


def test_journal_tells_what_ran(tmp_path):
    raytuner.run(study(), tmp_path)
    opened = read(tmp_path / "runs/t/journal.jsonl")[0][0]
    assert opened["schema"] == 1
    assert opened["config"]["space"] == SPACE
    assert opened["parameters"] == ["x", "y"]
    assert opened["raytuner"] == raytuner.__version__


def test_results_know_how_long_all_sessions_took_as_the_journal_does(tmp_path):
    for space in ({"x": [1]}, {"x": [1, 2]}):
        results = raytuner.run(study(Questions(pause=0.02), space=space), tmp_path)
        assert results.record.seconds == pytest.approx(read_again(tmp_path), abs=0.1)
    assert results.record.seconds > 2 * 6 * 0.02 / 2  # two trials of 6 questions, in pairs


def read_again(folder):
    return raytuner.Results.open(folder / "runs/t").record.seconds


@pytest.mark.slow
def test_thousands_of_tiny_trials_stay_small():
    import tracemalloc

    space = {"x": {"int": [1, 3000]}}
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    results = raytuner.run(study(lambda p: 1.0 / p["x"], space=space), in_memory=True)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert results.best.params == {"x": 1}
    assert grown < 3000 * 8_000
