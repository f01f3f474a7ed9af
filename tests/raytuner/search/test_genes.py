"""Mutation and crossover: whatever comes out is an active point of plain values."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import digest
from raytuner.search.axes import layout
from raytuner.search.genes import crossed, mutated, other_value
from raytuner.space import Space
from raytuner.spaces.domains import identical
from tests.raytuner.search.conformance import RAG
from tests.raytuner.test_space import spaces

CHECK = settings(max_examples=80, deadline=None)
SEEDS = st.integers(0, 9999)


def is_point(space, point):
    """Tell whether it is active, plain and inside, constraints aside."""
    assert space.active(point) == point
    assert list(space.active(point)) == list(point)
    assert all(type(point[n]) is type(v) for n, v in space.active(point).items())
    return all(space.domains[name].contains(value) for name, value in point.items())


def free(spelled):
    """Give a random space without its constraints, which genes do not look at."""
    return Space.parse(spelled[0])


@CHECK
@given(spaces(), SEEDS, st.none() | st.floats(0.01, 1), st.floats(0.001, 1))
def test_a_mutant_is_a_point_of_the_space_and_another_one(spelled, seed, rate, step):
    space, rng = free(spelled), random.Random(seed)
    point = space.sample(rng)
    mutant = mutated(layout(space), point, rng, rate, step)
    assert is_point(space, mutant)
    variable = [name for name in point if space.domains[name].size > 1]
    assert (digest(mutant) != digest(point)) == bool(variable)


@CHECK
@given(spaces(), SEEDS)
def test_a_child_of_two_is_a_point_whose_values_are_theirs(spelled, seed):
    space, rng = free(spelled), random.Random(seed)
    parents = space.sample(rng), space.sample(rng)
    child = crossed(space, *parents, rng)
    assert is_point(space, child)
    for name, value in child.items():
        theirs = [parent[name] for parent in parents if name in parent]
        if isinstance(value, tuple):
            assert all(any(member in one for one in theirs) for member in value) or not theirs
            assert not theirs or set.intersection(*map(set, theirs)) <= set(value)
        elif theirs:
            assert any(identical(value, one) for one in theirs)


@CHECK
@given(SEEDS)
def test_so_are_those_of_continuous_logarithmic_and_tied_parameters(seed):
    rng = random.Random(seed)
    first, second = RAG.sample(rng), RAG.sample(rng)
    assert is_point(RAG, crossed(RAG, first, second, rng))
    mutant = mutated(layout(RAG), first, rng, None, 0.1)
    assert is_point(RAG, mutant)
    assert digest(mutant) != digest(first)


def others(spelled, value, step=0.1, count=400):
    space = Space.parse({"x": spelled})
    scale = layout(space).scales["x"]
    found = [other_value(scale, value, random.Random(seed), step) for seed in range(count)]
    assert all(space.domains["x"].contains(one) for one in found)
    return found


@pytest.mark.parametrize(
    ("spelled", "value"),
    [
        ({"int": [0, 9]}, 4),
        ({"int": [10, 90], "step": 20}, 50),
        ({"float": [0.0, 0.9], "step": 0.1}, 0.4),
        ({"int": [1, 1000], "log": True}, 30),
        ({"float": [0.1, 10.0], "log": True, "step": 0.1}, 1.0),
    ],
)
def test_numbers_move_both_ways_by_a_step_at_least(spelled, value):
    found = others(spelled, value)
    assert value not in found
    assert 0.3 < sum(one > value for one in found) / len(found) < 0.7


def test_steps_are_a_share_of_the_range_mostly_small_and_now_and_then_large():
    found = sorted(abs(one - 0.5) for one in others({"float": [0.0, 1.0]}, 0.5))
    assert found[200] < 0.05 < 0.15 < found[-1]
    wide = sorted(abs(one - 50.0) for one in others({"float": [0.0, 100.0]}, 50.0))
    assert wide == pytest.approx([100 * one for one in found])
    near = sorted(abs(one - 0.5) for one in others({"float": [0.0, 1.0]}, 0.5, step=0.01))
    assert near[:300] == pytest.approx([one / 10 for one in found[:300]])  # the ends are near


def test_logarithmic_numbers_move_by_factors():
    found = others({"float": [1e-4, 1.0], "log": True}, 0.01)
    up = sorted(one / 0.01 for one in found if one > 0.01)
    down = sorted(0.01 / one for one in found if one < 0.01)
    assert up[len(up) // 2] == pytest.approx(down[len(down) // 2], rel=0.2)


def test_the_ends_of_a_range_are_reached_and_left():
    assert {1.0} < set(others({"float": [0.0, 1.0]}, 0.97))
    assert all(one < 1.0 for one in others({"float": [0.0, 1.0]}, 1.0))
    assert set(others({"int": [0, 1]}, 1)) == {0}


def test_options_give_way_to_any_other_and_listed_numbers_to_a_neighbour():
    assert set(others(["a", "b", "c", "d"], "a")) == {"b", "c", "d"}
    assert set(others("bool", True)) == {False}
    found = others({"choice": [512, 64, 256, 128]}, 128)
    assert set(found) <= {64, 256, 512}
    assert found.count(64) + found.count(256) > 0.9 * len(found)


def test_a_subset_gains_loses_or_exchanges_a_member_within_its_bounds():
    options = ["a", "b", "c", "d"]
    sizes = {len(one) for one in others({"subset": options}, ("b", "c"))}
    assert sizes == {1, 2, 3}
    bounded = others({"subset": options, "min": 2, "max": 2}, ("b", "c"))
    assert set(bounded) == {("a", "b"), ("b", "d"), ("a", "c"), ("c", "d")}
    assert set(others({"subset": options}, ())) == {(one,) for one in options}
    assert {len(one) for one in others({"subset": options}, tuple(options))} == {3}


def test_settings_come_with_the_choice_they_belong_to():
    space = Space.parse(
        {
            "chunker": ["fixed", "sentence"],
            "size": {"int": [1, 9], "when": {"chunker": ["fixed", "sentence"]}},
            "rerank": ["no", "small", "large"],
            "depth": {"int": [1, 9], "when": {"rerank": ["small", "large"]}},
        }
    )
    first = {"chunker": "fixed", "size": 1, "rerank": "small", "depth": 1}
    second = {"chunker": "sentence", "size": 9, "rerank": "no"}
    children = [crossed(space, first, second, random.Random(seed)) for seed in range(60)]
    assert {(c["chunker"], c["size"]) for c in children} == {("fixed", 1), ("sentence", 9)}
    assert {(c["rerank"], c.get("depth")) for c in children} == {("small", 1), ("no", None)}
    assert len({digest(child) for child in children}) == 4
    alike = [
        crossed(space, first, {**second, "chunker": "fixed"}, random.Random(seed))
        for seed in range(60)
    ]
    assert {child["size"] for child in alike} == {1, 9}


def test_subsets_are_mixed_by_member_within_their_bounds():
    space = Space.parse({"x": {"subset": ["a", "b", "c", "d"], "min": 2, "max": 3}})
    found = {
        crossed(space, {"x": ("a", "b", "c")}, {"x": ("a", "d")}, random.Random(seed))["x"]
        for seed in range(200)
    }
    assert found == {
        ("a", "b"), ("a", "c"), ("a", "d"), ("a", "b", "c"), ("a", "b", "d"), ("a", "c", "d")
    }  # fmt: skip
