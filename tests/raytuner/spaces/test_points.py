"""How the points of a space are walked through, counted and drawn."""

import itertools
import random
import time

import pytest

from raytuner.component import ConfigError
from raytuner.space import Space


def test_the_last_parameter_varies_fastest():
    grid = Space.parse({"a": [1, 2], "b": ["x", "y"], "c": "bool"}).grid()
    assert [tuple(p.values()) for p in grid][:5] == [
        (1, "x", False), (1, "x", True), (1, "y", False), (1, "y", True), (2, "x", False),
    ]  # fmt: skip


def test_a_child_declared_first_keeps_its_place_in_the_point():
    space = Space.parse({"child": {"choice": [1, 2], "when": {"kind": "a"}}, "kind": ["a", "b"]})
    assert space.order == ("kind", "child")
    assert list(space.grid()) == [
        {"child": 1, "kind": "a"},
        {"child": 2, "kind": "a"},
        {"kind": "b"},
    ]
    assert [list(p) for p in space.grid()] == [["child", "kind"], ["child", "kind"], ["kind"]]


def test_the_grid_is_lazy_and_sizes_are_not_walked():
    wide = {f"p{n}": {"int": [1, 100]} for n in range(20)}
    space = Space.parse(wide, ["p0 < p1", "p18 + p19 == 3"])
    started = time.perf_counter()
    assert space.size() == 4950 * 2 * 100**16
    assert len(list(itertools.islice(space.grid(), 10))) == 10
    space.check()
    assert space.contains(space.sample(random.Random(0)))
    assert time.perf_counter() - started < 5


def test_an_impossible_last_pair_is_found_without_walking_the_rest():
    wide = {f"p{n}": {"int": [1, 50]} for n in range(12)}
    space = Space.parse(wide, ["p10 > p11 + 49"])
    with pytest.raises(ConfigError, match=r"no point satisfies 'p10 > p11 \+ 49': widen p10, p11"):
        space.check()
    with pytest.raises(ConfigError, match="no point satisfies"):
        space.grid()
    with pytest.raises(ConfigError, match="no point satisfies"):
        space.sample(random.Random(0))
    assert space.size() == 0


def test_continuous_spaces_have_no_size_but_points_give_a_grid():
    free = Space.parse({"t": {"float": [0, 1]}, "k": [1, 2]})
    assert (free.size(), free.total(), free.finite) == (None, None, False)
    with pytest.raises(ConfigError, match=r"space: t: a grid over float 0\.0 to 1\.0"):
        free.grid()
    with pytest.raises(ConfigError, match=r"space: t: .* continuous"):
        free.every()
    free.check()
    some = Space.parse({"t": {"float": [0, 1], "points": 3}, "k": [1, 2]})
    assert (some.size(), some.total(), some.finite) == (6, None, False)
    coarse = Space.parse({"n": {"int": [1, 100], "log": True, "points": 3}})
    assert (coarse.size(), coarse.total()) == (3, 100)


def test_a_draw_satisfies_constraints_between_continuous_parameters():
    space = Space.parse(
        {"a": {"float": [0, 1]}, "b": {"float": [0, 1]}, "t": [None, 0.5], "p": [None, 0.9]},
        ["a + b <= 0.2", "t xor p"],
    )
    rng = random.Random(5)
    for _ in range(50):
        point = space.sample(rng)
        assert point["a"] + point["b"] <= 0.2
        assert (point["t"] is None) != (point["p"] is None)


def test_an_equation_between_continuous_parameters_asks_for_a_step():
    ends = {"a": {"float": [0, 1]}, "b": {"float": [0, 1]}}
    with pytest.raises(ConfigError, match="need a `step`"):
        Space.parse(ends, ["a + b == 1"]).check()
    stepped = {name: {**domain, "step": 0.1} for name, domain in ends.items()}
    space = Space.parse(stepped, ["a + b == 1"])
    space.check()
    assert space.size() == 11


def test_a_rare_point_is_proven_by_listing():
    space = Space.parse({f"p{n}": {"int": [1, 60]} for n in range(3)}, ["p0 + p1 + p2 == 180"])
    space.check()
    assert list(space.grid()) == [{"p0": 60, "p1": 60, "p2": 60}]


def test_check_refuses_empty_spaces_and_parameters_that_are_never_active():
    with pytest.raises(ConfigError, match="no parameter"):
        Space.parse({}).check()
    never = {
        "a": [1, 2],
        "b": {"choice": [1], "when": {"a": 1}},
        "c": {"choice": [1], "when": {"b": 1, "a": 2}},
    }
    with pytest.raises(ConfigError, match=r"space: c: its `when` .* is never fulfilled"):
        Space.parse(never).check()
    cut = {"a": [1, 2], "b": {"choice": [1], "when": {"a": 2}}}
    with pytest.raises(ConfigError, match="space: b: its `when`"):
        Space.parse(cut, ["a < 2"]).check()
