"""`raytuner golden calibrate`, against the loopback endpoint."""

import json

import pytest

from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

MODELS = {"small": {"model": "good-1", "price": {"input": 1.0, "output": 4.0}}}
ANSWERS = [
    ("Where do apples grow?", "Apples grow on trees.", "Apples grow on trees.", 5),
    ("What is bread baked from?", "From flour and water.", "From flour and water.", 5),
    ("What are clouds made of?", "Water droplets.", "Iron dust.", 1),
    ("Which are high?", "Cirrus clouds.", "Horses eat hay.", 2),
]


@pytest.fixture
def study(tiny, endpoint, monkeypatch):
    endpoint.configure(judge_noise=0.0)
    lines = [
        {
            "id": f"q{number}",
            "question": text,
            "answer": reference,
            "evidence": [{"doc": "a.md"}],
            "judged": [{"answer": answer, "correctness": grade}],
        }
        for number, (text, reference, answer, grade) in enumerate(ANSWERS)
    ]
    tiny.file("golden.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    judges = [{"kind": kind, "model": "small"} for kind in ("correctness", "faithfulness")]
    metrics = ["recall", *judges]
    return tiny.write(objective__models=MODELS, objective__metrics=metrics)


def test_it_prints_how_judge_and_people_agree(raytuner, study, endpoint):
    done = raytuner("golden", "calibrate", "study.yaml", "--metric", "correctness")
    assert done.code == 0, done
    lines = dict(line.strip().split("  ", 1) for line in done.out.splitlines() if "  " in line)
    assert done.out.startswith("correctness: 4 answers to 4 questions, grades\n")
    assert lines["exact agreement"].split() == ["0.750", "[0.250,", "1.000]"]
    assert lines["mean absolute difference"].split()[0] == "0.062"
    assert "Cohen's kappa (quadratic weights)" in lines
    assert f"spent ${endpoint.usd(1.0, 4.0):.6f}" in done.out
    assert endpoint.calls("chat") == 4


def test_the_second_time_is_free(raytuner, study, endpoint):
    first = raytuner("golden", "calibrate", "study.yaml", "--metric", "correctness", "--json")
    again = raytuner("golden", "calibrate", "study.yaml", "--metric", "correctness", "--json")
    assert endpoint.calls("chat") == 4
    found = [json.loads(done.out) for done in (first, again)]
    assert found[0]["metrics"] == found[1]["metrics"]
    assert found[1]["cost"]["usd"] == 0


def test_without_names_all_graded_metrics_are_looked_at(raytuner, study):
    found = json.loads(raytuner("golden", "calibrate", "study.yaml", "--json").out)
    assert [one["metric"] for one in found["metrics"]] == ["correctness"]


def test_verdicts_that_are_missing_are_told(raytuner, study, endpoint):
    endpoint.fault("wrong-schema", containing="Iron dust")
    metrics = [{"kind": "correctness", "model": "small"}]
    study.write(objective__models=MODELS, objective__metrics=metrics)
    done = raytuner("golden", "calibrate", "study.yaml")
    assert done.code == 3
    assert "3 answers to 3 questions" in done.out
    assert "failed: judge good-1 never gave a verdict" in done.out


def test_a_budget_ends_it_in_order(raytuner, study, endpoint):
    metrics = [{"kind": "correctness", "model": "small"}]
    study.write(objective__models=MODELS, objective__metrics=metrics)
    done = raytuner("golden", "calibrate", "study.yaml", "--usd", "0.0000001")
    assert done.code == 4, done
    assert "stopped: " in done.err
    assert endpoint.calls("chat") == 0


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({}, ["--metric", "corectness"], "Did you mean 'correctness'?"),
        ({"objective__models": {"small": {"model": "good-1"}}}, ["--usd", "1"], "price of good-1"),
        (
            {"objective__metrics": ["recall"]},
            [],
            "graded by recall: there are grades by correctness; give questions",
        ),
        ({"objective__kind": "completion"}, [], "a study with `objective: {kind: rag, ...}`"),
    ],
)
def test_bad_input_is_one_sentence(raytuner, study, endpoint, changes, arguments, message):
    metrics = [{"kind": "correctness", "model": "small"}]
    study.write(**{"objective__models": MODELS, "objective__metrics": metrics, **changes})
    done = raytuner("golden", "calibrate", "study.yaml", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert endpoint.calls("chat") == 0


def test_a_wrong_key_is_said_before_anything_is_asked(raytuner, study, endpoint, monkeypatch):
    metrics = [{"kind": "correctness", "model": "small"}]
    study.write(objective__models=MODELS, objective__metrics=metrics)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    done = raytuner("golden", "calibrate", "study.yaml")
    assert done.code == 2
    assert "OPENAI_API_KEY" in done.err
    assert endpoint.calls("chat") == 0


def test_nobody_has_graded(raytuner, tiny, endpoint):
    metrics = [{"kind": "correctness", "model": "small"}]
    tiny.write(objective__models=MODELS, objective__metrics=metrics)
    done = raytuner("golden", "calibrate", "study.yaml")
    assert done.code == 2
    assert "there are none" in done.err
