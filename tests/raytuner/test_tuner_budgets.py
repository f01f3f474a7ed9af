"""Budgets stop a run in order, and a larger one goes on."""

import time

import pytest

import raytuner
from raytuner.results import Results
from tests.raytuner.probes import (
    BACKENDS,
    SIZE,
    Questions,
    evaluations,
    same,
    study,
    table,
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_budget_of_trials_stops_in_order_and_a_larger_one_goes_on(tmp_path, backend, expected):
    log = tmp_path / "log"
    where = BACKENDS[backend]
    first = study(Questions(log=log), budget={"trials": 5}, **where)
    results = raytuner.run(first, tmp_path)
    assert results.stop_reason == "the budget of 5 trials is used"
    assert Results.open(tmp_path / "runs/t").stop_reason == results.stop_reason
    assert [t.status for t in results.record.current] == ["complete"] * 5
    again = raytuner.run(first, tmp_path)
    assert again.stop_reason == results.stop_reason
    assert len(evaluations(log)) == 5 * 6
    results = raytuner.run(study(Questions(log=log), budget={"trials": 12}, **where), tmp_path)
    assert results.stop_reason is None  # exactly the grid: nothing was left
    assert len(evaluations(log)) == SIZE
    same(table(results), expected)


def test_budget_of_the_grid_is_enough_with_duplicates_and_baseline():
    base = {"x": 4, "y": "c"}  # the last point of the grid
    results = raytuner.run(study(Questions(base=base), budget={"trials": 11}), in_memory=True)
    assert results.stop_reason is None
    assert len(results.trials) == 12
    same_key = Merged(base=None)
    results = raytuner.run(study(same_key, budget={"trials": 4}), in_memory=True)
    assert results.stop_reason is None
    assert len(results.trials) == 4


class Merged(Questions):
    """Does not look at y."""

    def key(self, params):
        return super().key({"x": params["x"]})


def test_duplicate_keys_are_evaluated_once(tmp_path):
    log = tmp_path / "log"
    for backend in ("inprocess", "threads"):
        log.unlink(missing_ok=True)
        results = raytuner.run(study(Merged(log=log), **BACKENDS[backend]), in_memory=True)
        assert len(evaluations(log)) == 4 * 6
        assert list(results.trials.sort_values("trial").trial) == [0, 1, 2, 3]
        assert set(results.trials.y) == {"a"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_budget_of_seconds_stops_within_a_trial(tmp_path, backend, expected):
    objective = Questions(pause=0.05, units=200)
    began = time.monotonic()
    fields = {"budget": {"seconds": 0.6}, "scheduler": "none", **BACKENDS[backend]}
    results = raytuner.run(study(objective, **fields), tmp_path)
    assert time.monotonic() - began < 8
    assert results.stop_reason == "the budget of 0.6 seconds is used"
    assert set(results.trials.status) == {"stopped"}
    answered = results.trials.answered.sum()
    again = raytuner.run(study(objective, **fields), tmp_path)
    assert again.stop_reason == results.stop_reason
    assert again.trials.answered.sum() == answered  # all sessions count
    longer = 6.0 if backend == "processes" else 1.5  # a process takes a while to start
    fields["budget"] = {"seconds": longer + results.record.seconds}
    more = raytuner.run(study(objective, **fields), tmp_path)
    assert more.trials.answered.sum() > answered


def test_seconds_that_suffice_stop_nothing():
    results = raytuner.run(study(budget={"seconds": 60}), in_memory=True)
    assert results.stop_reason is None


class Paying(Questions):
    def evaluate(self, params, units, meter):
        for unit in units:
            meter.reserve(0.01)
            cost = raytuner.objective.Cost(usd=0.01, calls=1)
            meter.settle(0.01, cost)
            score = raytuner.UnitScore(unit, {"hit": 1.0, "loss": 0.0}, cost)
            yield [score]


@pytest.mark.parametrize("backend", ["inprocess", "threads", "async"])
def test_budget_of_dollars_is_never_overshot_and_ends_the_sweep(tmp_path, backend):
    fields = {"budget": {"usd": 0.2}, **BACKENDS[backend]}
    results = raytuner.run(study(Paying(), **fields), tmp_path)
    assert "budget" in results.stop_reason
    assert results.record.cost.usd == pytest.approx(0.2)
    assert not results.failed
    assert (results.trials.status == "complete").any() or backend != "inprocess"
    again = raytuner.run(study(Paying(), **fields), tmp_path)
    assert again.record.cost.usd == pytest.approx(0.2)
    fields["budget"] = {"usd": 0.73}
    done = raytuner.run(study(Paying(), **fields), tmp_path)
    assert done.stop_reason is None
    assert done.record.cost.usd == pytest.approx(0.72)
