"""Whole studies with several goals and limits: who wins, who is stopped, what searches are told."""

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.insight import pareto
from raytuner.meter import WorkMeter
from raytuner.objective import LATENCY, UNIT_USD, Objective, UnitScore
from raytuner.results import Results
from raytuner.terminal.show import as_plain
from raytuner.terminal.summary import lines
from raytuner.worker import Job, run_job
from tests.raytuner.probes import study

SPACE = {"x": [1, 2, 3, 4]}
SUM = "hit - 100 usd_per_question"


class Tradeoff(Objective):
    """Quality, price, latency and size all rise with x; questions differ a little."""

    fact_names = ("index_mb",)

    def __init__(self, units=100):
        self.count = units

    def units(self):
        return tuple(f"q{number}" for number in range(self.count))

    def key(self, params):
        return f"x={params['x']}"

    def metrics(self):
        return ("hit", UNIT_USD)

    def maximise(self, metric):
        return metric == "hit"

    def defaults(self, names):
        return {"x": 1}

    def facts(self, params):
        return {"index_mb": 10.0 * params["x"]}

    def evaluate(self, params, units, meter):
        x = params["x"]
        for unit in units:
            part = int(unit[1:]) % 5 / 50
            scores = {"hit": 0.2 * x + part, UNIT_USD: 0.001 * x + part / 1000}
            yield [UnitScore(unit, scores, notes={LATENCY: x * (1.0 + part)})]


def run(tmp_path, units=100, **fields):
    return raytuner.run(study(Tradeoff(units), **{"space": SPACE, **fields}), tmp_path)


def by_x(results):
    return {trial.params["x"]: trial for trial in results.record.current}


def test_a_weighted_sum_is_a_metric_like_any_other(tmp_path):
    results = run(tmp_path, metric={"hit": 1, UNIT_USD: -100}, scheduler="none")
    assert (results.metric, results.maximise, results.metrics[0]) == (SUM, True, SUM)
    table = results.trials.set_index("x")
    expected = table["hit"] - 100 * table[UNIT_USD]
    assert table[SUM].tolist() == pytest.approx(expected.tolist())
    assert results.best.params == {"x": 4}
    assert results.verdict.metric == SUM
    assert results.verdict.status == "PROVEN"
    again = Results.open(tmp_path / "runs/t")
    assert again.trials.equals(results.trials)
    assert again.verdict.to_dict() == results.verdict.to_dict()
    assert run(tmp_path, metric={"hit": 1, UNIT_USD: -300}, scheduler="none").best.params == {
        "x": 1
    }  # no question is asked again for another goal


def test_a_search_and_a_race_go_by_the_sum(tmp_path):
    fields = {"metric": {"hit": 1, UNIT_USD: -300}, "search": {"kind": "bayes", "samples": 4}}
    assert run(tmp_path, **fields).best.params == {"x": 1}
    raced = run(tmp_path / "b", metric={"hit": 1, UNIT_USD: -300}, baseline=False)
    assert raced.best.params == {"x": 1}


@pytest.mark.parametrize(
    ("limit", "best"),
    [
        ("usd_per_question <= 0.0035", 3),
        ("latency_p95 <= 2.5", 2),
        ("latency_p50 <= 1.5", 1),
        ("index_mb <= 30", 3),
        ("hit >= 0.1", 4),
    ],
)
@pytest.mark.parametrize("scheduler", [None, "none", {"kind": "asha", "grace": 8}])
def test_a_trial_over_a_limit_cannot_be_the_best(tmp_path, limit, best, scheduler):
    results = run(tmp_path, limits=[limit], scheduler=scheduler)
    assert results.best.params == {"x": best}
    assert all(trial.params["x"] <= best for trial in results.compared)
    assert Results.open(tmp_path / "runs/t").best.params == {"x": best}


def test_who_surely_breaks_a_limit_is_stopped_at_the_first_rung(tmp_path):
    results = run(tmp_path, limits=["index_mb <= 30"], scheduler={"kind": "asha", "grace": 8})
    over = by_x(results)[4]
    assert over.status == "pruned"
    assert over.reason == "index_mb 40, above the limit of 30"
    assert over.answered == 8
    assert over.facts == {"index_mb": 40.0}
    again = by_x(Results.open(tmp_path / "runs/t"))[4]
    assert (again.reason, again.facts) == (over.reason, over.facts)


def test_several_limits_hold_together_and_may_rule_out_everybody(tmp_path):
    limits = ["usd_per_question <= 0.0035", "latency_p95 <= 2.5"]
    assert run(tmp_path, limits=limits).best.params == {"x": 2}
    none = run(tmp_path / "b", limits=["latency_p95 <= 0.5"])
    assert none.best is None
    assert none.verdict.status in {"NONE", "NOT PROVEN"}


def test_a_front_keeps_every_trial_and_recommends_by_the_first_goal(tmp_path):
    results = run(tmp_path, metric=["hit", UNIT_USD])
    assert results.metric == "hit"
    assert {trial.status for trial in results.record.current} == {"complete"}
    assert results.goal.pareto
    assert Results.open(tmp_path / "runs/t").goal == results.goal
    assert results.verdict.recommended is not None


@pytest.mark.parametrize(
    "search",
    [
        {"kind": "optuna", "sampler": "tpe", "startup": 4},
        {"kind": "optuna", "sampler": "nsga2", "startup": 4},
        {"kind": "evolution", "population": 4},
    ],
    ids=["tpe", "nsga2", "evolution"],
)
def test_searches_are_told_every_goal_and_resume(tmp_path, search):
    fields = {
        "metric": ["hit", UNIT_USD],
        "space": {"x": {"int": [1, 40]}},
        "search": {**search, "samples": 12},
    }
    whole = run(tmp_path / "whole", units=30, **fields)
    run(tmp_path / "parts", units=30, **fields, budget={"trials": 6})
    parts = run(tmp_path / "parts", units=30, **fields)
    assert sorted(by_x(whole)) == sorted(by_x(parts))


def test_bad_goals_are_refused_before_anything_is_asked(tmp_path):
    for fields, words in (
        ({"metric": ["hit", "usd_per_qestion"]}, "metric: 'usd_per_qestion' is not measured"),
        ({"metric": {"hit": 0}}, "metric: hit: 0 is no weight"),
        ({"metric": {UNIT_USD: 1}}, "give it a weight below 0"),
        ({"limits": ["latency_p99 <= 1"]}, "limits: 'latency_p99' is not measured"),
        ({"limits": ["hit"]}, "limits: 'hit' is no limit"),
        ({"limits": "hit >= 1"}, "limits: give a list"),
    ):
        with pytest.raises(ConfigError, match=words):
            run(tmp_path, **fields)
    assert not (tmp_path / "runs").exists()


def test_what_whole_trials_measure_is_in_the_table(tmp_path):
    table = run(tmp_path, limits=["index_mb <= 30"], scheduler="none").trials.set_index("x")
    assert table["index_mb"].to_dict() == {x: 10.0 * x for x in SPACE["x"]}
    assert table["latency_p50"].loc[3] == pytest.approx(3 * table["latency_p50"].loc[1])
    assert (table["latency_p50"] < table["latency_p95"]).all()
    assert table["failure"].loc[4] == "index_mb 40, above the limit of 30"
    assert table["failure"].loc[[1, 2, 3]].isna().all()


@pytest.mark.parametrize("scheduler", ["none", {"kind": "asha", "grace": 8}])
def test_a_figure_that_was_not_recorded_in_time_is_asked_for_again(tmp_path, scheduler):
    fields = {"limits": ["index_mb <= 30"], "scheduler": scheduler}
    run(tmp_path, **fields)
    path = tmp_path / "runs/t/journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    ends = [n for n, line in enumerate(lines) if b'"event":"ended"' in line or b'"closed"' in line]
    path.write_bytes(b"".join(line for n, line in enumerate(lines) if n not in ends))
    assert run(tmp_path, **fields).best.params == {"x": 3}
    opened = Results.open(tmp_path / "runs/t")
    assert opened.best.params == {"x": 3}
    assert by_x(opened)[3].facts == {"index_mb": 30.0}


def test_the_front_is_that_of_the_study(tmp_path):
    found = pareto(run(tmp_path, metric=["hit", UNIT_USD]))
    assert found["on_front"].all()
    assert {"hit", UNIT_USD} <= set(found.columns)


def test_a_figure_is_known_once_a_job_has_ended():
    objective = Tradeoff(4)
    ended = run_job(objective, Job("k", {"x": 2}, objective.units()), print, WorkMeter())
    assert ended.facts == {"index_mb": 20.0}


def test_limits_that_nobody_keeps_are_named(tmp_path):
    results = run(tmp_path, limits=["index_mb <= 5"], scheduler="none")
    assert results.best is None
    said = lines(results)[0]
    assert said.startswith("No configuration keeps to the limits; the best of the others, trial ")
    assert "above the limit of 5" in said
    assert as_plain(results)["limits"] == ["index_mb <= 5"]
