"""The agent example finds what is planted; agents that loop, or call what is not there, score."""

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from pipelines.agent.objective import AgentObjective
from raytuner import run
from raytuner.objective import Tally
from raytuner.study import load_study
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]
EXAMPLE = Path(__file__).parents[2] / "examples" / "agent"
PLAIN, ATLAS, STOPS = range(3)


@pytest.fixture
def folder(endpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    own = tmp_path / "agent"
    shutil.copytree(EXAMPLE, own, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    monkeypatch.syspath_prepend(str(own))
    return own


@pytest.fixture
def study(folder):
    return load_study(folder / "study.yaml")


@pytest.fixture
def planted(study):
    """What should be found, and the prompts to choose from."""
    prompts = study.space["system_prompt"]["choice"]
    return {
        "system_prompt": prompts[STOPS],
        "max_iterations": 6,
        "tools": ("distance", "to_miles", "currency"),
        "tool_descriptions.distance": study.space["tool_descriptions.distance"]["choice"][1],
        "temperature": 0.3,
    }, prompts


@pytest.fixture
def tried(study, folder):
    section = {name: value for name, value in study.objective.items() if name != "kind"}
    objective = AgentObjective.build(section, root=folder, seed=0)

    def evaluate(params, count=8):
        parts = objective.evaluate(params, objective.units()[:count], Tally())
        return [one for part in parts for one in part]

    return evaluate


def mean(scored, metric="success"):
    return sum(one.scores[metric] for one in scored) / len(scored)


def test_the_study_is_short():
    assert len((EXAMPLE / "study.yaml").read_text().splitlines()) < 60


@pytest.mark.parametrize(
    "worse",
    [
        {"system_prompt": "You are the agent of a travel desk."},
        {"tools": ("distance", "to_miles", "currency", "legends")},
        {"tool_descriptions.distance": "Look two places up in the atlas."},
        {"max_iterations": 3},
        {"temperature": 1.5},
    ],
)
def test_every_planted_choice_helps(planted, tried, worse):
    best, _ = planted
    good = mean(tried(best))
    assert good >= 0.75
    assert mean(tried({**best, **worse})) < good


def test_agents_that_loop_or_call_what_is_not_there_are_scored(planted, tried):
    best, prompts = planted
    looping = tried({**best, "system_prompt": prompts[PLAIN]})
    missing = tried({**best, "system_prompt": prompts[ATLAS]})
    assert not any(one.failure for one in [*looping, *missing])
    reasons = [one.notes.get("no success") for one in looping]
    assert "no answer within max_iterations 6" in reasons
    assert "called atlas, which is no tool" in [one.notes.get("no success") for one in missing]
    assert mean(looping, "steps") > mean(tried(best), "steps")


@pytest.mark.slow
def test_the_study_finds_what_is_planted(endpoint, study, folder, planted):
    best, _ = planted
    results = run(study, folder)
    found = dict(results.best.params)
    assert {name: tuple(v) if name == "tools" else v for name, v in found.items()} == best
    assert results.verdict.status == "PROVEN"
    assert not endpoint.repeated()
    price = study.objective["models"]["small"]["price"]
    assert endpoint.usd(price["input"], price["output"]) <= study.budget.usd


def test_editors_know_the_study():
    schema = json.loads((EXAMPLE.parents[1] / "docs" / "study.schema.json").read_text())
    Draft202012Validator(schema).validate(YAML(typ="safe").load(EXAMPLE / "study.yaml"))
