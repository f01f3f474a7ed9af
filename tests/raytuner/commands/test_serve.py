"""`raytuner serve` as a command: a real process, a real client, one sentence for bad input."""

import json
import signal
import socket
import urllib.request

import openai
import pytest

from tests.raytuner.live_probes import ran, started

__all__ = ["ran"]
TOKEN = "0123456789abcdef0123456789abcdef"


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        return json.load(response)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_the_run_until_it_is_told_to_end(ran, tiny, start, number):
    process = start("serve", "study.yaml", "--port", "0")
    said, url = started(process)
    assert "of study tiny, the best of the search; there is no verdict: " in said
    config = get(f"{url}/config")
    assert config["configuration"]["retriever"]["kind"] == "bm25"
    assert config["verdict"]["status"] == "NONE"
    assert config["study"] == "tiny"
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    question = [{"role": "user", "content": "What is bread baked from?"}]
    answer = client.chat.completions.create(model="tiny", messages=question)
    assert answer.choices[0].message.content.endswith("flour and water.")
    assert answer.model_extra["passages"][0]["document"] == "b.md"
    process.send_signal(number)
    assert process.wait(60) == 0
    assert "Traceback" not in process.stderr.read()


def test_a_trial_and_a_token_may_be_named(ran, tiny, start):
    process = start(
        "serve", "runs/tiny", "--trial", "0", "--port", "0", "--token-env", "MINE", MINE=TOKEN
    )
    said, url = started(process)
    assert "serving trial 0 of study tiny, as you asked" in said
    assert get(f"{url}/healthz") == {"status": "ok"}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        get(url)
    shown = get(url, Authorization=f"Bearer {TOKEN}")
    assert shown["trial"] == 0
    assert TOKEN not in json.dumps(shown) + said


def test_what_has_changed_since_the_run_is_said(ran, tiny, start):
    tiny.file("docs/d.md", "Dew forms at night.\n")
    process = start("serve", "study.yaml", "--port", "0")
    started(process)
    process.terminate()
    assert "have changed since the run" in process.communicate(timeout=60)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: whoever reaches this machine could ask"),
        (["--host", "example.org"], "name an environment variable that holds a token"),
        (["--token-env", "NOT_THERE"], "--token-env NOT_THERE: the variable must hold at least 16"),
        (["--trial", "99"], "--trial 99: there is no such trial; they are numbered 0 to"),
        (["--address", "auto"], "--address goes with --backend ray"),
        (["--replicas", "3"], "--replicas goes with --backend ray"),
        (["--concurrency", "0"], "'--concurrency': 0 is not in the range"),
        (["--timeout", "nan"], "--timeout nan: give seconds"),
        (["--backend", "flask"], "'flask' is not one of 'plain', 'ray'"),
    ],
)
def test_bad_options_are_one_sentence(ran, raytuner, arguments, words):
    found = raytuner("serve", "study.yaml", *arguments)
    assert found.code == 2
    assert words in found.err
    assert "Traceback" not in found.err


def test_a_port_that_is_taken_is_named(ran, raytuner):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = raytuner("serve", "study.yaml", "--port", port)
    assert found.code == 2
    assert found.err.startswith(f"error: --host 127.0.0.1 --port {port}: ")


def test_a_short_token_is_refused_and_not_shown(ran, raytuner, monkeypatch):
    monkeypatch.setenv("MINE", "hunter2")
    found = raytuner("serve", "study.yaml", "--token-env", "MINE")
    assert found.code == 2
    assert "hunter2" not in found.err


def test_a_study_that_has_not_run_has_nothing_to_serve(tiny, raytuner):
    found = raytuner("serve", "study.yaml")
    assert found.code == 2
    assert found.err.startswith("error: ")


def test_an_objective_in_python_cannot_be_served(tmp_path, raytuner, monkeypatch):
    from raytuner import Study, run

    monkeypatch.chdir(tmp_path)
    run(Study(name="mine", objective=lambda p: p["x"], space={"x": [1, 2]}), tmp_path)
    found = raytuner("serve", "runs/mine")
    assert found.code == 2
    assert "its objective is a Python object" in found.err


def test_an_objective_that_answers_nothing_is_said(tiny, raytuner):
    tiny.file("mine.py", "def score(config):\n    return float(config['x'])\n")
    tiny.write(objective="mine:score", space={"x": {"choice": [1, 2]}}, metric="score", name="mine")
    assert raytuner("run", "study.yaml").code == 0
    found = raytuner("serve", "study.yaml")
    assert found.code == 2
    assert "answers no questions, so there is nothing to serve" in found.err


@pytest.mark.slow
def test_replicas_answer_as_one_process_does(ran, tiny, start):
    answers = []
    for options in ([], ["--backend", "ray", "--replicas", "2", "--address", "local"]):
        process = start("serve", "study.yaml", "--port", "0", *options)
        _, url = started(process)
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        found = [
            client.chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": question}]
            )
            for question in (
                "Where do apples grow?",
                "What does sourdough need?",
                "Which are high?",
            )
        ]
        answers.append([(a.choices[0].message.content, a.model_extra["passages"]) for a in found])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    assert answers[0] == answers[1]
