"""Resuming from rung to rung: what a journal cut off anywhere, or a raised budget, leads to."""

import pytest

import raytuner
from raytuner.component import digest
from raytuner.journal import read
from raytuner.results import Results
from tests.raytuner.probes import Questions, evaluations, same, study, table
from tests.raytuner.sweeping.test_course import HALVING, staged

BASE = {"x": 2, "y": "b"}
WIDE = {"x": {"int": [1, 4]}, "y": ["a", "b", "c"], "z": {"int": [0, 9]}}


class Coarse(Questions):
    """Does not look at z: points that differ there only are the same trial."""

    def key(self, params):
        return digest(self.scope(), params["x"], params["y"])


def journal(folder):
    return folder / "runs/t/journal.jsonl"


@pytest.mark.parametrize("scheduler", HALVING)
def test_a_journal_cut_after_any_line_leads_to_the_same_end(tmp_path, scheduler):
    """Also in the middle of the events that one report brings, as a kill may leave it."""
    made = staged(Questions(units=16, base=BASE), scheduler)
    whole = table(raytuner.run(made, tmp_path / "whole"))
    lines = journal(tmp_path / "whole").read_bytes().splitlines(keepends=True)
    for cut in range(2, len(lines), 7):
        folder = tmp_path / str(cut)
        journal(folder).parent.mkdir(parents=True)
        journal(folder).write_bytes(b"".join(lines[:cut]))
        results = table(raytuner.run(made, folder))
        same(whole, results)
        same(results, table(Results.open(folder / "runs/t")))


@pytest.mark.parametrize("scheduler", ["asha", "stop", "median"])
def test_to_resume_what_has_ended_adds_nothing_but_the_session(tmp_path, scheduler):
    made = staged(Questions(units=16), scheduler)
    raytuner.run(made, tmp_path)
    before = len(read(journal(tmp_path))[0])
    raytuner.run(made, tmp_path)
    events = [event["event"] for event in read(journal(tmp_path))[0]]
    assert events[before:] == ["opened", "closed"]


@pytest.mark.parametrize("search", ["grid", "hyperopt"])
def test_a_raised_budget_of_trials_counts_trial_0_as_before(tmp_path, search):
    fields = {"search": search, "scheduler": HALVING["asha"]}
    objective = Questions(units=16, base=BASE)
    for trials in (3, 3, 5, 5, 7):
        made = study(objective, **fields, budget={"trials": trials})
        results = raytuner.run(made, tmp_path)
        assert len(results.record.current) == trials + 1
        assert results.stop_reason == f"the budget of {trials} trials is used"


@pytest.mark.parametrize("search", ["grid", "random", "optuna"])
def test_a_refused_trial_is_not_run_when_the_study_is_resumed(tmp_path, search):
    refused = {"x": 9, "y": "b"}
    objective = Questions(tmp_path / "log", units=16, faults={9: "refuse"}, base=refused)
    made = staged(objective, search=search)
    first = raytuner.run(made, tmp_path)
    assert (first.baseline.status, first.baseline.failure.kind) == ("failed", "config")
    asked = evaluations(tmp_path / "log")
    again = raytuner.run(made, tmp_path)
    same(table(first), table(again))
    assert evaluations(tmp_path / "log") == asked
    assert 9 not in {dict(params)["x"] for params, _ in asked}


@pytest.mark.parametrize(("search", "scheduler"), [("optuna", "asha"), ("bohb", "bohb")])
def test_points_that_compute_the_same_count_when_a_search_is_led_through_them(
    tmp_path, search, scheduler
):
    halving = {"kind": scheduler, "grace": 2, "reduction": 2}
    fields = {"search": {"kind": search, "samples": 10}, "scheduler": halving, "space": WIDE}
    made = study(Coarse(units=16), **fields)
    first = raytuner.run(made, tmp_path)
    assert len(first.record.current) < 10
    repeats = [event for event in read(journal(tmp_path))[0] if event["event"] == "repeat"]
    assert len(repeats) == 10 - len(first.record.current)
    same(table(first), table(raytuner.run(made, tmp_path)))
    same(table(first), table(Results.open(tmp_path / "runs/t")))
