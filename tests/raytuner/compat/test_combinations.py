"""Combinations: which, in which order, told apart by what, and never copied."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.compat.combinations import Combinations, Names
from raytuner.component import ConfigError
from raytuner.search.port import Exhausted

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


class Thing:
    """Cannot be copied or compared, and says nothing of itself."""

    def __copy__(self) -> Thing:
        raise AssertionError("copied")

    def __deepcopy__(self, memo: object) -> Thing:
        raise AssertionError("copied")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None  # type: ignore[assignment]


def drawn(points: Combinations) -> list[dict[str, object]]:
    found = []
    while True:
        try:
            found.append(points.arguments(points.ask()))
        except Exhausted:
            return found


def test_every_combination_in_the_order_of_llama_index() -> None:
    points = Combinations({"a": [1, 2], "b": ["x", "y"]}, Names())
    assert points.total == 4
    assert drawn(points) == [
        {"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "y"},
    ]  # fmt: skip


def test_no_parameters_are_one_combination() -> None:
    assert drawn(Combinations({}, Names())) == [{}]


def test_equal_but_different_values_stay_apart() -> None:
    values = [True, 1, 1.0, "1", "True", None, "None", [1], "[1]", {"a": 1}, {1: 1}, {"1": 1}]
    got = [row["x"] for row in drawn(Combinations({"x": values}, Names()))]
    assert [(type(v), repr(v)) for v in got] == [(type(v), repr(v)) for v in values]


def test_repeated_values_count_once() -> None:
    points = Combinations({"x": [1, 2, 1, [3], (3,), np.int64(2)]}, Names())
    assert [row["x"] for row in drawn(points)] == [1, 2, [3]]


def test_not_a_number_and_infinity_are_values() -> None:
    values = [float("nan"), float("inf"), float("-inf"), "NaN"]
    got = [row["x"] for row in drawn(Combinations({"x": values}, Names()))]
    assert [repr(v) for v in got] == [repr(v) for v in values]


def test_objects_are_handed_over_themselves() -> None:
    first, second = Thing(), Thing()
    points = Combinations({"x": [first, [second], second]}, Names())
    got = [row["x"] for row in drawn(points)]
    assert got[0] is first
    assert got[1][0] is second  # type: ignore[index]
    assert got[2] is second


def test_an_object_keeps_its_name_and_a_new_one_gets_another() -> None:
    names = Names()
    thing = Thing()
    name = names.label(thing, "x")
    assert name == ("Thing #0",)
    assert names.label(thing, "x") == name
    assert names.label(Thing(), "x") == ("Thing #1",)
    assert names.label(Thing(), "x") == ("Thing #2",)  # although the last one is gone


def test_any_iterable_is_a_list_of_values() -> None:
    made = {"a": range(2), "b": np.array([1, 2]), "c": {"y", "x"}, "d": (5,)}
    points = Combinations(made, Names())
    assert points.labels == {"a": [0, 1], "b": [1, 2], "c": ["x", "y"], "d": [5]}
    assert type(drawn(points)[0]["b"]) is np.int64


@pytest.mark.parametrize("values", [256, None, "abc", b"abc", {"a": 1}])
def test_what_is_no_list_is_refused(values: object) -> None:
    with pytest.raises(ConfigError, match=r"param_dict\['size'\]: expected a list of values"):
        Combinations({"size": values}, Names())  # type: ignore[dict-item]


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"param_dict\['size'\]: the list of values is empty"):
        Combinations({"size": []}, Names())


def test_a_big_grid_is_not_built() -> None:
    started = time.perf_counter()
    points = Combinations({name: range(6) for name in "abcdefg"}, Names())
    assert points.total == 279_936
    assert points.ask() == dict.fromkeys("abcdefg", 0)
    assert time.perf_counter() - started < 0.1


def test_long_names_are_cut_but_differ() -> None:
    names = Names()
    one, other = (names.label([*range(1000), end], "x") for end in (1, 2))
    assert one != other
    assert len(one[0]) < 200  # type: ignore[arg-type, index]


def test_lasting_names_are_for_plain_values_only() -> None:
    names = Names(lasting=True)
    plain = [1, "a", None, [1.5, {"a": [b"x", Path("y")]}], np.float32(2), {2: 3}]
    assert names.label(plain, "x") == Names(lasting=True).label(plain, "x")
    for foreign in (Thing(), [Thing()], {"a": (Thing(),)}, {Enum: 1}, print):
        with pytest.raises(ConfigError, match=r"the docs holds a .* plain values .* `version`"):
            names.label(foreign, "the docs")


@given(st.lists(VALUES, min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_labels_find_the_value_they_stand_for(values: list[object]) -> None:
    points = Combinations({"x": values}, Names())
    for row in drawn(points):
        assert any(row["x"] is value for value in values)
    shown = {repr(value) for value in values}
    assert points.total >= len(shown) - sum(repr(v) == "-0.0" for v in values)
