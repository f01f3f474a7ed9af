"""The driver's gate for worker processes: one purse, one call for equal calls, no leaks."""

import pytest

import raytuner
from raytuner.objective import Cost, UnitScore
from tests.raytuner.backends.gate_probes import (
    Calls,
    calls,
    check_equal_calls,
    check_killed_driver,
    check_lost_worker,
    check_race,
)
from tests.raytuner.probes import Questions, study

FIELDS = {"backend": "processes", "workers": 4}


def test_processes_that_race_to_a_limit_never_overshoot(tmp_path):
    check_race(FIELDS, tmp_path)


def test_equal_calls_of_processes_are_made_once(tmp_path):
    check_equal_calls(FIELDS, tmp_path)


def test_calls_of_a_process_that_dies_count_and_hold_nobody_up(tmp_path):
    check_lost_worker({**FIELDS, "workers": 2}, tmp_path)


@pytest.mark.slow
def test_what_was_under_way_when_the_driver_was_killed_counts(tmp_path):
    check_killed_driver({**FIELDS, "workers": 2}, tmp_path)


class Reserving(Questions):
    """Sets money aside without a gate's help."""

    def evaluate(self, params, units, meter):
        for unit in units:
            meter.reserve(0.01)
            self.write(params, unit)
            meter.settle(0.01, Cost(usd=0.01, calls=1))
            yield [UnitScore(unit, {"hit": 1.0, "loss": 0.0}, Cost(usd=0.01, calls=1))]


def test_reservations_of_processes_come_out_of_the_one_purse(tmp_path):
    fields = {**FIELDS, "workers": 3}
    results = raytuner.run(
        study(Reserving(tmp_path / "log"), budget={"usd": 0.2}, **fields), tmp_path
    )
    assert results.stop_reason.startswith("the budget of $0.2 ")  # "is used", or "has no room"
    assert len(calls(tmp_path / "log")) == 20
    assert not results.failed


def test_answers_are_kept_where_the_objective_says(tmp_path):
    objective = Keeping(tmp_path / "log")
    fields = {"space": {"x": [1, 2]}, **FIELDS}
    raytuner.run(study(objective, **fields), tmp_path / "a")
    made = len(calls(tmp_path / "log"))
    assert made == 16
    raytuner.run(study(objective, **fields), tmp_path / "b")
    assert len(calls(tmp_path / "log")) == made


class Folder:
    place = ""

    def __init__(self, path):
        self.path = path

    def recall(self, key):
        file = self.path.with_name(key)
        return file.read_bytes() if file.exists() else None

    def keep(self, key, answer):
        self.path.with_name(key).write_bytes(answer)


class Keeping(Calls):
    def answers(self):
        from pathlib import Path

        return Folder(Path(self.log))


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_share_the_gate_too(tmp_path, workers):
    check_race({"backend": "threads", "workers": workers}, tmp_path, limit=0.3)


def test_a_budget_of_tokens_holds_over_processes(tmp_path):
    made = study(
        Calls(tmp_path / "log"), space={"x": list(range(40))}, budget={"tokens": 3000}, **FIELDS
    )
    results = raytuner.run(made, tmp_path)
    assert "the budget of 3000 tokens has no room" in results.stop_reason
    assert 2900 - 30 <= 30 * len(calls(tmp_path / "log")) <= 3000
