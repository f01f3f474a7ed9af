"""Explanations of a run: of the data it has seen, or refused; nothing is raised, or redone."""

import json

import pytest

from raytuner.explaining import Explainer, explaining
from raytuner.objective import Objective, UnitScore
from raytuner.results import Results
from raytuner.study import Study
from raytuner.tuner import run


class Told(Objective):
    """Scores and explains; remembers what it was asked to explain."""

    def __init__(self, *, edition="a", fault=None):
        self.edition = edition
        self.fault = fault
        self.asked = []

    def units(self):
        return [f"q{number}" for number in range(4)]

    def key(self, params):
        return json.dumps([self.edition, dict(params)])

    def metrics(self):
        return ("hit",)

    def evaluate(self, params, units, meter):
        yield [UnitScore(unit, {"hit": params["x"] / 2}) for unit in units]

    def explain(self, params, units):
        if self.fault is not None:
            raise self.fault
        self.asked.append((params["x"], tuple(units)))
        return [
            {"unit": unit, "question": f"{unit}?", "answer": f"{params['x']}"} for unit in units
        ]


@pytest.fixture
def ran(tiny, raytuner):
    assert raytuner("run", "study.yaml").code == 0
    return Results.open(tiny.run_folder)


def in_memory(objective):
    study = Study(objective=objective, space={"x": {"choice": [1, 2]}}, baseline=False)
    return run(study, in_memory=True)


# ---- of a run folder


def test_a_run_is_explained_from_its_folder_alone(ran, tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = explaining(ran)
    assert found.reason is None
    best = ran.best
    shown = found.explain(best)
    assert [one["unit"] for one in shown] == list(best.units) + list(best.held.units)
    (apples,) = (one for one in shown if one["unit"] == "q1")
    assert apples["question"] == "Where do apples grow?"
    (gold,) = apples["evidence"]
    assert [gold["text"][a:b] for a, b in gold["marks"]] == ["Apples grow on trees."]
    assert len(apples["retrieved"]) >= 1
    json.dumps(shown)


def test_changed_documents_are_refused(ran, tiny):
    tiny.file("docs/a.md", "# Apples\nApples grow on trees. They pick apples in autumn.\n")
    found = explaining(ran)
    assert found.explain is None
    assert "changed since the run" in found.reason


def test_data_that_is_gone_is_said_in_words(ran, tiny):
    (tiny.folder / "golden.jsonl").unlink()
    found = explaining(ran)
    assert found.explain is None
    assert "cannot be opened here" in found.reason
    assert "golden.jsonl" in found.reason


def test_a_callable_cannot_be_asked_again(tmp_path):
    study = Study(
        name="call", objective=lambda params: params["x"], space={"x": {"choice": [1, 2]}}
    )
    run(study, root=tmp_path)
    found = explaining(Results.open(tmp_path / "runs" / "call"))
    assert found.explain is None
    assert "Python object" in found.reason


def test_a_study_in_memory_has_no_folder_to_explain_from():
    assert explaining(in_memory(Told())).explain is None


# ---- what an explainer remembers


def test_questions_are_asked_about_once():
    objective = Told()
    first, second = in_memory(objective).record.current
    explain = Explainer(objective)
    assert [one["unit"] for one in explain(first, ["q2", "q0"])] == ["q2", "q0"]
    assert len(explain(first)) == 4
    explain(first)
    explain(second, ["q0"])
    assert objective.asked == [(1, ("q2", "q0")), (1, ("q1", "q3")), (2, ("q0",))]


def test_a_failure_is_shown_and_asked_about_again():
    objective = Told(fault=OSError("the disk\nis gone"))
    trial = in_memory(objective).record.current[0]
    explain = Explainer(objective)
    (one,) = explain(trial, ["q1"])
    assert one == {"unit": "q1", "missing": "OSError: the disk is gone"}
    objective.fault = None
    assert explain(trial, ["q1"])[0]["answer"] == "1"


def test_what_another_version_of_a_part_would_do_is_not_shown():
    trial = in_memory(Told()).record.current[0]
    (one,) = Explainer(Told(edition="b"))(trial, ["q1"])
    assert (one["question"], "answer" in one) == ("q1?", False)
    assert "changed since it was scored" in one["missing"]


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("raytuner.explaining._KEPT", 3)
    objective = Told()
    trial = in_memory(objective).record.current[0]
    explain = Explainer(objective)
    assert len(explain(trial)) == 4
    assert len(explain(trial)) == 4
    assert objective.asked[1:] == [(1, ("q0",))]
