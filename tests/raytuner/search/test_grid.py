"""Grid search."""

import itertools

import pytest

from raytuner.component import ConfigError
from raytuner.search import Exhausted, Grid, Search
from raytuner.search.grid import _SHUFFLED
from raytuner.space import Space

SPACE = Space.parse(
    {"kind": ["a", "b"], "n": {"int": [1, 4], "when": {"kind": "a"}}, "h": "bool"}, ["n < 4"]
)


def proposals(search, space, seed=0):
    proposer = search.start(space, seed)
    found = []
    for _ in range(len(list(space.grid()))):
        found.append(proposer.ask())
        proposer.tell(found[-1], None)
    for _ in range(2):
        with pytest.raises(Exhausted):
            proposer.ask()
    return found


def test_it_proposes_the_grid_in_order():
    assert proposals(Grid(), SPACE) == list(SPACE.grid())
    assert Grid().total(SPACE) == 8 == len(proposals(Grid(), SPACE))


def test_shuffling_changes_the_order_and_nothing_else():
    shuffled = proposals(Grid(shuffle=True), SPACE, seed=1)
    assert shuffled == proposals(Grid(shuffle=True), SPACE, seed=1)
    assert shuffled != proposals(Grid(shuffle=True), SPACE, seed=2)
    assert shuffled != list(SPACE.grid())
    assert sorted(map(repr, shuffled)) == sorted(map(repr, SPACE.grid()))


def test_huge_grids_start_at_once_but_are_not_shuffled():
    space = Space.parse({f"p{n}": {"int": [1, 100]} for n in range(9)})
    assert Grid().total(space) == 100**9 > _SHUFFLED
    proposer = Grid().start(space, 0)
    assert [p["p8"] for p in (proposer.ask() for _ in range(3))] == [1, 2, 3]


@pytest.mark.slow
def test_a_grid_too_large_to_shuffle_is_refused():
    space = Space.parse({f"p{n}": {"int": [1, 100]} for n in range(9)})
    with pytest.raises(ConfigError, match="cannot be shuffled: set `shuffle: false`"):
        Grid(shuffle=True).start(space, 0)


def test_a_continuous_space_is_refused_at_the_start():
    with pytest.raises(ConfigError, match="space: t: a grid over float"):
        Grid().start(Space.parse({"t": {"float": [0, 1]}}), 0)
    assert Grid().total(Space.parse({"t": {"float": [0, 1]}})) is None


def test_it_is_named_in_a_study():
    assert Search.model_validate("grid") == Grid()
    assert Search.model_validate({"kind": "grid", "shuffle": True}) == Grid(shuffle=True)
    with pytest.raises(ValueError, match="Did you mean 'grid'"):
        Search.model_validate("gird")


def test_two_proposers_do_not_share_anything():
    first, second = Grid().start(SPACE, 0), Grid().start(SPACE, 0)
    assert [first.ask() for _ in range(3)] == list(itertools.islice(SPACE.grid(), 3))
    assert second.ask() == next(SPACE.grid())
