"""Spaces laid out as flat axes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import digest
from raytuner.search.axes import complete, layout, positions, reachable, values
from raytuner.space import Space
from tests.raytuner.search.conformance import RAG
from tests.raytuner.test_space import spaces

CHECK = settings(max_examples=60, deadline=None)
SHARES = st.floats(0, 1)


def at(plan, share):
    """Take the same share of every axis."""
    return {axis.label: axis.at(share) for axis in plan.axes}


@CHECK
@given(spaces(), SHARES)
def test_any_share_of_every_axis_is_a_point(spelled, share):
    space = Space.parse(*spelled)
    plan = layout(space)
    raw = values(plan, at(plan, share))
    assert set(raw) == set(space.names)
    point = space.active(raw)
    assert all(point[name] == raw[name] for name in point)


@CHECK
@given(spaces())
def test_a_point_is_found_where_it_was_put(spelled):
    space = Space.parse(*spelled)
    plan = layout(space)
    for point in space.every():
        where = positions(plan, point)
        assert {axis.label for axis in plan.axes if axis.parameter in point} == set(where)
        assert complete(space, values(plan, where), random.Random(0)) == point
        for axis in plan.axes:
            if axis.label in where:
                assert axis.at(axis.share(where[axis.label])) == where[axis.label]


@CHECK
@given(st.integers(0, 999))
def test_continuous_and_logarithmic_values_come_back_up_to_rounding(seed):
    point = RAG.sample(random.Random(seed))
    plan = layout(RAG)
    back = complete(RAG, values(plan, positions(plan, point)), random.Random(0))
    assert back["temperature"] == pytest.approx(point["temperature"])
    assert {**back, "temperature": 0} == {**point, "temperature": 0}


@CHECK
@given(st.integers(1, 50), st.integers(0, 300), st.integers(1, 40), SHARES)
def test_logarithmic_steps_come_back(low, width, step, share):
    space = Space.parse({"n": {"int": [low, low + width], "step": min(step, width or 1)}})
    logarithmic = Space.parse({"n": {**space.model_dump()["n"], "log": True}})
    plan = layout(logarithmic)
    if not plan.axes:
        return
    value = values(plan, {"n": share})["n"]
    assert logarithmic.contains({"n": value})
    back = positions(plan, {"n": value})["n"]
    assert values(plan, {"n": back})["n"] == value


def test_shares_are_quantiles():
    plan = layout(RAG)
    middle = values(plan, at(plan, 0.5))
    assert middle["size"] == pytest.approx((64 * 1024) ** 0.5, rel=0.01)
    assert middle["temperature"] == pytest.approx((0.01 * 2.0) ** 0.5)
    assert middle["top_k"] == 11
    assert values(plan, at(plan, 0.0))["size"] == 64
    assert values(plan, at(plan, 1.0))["size"] == 1024


def test_numbers_are_ordered_and_names_are_not():
    space = Space.parse({"k": [8, 2, 4], "n": ["a", "b"], "b": "bool", "m": [1, None], "c": [7]})
    ordered = {axis.label: axis.ordered for axis in layout(space).axes}
    assert ordered == {"k": True, "n": False, "b": False, "m": False}
    where = {"k": 0, "n": 0, "b": 0, "m": 0}
    assert values(layout(space), where) == {"k": 2, "n": "a", "b": False, "m": 1, "c": 7}
    assert positions(layout(space), {"k": 8, "n": "b", "b": True, "m": None, "c": 7}) == {
        "k": 2,
        "n": 1,
        "b": 1,
        "m": 1,
    }


def test_a_subset_of_a_wrong_size_is_repaired_without_favourites():
    space = Space.parse({"s": {"subset": list("abcdef"), "min": 2, "max": 3}})
    plan, found = layout(space), set()
    for code in range(64):
        where = {axis.label: code >> number & 1 for number, axis in enumerate(plan.axes)}
        chosen = values(plan, where)["s"]
        assert values(plan, where)["s"] == chosen
        assert space.contains({"s": chosen})
        if 2 <= code.bit_count() <= 3:
            assert [o in chosen for o in "abcdef"] == [bool(bit) for bit in where.values()]
        else:
            found.update(chosen)
    assert found == set("abcdef")


@CHECK
@given(spaces(), st.integers(0, 99))
def test_completing_keeps_what_is_active_and_draws_the_rest(spelled, seed):
    space = Space.parse(*spelled)
    point = next(space.every(), None)
    if point is None:
        return
    assert complete(space, point, random.Random(seed)) == point
    drawn = complete(space, {}, random.Random(seed))
    assert space.active(drawn) == drawn
    assert all(reachable(space, name, drawn) == (name in drawn) for name in space.names)
    assert digest(drawn) == digest(complete(space, {}, random.Random(seed)))
