"""Secrets: struck out of what is kept and shown, and refused in what has to be kept as it is."""

import pytest

from raytuner.component import ConfigError
from raytuner.strike import exposed, strike
from raytuner.study import Study
from raytuner.tuner import prepare, run

KEY = "no-known-form-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", KEY)


def study(**changes):
    space = {"prompt": {"choice": ["short", "long"]}}
    return Study.parse({"objective": {"kind": "manual"}, "space": space, **changes})


def test_secrets_of_the_environment_and_what_looks_like_one_are_struck_out():
    said = f"{KEY}, sk-0123456789abcdef at https://ann:pass@host/x"
    assert strike(said) == "***, *** at https://***@host/x"


HOLDING = [
    ({"space": {"prompt": {"choice": ["short", f"use {KEY}"]}}}, "space.prompt.choice.1"),
    ({"objective": {"kind": "manual", "standing": {"prompt": KEY}}}, "objective.standing.prompt"),
    ({"points": [{"prompt": KEY}]}, "points.0.prompt"),
    ({"space": {f"x{KEY}": {"int": [1, 3]}}}, "space.x***"),
]


@pytest.mark.parametrize(("changes", "place"), HOLDING, ids=[place for _, place in HOLDING])
def test_a_study_that_holds_a_key_is_refused_before_anything_is_kept(tmp_path, changes, place):
    with pytest.raises(ConfigError) as caught:
        prepare(study(**changes), tmp_path)
    assert str(caught.value).startswith(f"{place}: it holds the value of $MY_API_KEY")
    assert KEY not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_python_study_is_looked_at_as_well(tmp_path):
    def score(params):
        return float(len(params["prompt"]))

    with pytest.raises(ConfigError, match=r"\$MY_API_KEY"):
        run(Study(objective=score, space={"prompt": {"choice": [KEY, "b"]}}), tmp_path)


@pytest.mark.parametrize(
    "value", ["short", "/etc/ssl/private/some/key", "a b c d e f g h i j k l m"]
)
def test_what_may_stand_there_by_chance_is_not_refused(monkeypatch, value):
    monkeypatch.setenv("MY_API_KEY", value)
    assert exposed({"prompt": f"use {value}"}) is None


def test_what_holds_none_is_not_refused(tmp_path):
    assert exposed(study()) is None
    prepare(study(), tmp_path)
