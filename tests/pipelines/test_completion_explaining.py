"""What people are shown of an instance: what was asked, hoped for and said; nothing is asked."""

import itertools
import json

import pytest

from pipelines.completion import CompletionObjective
from raytuner.objective import Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

DATA = [
    {"id": f"m{number}", "problem": f"What is {number} + 4?", "answer": number + 4}
    for number in range(4)
]


def spoken(responses, **_):
    return {"characters": len(responses[0])}


@pytest.fixture
def build(endpoint, tmp_path):
    def build(**completion):
        section = {
            "instances": DATA,
            "eval_func": spoken,
            "models": {"good": {"model": "good-1", "price": {"input": 1.0, "output": 2.0}}},
            "cache": str(tmp_path / "cache"),
            "completion": {"model": "good", "prompt": "{problem} Say it.", **completion},
        }
        return CompletionObjective.build(section, root=tmp_path, seed=1)

    return build


def evaluated(objective, units):
    batches = objective.evaluate({}, units, Tally())
    return {score.unit: score for score in itertools.chain.from_iterable(batches)}


def test_what_was_asked_and_said_is_shown_and_nobody_is_asked(build, endpoint, monkeypatch):
    scores = evaluated(build(), ["m0", "m2"])
    asked = endpoint.calls("chat")
    monkeypatch.delenv("OPENAI_API_KEY")
    shown = build().explain({}, ["m2", "m1", "m0"])
    assert endpoint.calls("chat") == asked
    assert [one["unit"] for one in shown] == ["m2", "m1", "m0"]
    assert shown[0]["question"] == "What is 2 + 4? Say it."
    assert [one["reference"] for one in shown] == ["6", "5", "4"]
    assert len(shown[0]["answer"]) == scores["m2"].scores["characters"]
    assert "answer" not in shown[1]
    assert "not among the answers that are kept" in shown[1]["missing"]
    json.dumps(shown)


def test_of_a_conversation_it_is_said_who_speaks(build):
    system, user = "Be brief.", "Is {problem} {answer}?"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    (one,) = build(prompt=None, messages=messages).explain({}, ["m3"])
    assert one["question"] == "system: Be brief.\n\nuser: Is What is 3 + 4? 7?"
    assert "reference" not in one  # what the model is told is not what is hoped for
