"""The configuration as it stands, its levels and its neighbours."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.search.standing import Standing
from raytuner.space import Space
from tests.raytuner.search.conformance import RAG
from tests.raytuner.test_space import spaces


class Stands:
    def __init__(self, **values):
        self.values = values

    def defaults(self, names):
        return {name: self.values[name] for name in names if name in self.values}


def test_what_stands_is_the_first_point_and_what_lies_outside_gives_way_to_the_nearest():
    space = Space.parse({
        "size": [128, 256, 512], "k": {"int": [1, 5]}, "model": ["a", "b"], "t": {"float": [0, 1]},
    })  # fmt: skip
    stands = Stands(size=300, k=9, model="b", t=0.25)
    assert Standing(space, stands, 4).point == {"size": 256, "k": 5, "model": "b", "t": 0.25}
    assert Standing(space, Stands(size=256, k=2, model="gone", t=0), 4).point["model"] == "a"


def test_without_an_objective_it_is_the_middle():
    space = Space.parse({"size": [64, 128, 512], "t": {"float": [0, 1]}, "model": ["a", "b"]})
    assert Standing(space, None, 4).point == {"size": 128, "t": 0.5, "model": "a"}


def test_a_start_that_breaks_a_constraint_moves_one_value_as_little_as_helps():
    space = Space.parse({"overlap": [0, 20, 40, 80], "size": [30, 60, 120]}, ["overlap < size"])
    point = Standing(space, Stands(overlap=80, size=60), 4).point
    assert space.contains(point)
    assert (point["overlap"], point["size"]) in {(40, 60), (80, 120), (0, 60), (20, 60)}


def test_levels_spread_over_a_range_and_narrow_around_a_value():
    space = Space.parse({"x": {"float": [0, 9]}, "n": {"int": [1, 3]}, "log": {"float": [1, 1000],
                         "log": True}, "own": {"float": [0, 1], "points": 3}})  # fmt: skip
    standing = Standing(space, None, 4)
    at = {"x": 3.0, "n": 2, "log": 10.0, "own": 0.5}
    assert standing.levels("x", at) == [0.0, 3.0, 6.0, 9.0]
    assert standing.levels("x", at, 1) == [1.5, 2.5, 3.5, 4.5]
    assert standing.levels("x", {**at, "x": 9.0}, 1) == [6.0, 7.0, 8.0, 9.0]
    assert standing.levels("n", at, 1) == [1, 2, 3]
    assert [round(value, 6) for value in standing.levels("log", at)] == [1, 10, 100, 1000]
    assert standing.levels("own", at) == [0.0, 0.5, 1.0]


def test_of_many_subsets_those_with_one_member_more_or_less_are_tried():
    space = Space.parse({"tools": {"subset": ["a", "b", "c", "d"], "min": 1}})
    standing = Standing(space, Stands(tools=("a",)), 4)
    found = standing.levels("tools", {"tools": ("a", "c")})
    assert found == [("a", "c"), ("c",), ("a", "b", "c"), ("a",), ("a", "c", "d")]
    assert standing.levels("tools", {"tools": ("a",)})[1] == ("a", "b")  # never none


def test_what_becomes_active_has_the_value_that_stands():
    space = Space.parse({"kind": ["whole", "fixed"],
                         "size": {"int": [1, 9], "when": {"kind": "fixed"}}})  # fmt: skip
    standing = Standing(space, Stands(kind="whole", size=7), 4)
    assert standing.point == {"kind": "whole"}
    assert standing.with_value({"kind": "whole"}, "kind", "fixed") == {"kind": "fixed", "size": 7}


@settings(max_examples=40, deadline=None)
@given(spaces(), st.integers(0, 999))
def test_neighbours_are_points_of_the_space_with_the_value_wanted(spelled, seed):
    space = Space.parse(*spelled)
    if next(space.every(), None) is None:
        return
    standing, point = Standing(space, None, 3), space.sample(random.Random(seed))
    assert space.contains(standing.point)
    for name in point:
        for value in standing.levels(name, point):
            moved = standing.with_value(point, name, value)
            assert moved is None or (space.contains(moved) and moved[name] == value)


def test_a_constraint_is_met_by_moving_another_value():
    assert RAG.contains(Standing(RAG, None, 4).point)
    space = Space.parse({"size": [32, 64, 128], "overlap": {"int": [0, 100]}}, ["overlap < size"])
    standing = Standing(space, Stands(size=128, overlap=100), 4)
    moved = standing.with_value(standing.point, "size", 64)
    assert moved["size"] == 64
    assert space.contains(moved)
