"""Values of any kind in a space: each has a label of its own, which stands for that very object."""

import pickle

import pytest
from ray import tune

from raytuner.compat.combinations import Names
from raytuner.compat.searched import Searched, plain_lists
from raytuner.component import ConfigError


class Model:
    pass


def test_labels_stand_for_the_very_objects():
    model, other = Model(), Model()
    values = [1, 1.0, True, "1", None, model, other, [1, 2], "Model #0"]
    made = Searched({"x": values}, Names())
    points = list(made.space.grid())
    assert len(points) == len(values)
    got = [made.arguments(point)["x"] for point in points]
    assert all(a is b for a, b in zip(got, values, strict=True))
    assert all(isinstance(p["x"], bool | int | float | str | None) for p in points)


def test_domains_conditions_and_lists_together():
    spelled = {
        "kind": ["bm25", "dense"],
        "size": {"int": [1, 3], "when": {"kind": "dense"}},
        "tools": {"subset": ["a", "b"]},
        "rate": tune.quniform(0.5, 1.0, 0.5),
    }
    made = Searched(spelled, Names())
    points = [made.arguments(point) for point in made.space.every()]
    assert len(points) == (1 + 3) * 4 * 2
    assert {"kind": "bm25", "tools": ["a", "b"], "rate": 0.5} in points
    assert made.active({"kind": "bm25", "size": 3, "tools": (), "rate": 1}) == {
        "kind": "bm25", "tools": (), "rate": 1.0,
    }  # fmt: skip
    assert list(made.labels) == list(spelled)


def test_it_travels():
    made = pickle.loads(pickle.dumps(Searched({"x": [[1], [2]]}, Names())))
    assert [made.arguments(point) for point in made.space.grid()] == [{"x": [1]}, {"x": [2]}]


def test_plain_lists_are_told_from_domains():
    assert plain_lists({"x": tune.grid_search([1, 2]), "y": [3]}) == {"x": [1, 2], "y": [3]}
    assert plain_lists({"x": tune.choice([1, 2])}) == {"x": [1, 2]}
    assert plain_lists({"x": [1], "y": {"int": [1, 2]}}) is None
    assert plain_lists({"x": tune.randint(1, 3)}) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": {"int": [2, 1]}}, "param_dict: x: int low 2 is above high 1"),
        ({"x": {"itn": [1, 2]}}, "param_dict: x: .* is no domain.* Did you mean 'int'"),
        ({"x": 3}, r"param_dict\['x'\]: expected a list"),
        ({"a b": [1]}, "param_dict: 'a b' is no parameter name"),
        ({"x": [1], "y": {"int": [1, 2], "when": {"z": 1}}}, "param_dict: y: .*z"),
        ({}, "param_dict: it has no parameter"),
    ],
)
def test_what_is_no_space_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        Searched(values, Names())
