"""The studies over golden items run as they stand, against the endpoint of the tests."""

import json
import shutil
from pathlib import Path

import openai
import pytest

from raytuner.results import Results
from tests.endpoint.fixtures import endpoint
from tests.raytuner.live_probes import started

__all__ = ["endpoint"]
EXAMPLES = Path(__file__).parents[2] / "examples"
ALONE = "from the context alone"


@pytest.fixture
def run(tmp_path, monkeypatch, raytuner):
    """Run an example as it stands; gives its output and its trials."""
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))

    def run(name):
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder)
        assert len((folder / "study.yaml").read_text().splitlines()) < 60
        monkeypatch.chdir(folder)
        checked = raytuner("check", "study.yaml")
        assert checked.code == 0, checked.err
        done = raytuner("run", "study.yaml")
        assert done.code == 0, done.err
        return done.out, Results.open(folder / "runs" / name).trials

    return run


@pytest.mark.slow
def test_the_workflow_routes_by_words_vectors_and_a_model(run, endpoint):
    out, trials = run("workflow")
    assert sorted(trials["steps.route.method"].unique()) == ["embedding", "keyword", "llm"]
    assert set(trials["status"]) <= {"complete", "pruned"}
    routed = trials.groupby("steps.route.method")["routed"].max()
    assert routed["embedding"] > routed["keyword"] > 0.5
    asked = [r.body for r in endpoint.requests if r.kind == "chat"]
    by_model = [one for one in asked if one.get("response_format")]
    assert 0 < len(by_model) <= 60  # both prompts share them
    assert endpoint.repeated() == []
    assert "texts embedded" in out


def test_the_chatbot_tells_what_the_policy_says(run, endpoint):
    out, trials = run("chatbot")
    best = trials.iloc[0]
    assert best["temperature"] == 0.3
    assert "from the context alone" in best["system"]
    assert best["turns_passed"] == best["contains"] > best["dialogue_passed"] > 0
    assert "PROVEN: " in out
    assert any(len(r.body["messages"]) > 4 for r in endpoint.requests if r.kind == "chat")


def test_the_chatbot_is_served_as_it_was_judged(run, endpoint, start):
    run("chatbot")
    process = start("serve", "study.yaml", "--port", "0")
    _, url = started(process)
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    shop = json.loads(Path("dialogues.jsonl").read_text().splitlines()[0])
    fields = {"shop": shop["shop"], "policy": shop["policy"]}
    told, before = [], endpoint.calls("chat")
    for turn in shop["turns"]:
        told.append({"role": "user", "content": turn["user"]})
        answer = client.chat.completions.create(
            model="chatbot", messages=told, extra_body={"fields": fields}
        )
        told.append({"role": "assistant", "content": answer.choices[0].message.content})
    assert endpoint.calls("chat") == before  # word for word what its trial asked, and is kept
    process.terminate()
    assert process.wait(60) == 0


def test_the_completion_thinks_and_votes(run, endpoint):
    out, trials = run("completion")
    best = trials.iloc[0]
    assert "step by step" in best["prompt"]
    assert best["temperature"] == 0.3
    assert "PROVEN: " in out
    assert endpoint.repeated_samples() == []
