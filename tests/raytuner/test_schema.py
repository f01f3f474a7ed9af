"""The published schema: up to date, and strict where the study is strict."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from raytuner.schema import study_schema, written_out

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def validator():
    schema = study_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def demo():
    return YAML(typ="safe").load((ROOT / "examples/demo/study.yaml").read_text())


def test_the_published_schema_is_the_programs():
    """In a process of its own: other tests register components of theirs in this one."""
    command = [sys.executable, "-m", "raytuner", "schema"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    published = json.loads((ROOT / "docs/study.schema.json").read_text())

    assert json.loads(printed) == published, "run: make docs"


def test_it_takes_the_demo(validator, demo):
    assert list(validator.iter_errors(demo)) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/study.yaml")), ids=str)
def test_it_takes_every_example(validator, path):
    assert list(validator.iter_errors(YAML(typ="safe").load(path.read_text()))) == []


@pytest.mark.parametrize(
    "model",
    ["gpt-4o-mini", {"model": "gpt-4o-mini", "free": True}, {"kind": "openai", "model": "m"}],
)
@pytest.mark.parametrize("kind", ["agent", "completion", "dialogue", "rag", "workflow"])
def test_it_takes_models_as_the_program_does(validator, demo, kind, model):
    """The name of one, or an endpoint's fields: `kind: openai` goes without saying."""
    needs = {
        "agent": {"instances": "a.jsonl"},
        "completion": {"instances": "a.jsonl", "eval_func": "a:b"},
        "dialogue": {"instances": "a.jsonl", "score": "contains"},
        "rag": {"documents": "docs", "golden": "golden"},
        "workflow": {"instances": "a.jsonl", "score": "a:b", "workflow": "a:b", "steps": {}},
    }
    demo["objective"] = {"kind": kind, **needs[kind], "models": {"small": model}}
    assert list(validator.iter_errors(demo)) == []

    demo["objective"]["models"] = {"small": {"model": "m", "base": "http://localhost"}}
    assert not validator.is_valid(demo)


MANUAL = [
    {},
    {"metrics": ["a", "b"], "minimise": ["b"], "units": 20, "standing": {"x": 1}, "version": "2"},
    {"metrics": ["rating"], "units": "questions.jsonl"},
    {"units": ["a", "b"]},
]


@pytest.mark.parametrize("section", MANUAL, ids=str)
def test_it_takes_studies_that_people_evaluate(validator, demo, section):
    demo["objective"] = {"kind": "manual", **section}
    assert list(validator.iter_errors(demo)) == []

    demo["objective"]["metric"] = "a"
    assert not validator.is_valid(demo)


def test_sharing_changes_nothing_but_the_size():
    long = written_out()
    short = study_schema()

    assert expanded(short, short["$defs"]) == expanded(long, long["$defs"])
    assert len(json.dumps(short)) < len(json.dumps(long)) / 2


def expanded(node, definitions):
    """Write every reference out; what stands beside one belongs to the same schema."""
    if isinstance(node, list):
        return [expanded(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    found = {k: expanded(v, definitions) for k, v in node.items() if k not in {"$defs", "$ref"}}
    if "$ref" in node:
        found = {**expanded(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions), **found}
    return found


WRONG = {
    "unknown field": (("sercah",), "grid"),
    "unknown field of the objective": (("objective", "documants"), "docs"),
    "unknown stage": (("objective", "pipeline", "chunkr"), "fixed"),
    "unknown kind": (("objective", "pipeline", "chunker"), {"kind": "fixd"}),
    "unknown field of a part": (("objective", "pipeline", "chunker"), {"kind": "fixed", "siez": 1}),
    "no hit": (("objective", "pipeline", "retriever"), {"kind": "bm25", "top_k": 0}),
    "unknown search": (("search",), "gird"),
    "unknown domain": (("space", "chunker.size"), {"chioce": [1]}),
    "no worker": (("workers",), 0),
    "unknown backend": (("backend",), "thread"),
    "negative seed": (("seed",), -1),
    "no trial": (("budget",), {"trials": 0}),
    "name with a slash": (("name",), "a/b"),
    "another version": (("version",), 2),
}


@pytest.mark.parametrize("case", WRONG)
def test_it_refuses(validator, demo, case):
    path, value = WRONG[case]
    wrong = copy.deepcopy(demo)
    node = wrong
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value

    assert not validator.is_valid(wrong)


@pytest.mark.parametrize("name", ["objective", "space"])
def test_it_misses_what_a_study_needs(validator, demo, name):
    del demo[name]

    assert not validator.is_valid(demo)


def test_it_takes_every_kind_of_domain(validator, demo):
    demo["space"] = {
        "a": {"int": [1, 9], "step": 2},
        "b": {"float": [0.001, 1], "log": True},
        "c": {"bool": True},
        "d": {"choice": ["x", 1, None]},
        "e": {"subset": ["x", "y"], "min": 1},
        "f": {"int": [1, 3], "when": {"c": True}},
    }

    assert list(validator.iter_errors(demo)) == []


def test_every_field_is_described(validator):
    described = validator.schema["properties"]

    assert all(field.get("description") for name, field in described.items() if name != "retry")
