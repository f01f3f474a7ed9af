"""Sobol search."""

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import digest
from raytuner.search import Exhausted, Sobol
from raytuner.search.sampling import Random
from raytuner.space import Space
from tests.raytuner.search.conformance import (
    RAG,
    SQUARE,
    check_points,
    exhaust,
    worth,
)
from tests.raytuner.test_space import spaces


def proposals(search, space, count, seed=0):
    proposer = search.start(space, seed)
    return [proposer.ask() for _ in range(count)]


@settings(max_examples=15, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    space = Space.parse(*spelled)
    found = exhaust(Sobol(), space, seed)
    assert len({digest(p) for p in found}) == len(found) == space.total() == Sobol().total(space)
    assert all(map(space.contains, found))


def test_proposals_are_active_points_inside_the_constraints():
    check_points(Sobol(), RAG, 80)


def test_the_seed_decides_the_sequence_and_results_do_not():
    first = proposals(Sobol(samples=20), RAG, 20, seed=4)
    proposer = Sobol(samples=20).start(RAG, 4)
    told = []
    for number in range(20):
        told.append(proposer.ask())
        proposer.tell(told[-1], None if number % 2 else worth(told[-1]), units=3, ended=False)
    assert told == first != proposals(Sobol(samples=20), RAG, 20, seed=5)
    assert proposals(Sobol(samples=5), RAG, 5, seed=4) == first[:5]
    with pytest.raises(Exhausted, match="samples"):
        proposer.ask()
    assert Sobol(samples=20).total(RAG) == 20
    assert not Sobol().learns


def test_every_part_of_an_axis_and_of_a_square_is_met_equally_often():
    found = proposals(Sobol(), SQUARE, 64)
    for name in ("x", "y"):
        assert sorted(int(p[name] * 64) for p in found) == list(range(64))
    cells = [(int(p["x"] * 8), int(p["y"] * 8)) for p in found]
    assert len(set(cells)) == 64
    mixed = Space.parse({"k": {"int": [1, 8], "log": True}, "kind": ["a", "b"], "on": "bool"})
    assert {p["on"] for p in proposals(Sobol(), mixed, 2)} == {False, True}
    assert {p["kind"] for p in proposals(Sobol(), mixed, 2)} == {"a", "b"}


def test_it_comes_closer_to_any_place_than_chance():
    def gap(search, seed):
        found = proposals(search, SQUARE, 32, seed)
        places = [(x / 10, y / 10) for x in range(11) for y in range(11)]
        return max(min((p["x"] - x) ** 2 + (p["y"] - y) ** 2 for p in found) for x, y in places)

    even, chance = ([gap(s, seed) for seed in range(9)] for s in (Sobol(), Random()))
    assert statistics.median(even) < 0.7 * statistics.median(chance)


def test_points_too_rare_to_meet_are_listed():
    space = Space.parse({f"p{n}": {"int": [1, 60]} for n in range(3)}, ["p0 + p1 + p2 >= 179"])
    assert len(exhaust(Sobol(), space)) == 4
    assert exhaust(Sobol(), Space.parse({"a": ["x"], "b": {"int": [3, 3]}})) == [{"a": "x", "b": 3}]
