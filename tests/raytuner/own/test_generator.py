"""Generators as objectives: steps, checkpoints, populations that go on from them."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import raytuner
from raytuner.budget import BudgetExhaustedError, Purse
from raytuner.component import ConfigError
from raytuner.meter import WorkMeter
from raytuner.objective import ObjectiveFailure, Tally
from raytuner.own.generator import GeneratorObjective
from raytuner.results import Results
from raytuner.schedule import HISTORY, forked
from tests.raytuner.own.training_probes import train
from tests.raytuner.probes import ROOT, wait_for

SPACE = {
    "rate": {"float": [0.001, 3.0], "log": True},
    "decay": {"float": [1e-5, 1.0], "log": True},
}
POINT = {"rate": 0.5, "decay": 0.01}


def scores(objective, params, steps=None, meter=None):
    """Train, and give the metrics of every step."""
    units = objective.units()[:steps]
    found = [one for batch in objective.evaluate(params, units, meter or Tally()) for one in batch]
    return [dict(one.scores) or one.failure.message for one in found]


def made(tmp_path, function=train, steps=6, **more):
    return GeneratorObjective(function, steps=steps, checkpoints=tmp_path / "states", **more)


def test_it_goes_on_where_it_was_and_shares_what_is_done(tmp_path):
    whole = scores(made(tmp_path / "other"), POINT)
    objective, meter = made(tmp_path), Tally()
    assert scores(objective, POINT, 3, meter) == whole[:3]
    rest = [one for part in objective.evaluate(POINT, objective.units()[3:], meter) for one in part]
    assert [dict(one.scores) for one in rest] == whole[3:]
    assert meter.counts == {"steps trained": 6}
    copy = forked(POINT, {**POINT, "rate": 2.0}, 3)
    assert scores(objective, copy, meter=meter)[:3] == whole[:3]
    assert meter.counts == {"steps trained": 9}, "the steps of its history are its parent's"


def test_a_lost_or_damaged_state_is_made_again(tmp_path):
    objective, meter = made(tmp_path), Tally()
    scores(objective, POINT, 3)
    (state,) = tmp_path.rglob("*.ckpt")
    state.write_bytes(state.read_bytes()[:-1])
    assert scores(objective, POINT, meter=meter) == scores(made(tmp_path / "other"), POINT)
    assert meter.counts == {"steps trained": 6}


def test_a_replayed_schedule_is_the_same_to_the_bit(tmp_path):
    copy = forked(forked(POINT, {**POINT, "rate": 2.0}, 2), {**POINT, "rate": 0.1}, 4)
    objective = made(tmp_path)
    first = scores(objective, copy)
    exported = objective.export(copy)
    assert [one["until"] for one in exported["schedule"]] == [2, 4, 6]
    from raytuner.schedule import read_schedule

    again = read_schedule(json.loads(json.dumps(exported))["schedule"], 6)
    assert scores(made(tmp_path / "other"), again) == first
    assert objective.key(again) == objective.key(copy)


def test_without_a_state_it_starts_anew(tmp_path):
    calls = []

    def count(config):
        calls.append(config)
        for step in range(3):
            yield step * config["x"]

    objective = made(tmp_path, count)
    assert not objective.forks
    assert scores(objective, {"x": 2}, 2) == [{"score": 0.0}, {"score": 2.0}]
    rest = [
        s for part in objective.evaluate({"x": 2}, objective.units()[2:], Tally()) for s in part
    ]
    assert [one.scores["score"] for one in rest] == [4.0] * 4, "its last result stands"
    assert rest[-1].notes == {"ended after": 3}
    assert len(calls) == 2


async def endless(config):
    step = 0
    while True:
        step += 1
        yield {"step": step}


def test_one_that_never_ends_does_no_step_too_many(tmp_path):
    done = []

    def forever(config):
        while True:
            done.append(len(done))
            yield len(done)

    assert [one["score"] for one in scores(made(tmp_path, forever, 4), {})] == [1, 2, 3, 4]
    assert len(done) == 4
    assert [one["step"] for one in scores(made(tmp_path, endless, 4), {})] == [1, 2, 3, 4]


def results_of(*given):
    def function(config):
        yield from given

    return function


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (results_of(), "ended without a result"),
        (results_of({"a": 1}, {"b": 1}), "step 2 gave no 'a'; it gave b"),
        (results_of({"a": 1}, None), "gave None; a step is metrics by name"),
        (results_of({"a": 1}, {"a": float("nan")}), "a is nan; a score is a finite number"),
        (results_of({"a": "much"}), "gave no metric: {'a': 'much'}; a score is a finite number"),
        (results_of({"a": 1}, {"a": "much", "b": 1}), "step 2: a is 'much'; a score is a finite"),
        (results_of({"a": 10**400}), "a is 1000"),
        (results_of({"a": 1, "cost_usd": -1}), "gave cost_usd = -1; an amount is a number of 0"),
        (results_of({}), "a step is metrics by name"),
    ],
)
def test_what_is_no_result_is_a_failure(tmp_path, function, reason):
    study = raytuner.Study(objective=made(tmp_path, function, 3), space={"x": [1, 2]})
    results = raytuner.run(study, in_memory=True)
    assert [trial.status for trial in results.record.current] == ["failed", "failed"]
    assert reason in results.record.current[0].failure.message


def test_a_step_is_read_as_a_result_of_a_function_is(tmp_path):
    class Tensor:
        shape, value = (), 0.25

        def item(self):
            return self.value

    yields = results_of({"a": Tensor(), "good": np.bool_(True), "said": "x"})
    ((one,),) = made(tmp_path, yields, 1).evaluate({}, ["step 1"], Tally())
    assert (one.scores, one.notes) == ({"a": 0.25, "good": 1.0}, {"said": "x"})


def test_money_that_a_training_has_spent_counts_and_ends_it(tmp_path):
    """Not every step need cost something; what stands for steps that are left out costs nothing."""

    def buys(config):
        yield {"a": 1}
        yield {"a": 2, "cost_usd": 0.1}
        yield {"a": 3, "cost_usd": 0.1}

    objective, meter = made(tmp_path, buys, 5), Tally()
    found = [s for part in objective.evaluate({}, objective.units(), meter) for s in part]
    assert [one.cost.usd for one in found] == [0, 0.1, 0.1, 0, 0]
    assert [one.scores["a"] for one in found] == [1, 2, 3, 3, 3]
    assert meter.cost.usd == pytest.approx(0.2)
    assert not objective.maximise("usd_per_question")
    with pytest.raises(BudgetExhaustedError):  # the dearest step so far has to fit
        list(objective.evaluate({}, objective.units(), WorkMeter(Purse(0.05))))


def test_money_spent_on_a_step_without_its_metric_counts(tmp_path):
    buys = results_of({"a": 1, "cost_usd": 0.1}, {"b": 1, "cost_usd": 0.1})
    objective, meter = made(tmp_path, buys, 3), Tally()
    steps = objective.evaluate({}, objective.units(), meter)
    assert [next(steps)[0].cost.usd for _ in range(2)] == [0.1, 0.1]
    with pytest.raises(ObjectiveFailure):
        next(steps)


def test_a_copy_has_a_state_to_go_on_from_or_fails(tmp_path):
    """Begun anew, its first steps would pass for later ones."""

    def seldom(config, state):
        for given in train(config, state):
            yield given if given[1]["epoch"] % 3 == 0 else given[0]

    objective = made(tmp_path, seldom)
    whole = scores(made(tmp_path / "other"), POINT)
    assert scores(objective, POINT) == whole
    good, bad = (forked(POINT, {**POINT, "rate": 2.0}, step) for step in (3, 4))
    assert scores(objective, good) == scores(made(tmp_path / "other"), good)
    found = objective.evaluate(bad, objective.units(), Tally())
    steps = [next(found)[0] for _ in range(5)]
    assert [dict(step.scores) for step in steps[:4]] == whole[:4]
    assert "change after step 4, and the generator gave no state" in steps[4].failure.message


@pytest.mark.parametrize("steps", [None, 0, -1, True, 2.5, "3"])
def test_the_number_of_steps_has_to_be_known(steps):
    with pytest.raises(ConfigError, match="steps: a generator needs to know how many"):
        GeneratorObjective(train, steps=steps)


def test_a_state_is_arrays_and_plain_values(tmp_path):
    def function(config, state):
        yield 1.0, {"model": object()}

    study = raytuner.Study(objective=made(tmp_path, function, 2), space={"x": [1]})
    (trial,) = raytuner.run(study, in_memory=True).record.current
    assert "not JSON serializable" in trial.failure.message


# ---- whole studies


def study(tmp_path, name="t", **more):
    fields = {
        "search": {"kind": "pbt", "population": 4},
        "scheduler": {"kind": "pbt", "population": 4, "interval": 3},
        "budget": {"trials": 10},
    }
    return raytuner.Study(
        name=name, objective=made(tmp_path, steps=12), space=SPACE, metric="fit", **fields | more
    )


def told(results):
    return [
        (t.number, t.params, t.status, t.origin, results.score(t)) for t in results.record.current
    ]


def test_a_population_goes_on_from_checkpoints(tmp_path):
    meter = raytuner.run(study(tmp_path), tmp_path)
    copies = [trial for trial in meter.record.current if HISTORY in trial.params]
    assert copies
    assert meter.work["steps trained"] < 12 * 10 - 3 * len(copies)
    for copy in copies:
        assert copy.origin.how == "exploit"
        (parent,) = copy.origin.parents
        shared = copy.params[HISTORY][-1][0]
        same = meter.record.trials[parent].values("fit")[:shared] == copy.values("fit")[:shared]
        assert same.all()
    assert meter.best.mean("fit") == meter.best.values("fit")[-1]


PAIRS = [
    ("pbt", "pbt"),
    ("pb2", "pbt"),
    ("bohb", "bohb"),
    ("random", "asha"),
    ("bayes", "hyperband"),
]


@pytest.mark.parametrize(("search", "scheduler"), PAIRS)
def test_workers_change_nothing(tmp_path, search, scheduler):
    if search == "bohb":
        pytest.importorskip("hpbandster")
    own = {"population": 4} if scheduler == "pbt" else {}
    fields = {"search": {"kind": search, **own}, "scheduler": {"kind": scheduler, **own}}
    alone = raytuner.run(study(tmp_path / "a", **fields), in_memory=True)
    assert any(trial.status == "complete" for trial in alone.record.current)
    if scheduler == "pbt":  # the others decide as results come
        many = raytuner.run(study(tmp_path / "b", workers=3, **fields), in_memory=True)
        assert told(alone) == told(many)


def test_questions_are_raced_steps_are_not(tmp_path):
    with pytest.raises(ConfigError, match="scheduler: race compares answers"):
        raytuner.run(study(tmp_path, search="random", scheduler="race"), in_memory=True)
    plain = study(tmp_path, search="random", scheduler=None)
    assert {t.status for t in raytuner.run(plain, in_memory=True).record.current} == {"complete"}


DRIVER = """
import sys, time
from pathlib import Path
from tests.raytuner.own.test_generator import study
from tests.raytuner.own import training_probes
import raytuner, json
root, fields = Path(sys.argv[1]), json.loads(sys.argv[2])
inner = training_probes.train
made = study(root, **fields)
keep = made.objective._segment
def slowly(*args):
    for given in keep(*args):
        time.sleep(0.01)
        yield given
made.objective._segment = slowly
raytuner.run(made, root)
"""


@pytest.mark.parametrize("search", ["pbt", "bohb"])
def test_a_killed_driver_goes_on_with_its_lineage(tmp_path, search):
    fields = {}
    if search == "bohb":
        pytest.importorskip("hpbandster")
        fields = {"search": "bohb", "scheduler": "bohb"}
    whole = raytuner.run(study(tmp_path / "whole", **fields), tmp_path / "whole")
    journal = tmp_path / "runs/t/journal.jsonl"
    for scored in (8, 30):
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), json.dumps(fields)], cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        wait_for(
            lambda n=scored: journal.exists() and journal.read_text().count('"units"') >= n + 1
        )
        process.send_signal(signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL
    before = Results.open(tmp_path / "runs/t")
    assert 0 < sum(trial.answered for trial in before.record.current) < 120
    resumed = raytuner.run(study(tmp_path, **fields), tmp_path)
    assert told(resumed) == told(whole)
    assert told(Results.open(tmp_path / "runs/t")) == told(whole)


def test_decisions_made_before_all_were_there_are_made_again(tmp_path):
    fields = {"scheduler": {"kind": "pbt", "population": 8, "interval": 3}}  # the search has 4
    whole = told(raytuner.run(study(tmp_path, **fields), tmp_path))
    journal = tmp_path / "runs/t/journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    for cut in range(2, len(lines), 6):
        journal.write_text("".join(lines[:cut]))
        assert told(raytuner.run(study(tmp_path, **fields), tmp_path)) == whole, cut
    assert any('"event":"drained"' in line for line in lines)


def test_what_stands_is_trial_0(tmp_path):
    objective = made(tmp_path, fixed={"rate": 0.01, "decay": 0.1})
    assert objective.defaults(["rate"]) == {"rate": 0.01}
    assert objective.defaults(["rate", "momentum"]) is None
    done = raytuner.run(
        raytuner.Study(objective=objective, space={"rate": [0.1, 0.5]}, metric="fit"),
        in_memory=True,
    )
    assert next((t.baseline, t.params["rate"]) for t in done.record.current) == (True, 0.01)
    assert done.best.params == {"rate": 0.5}
    assert done.verdict.reason == "the objective names no questions to judge what it has trained"
