"""Whole dialogue studies: budgets hold, bad spaces cost nothing, killed runs pay nothing twice."""

import json
import os
import signal
import time

import pytest
from ruamel.yaml import YAML

from raytuner.results import Results
from tests.endpoint.fixtures import endpoint
from tests.endpoint.server import KEY, started

__all__ = ["endpoint"]

PRICE = {"input": 100.0, "output": 400.0}


def dialogue(number):
    turns = [
        {"user": f"What is {number} + {turn} * 3?", "expect": str(number + 3 * turn)}
        for turn in (4, 7)
    ]
    return {"id": f"d{number:02d}", "turns": turns}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def write(**changes):
        study = {
            "version": 1,
            "name": "bots",
            "objective": {
                "kind": "dialogue",
                "instances": "dialogues.jsonl",
                "score": "contains",
                "models": {"good": {"model": "good-1", "price": PRICE}},
                "bot": {
                    "model": "good",
                    "system": "You add.",
                    "temperature": 1.5,
                    "max_tokens": 60,
                },
            },
            "space": {
                "system": {"choice": ["You add.", "Think step by step."]},
                "temperature": {"choice": [0.3, 1.5]},
            },
            "metric": "contains",
            "scheduler": "none",
            "verdict": {"held_out": 0},
            "retry": {"times": 0, "wait": 0},
            **changes,
        }
        rows = [json.dumps(dialogue(number)) for number in range(11, 31)]
        (tmp_path / "dialogues.jsonl").write_text("\n".join(rows))
        with (tmp_path / "study.yaml").open("w") as file:
            YAML().dump(study, file)
        return tmp_path

    return write


def test_a_budget_is_never_exceeded_and_the_result_stands(folder, endpoint, raytuner):
    limit = 0.8
    path = folder(budget={"usd": limit})
    done = raytuner("run", "study.yaml")
    assert done.code == 4, done.err
    billed = endpoint.usd(PRICE["input"], PRICE["output"])
    trials = Results.open(path / "runs/bots").trials
    assert 0 < trials["usd"].sum() <= billed <= limit
    assert trials["contains"].notna().any()


def test_a_space_that_does_not_fit_costs_nothing(folder, endpoint, raytuner):
    folder(space={"sytem": {"choice": ["a", "b"]}})
    done = raytuner("run", "study.yaml")
    assert done.code == 2
    assert "Did you mean 'system'?" in done.err
    assert "study.yaml" in done.err
    assert endpoint.calls() == 0


def test_trials_are_the_same_on_every_backend(folder, endpoint, raytuner):
    found = []
    for name, more in (("one", {}), ("threads", {"workers": 4}), ("async", {"backend": "async"})):
        path = folder(name=name, **more)
        done = raytuner("run", "study.yaml")
        assert done.code == 0, done.err
        trials = Results.open(path / "runs" / name).trials
        names = ["system", "temperature", "contains", "tokens_per_question"]
        found.append(trials[names].sort_values(names[:2]).reset_index(drop=True))
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
    assert endpoint.calls("chat") == 20 * 2 * 4
    assert endpoint.repeated() == []


@pytest.mark.slow
def test_a_killed_run_pays_for_nothing_twice(folder, start, finish):
    with started(latency=0.05, concurrency=8) as remote:
        path = folder(name="killed")
        keys = {"OPENAI_BASE_URL": remote.url, "OPENAI_API_KEY": KEY}
        process = start("run", "study.yaml", **keys)
        journal = path / "runs/killed/journal.jsonl"
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            if journal.exists() and journal.read_text().count('"d') > 10:
                break
            time.sleep(0.05)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        again = finish(start("run", "study.yaml", **keys))
        assert again.code == 0, again.err
        trials = Results.open(path / "runs/killed").trials
        assert (trials["status"] == "complete").all()
        # What was on its way to the killed process the server has answered in vain.
        assert remote.stats()["repeated"] <= 8
        assert remote.stats()["answered"] <= 20 * 2 * len(trials) + 8
