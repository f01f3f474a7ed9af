"""Random search."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError, digest
from raytuner.search import Exhausted, Random, Search
from raytuner.space import Space

FREE = Space.parse(
    {"kind": ["bm25", "dense"], "t": {"float": [0, 1], "when": {"kind": "dense"}}, "k": [1, 2]}
)


def proposals(search, space, seed=0, limit=10_000):
    proposer = search.start(space, seed)
    found = []
    try:
        while len(found) < limit:
            found.append(proposer.ask())
    except Exhausted:
        with pytest.raises(Exhausted):
            proposer.ask()
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 4), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(wide, high, gap, seed):
    space = Space.parse(
        {
            "kind": ["a", "b", "c"],
            "n": {"int": [1, wide], "log": True, "when": {"kind": ["a", "b"]}},
            "m": {"int": [1, high], "when": {"kind": "a"}},
        },
        [f"n <= m + {gap}"],
    )
    found = proposals(Random(), space, seed)
    assert len({digest(p) for p in found}) == len(found) == space.total()
    assert {digest(p) for p in found} == {digest(p) for p in space.grid()}
    assert Random().total(space) == len(found)


def test_the_seed_decides_the_sequence_and_results_do_not():
    first = proposals(Random(samples=20), FREE, seed=4)
    proposer = Random(samples=20).start(FREE, 4)
    told = []
    for number in range(20):
        told.append(proposer.ask())
        proposer.tell(told[-1], None if number % 2 else number / 20, units=3, ended=False)
        proposer.tell({"kind": "bm25", "k": 2}, 1.0)
    assert told == first
    assert first != proposals(Random(samples=20), FREE, seed=5)
    assert proposals(Random(samples=5), FREE, seed=4) == first[:5]


def test_samples_end_it():
    assert len(proposals(Random(samples=7), FREE)) == 7 == Random(samples=7).total(FREE)
    finite = Space.parse({"a": [1, 2, 3]})
    assert len(proposals(Random(samples=7), finite)) == 3 == Random(samples=7).total(finite)
    assert Random().total(FREE) is None


def test_points_are_distinct_in_a_continuous_space_too():
    found = proposals(Random(), FREE, limit=300)
    assert len({digest(p) for p in found}) == 300
    assert sum(p["kind"] == "bm25" for p in found) == 2
    assert all(map(FREE.contains, found))


def test_a_continuous_space_that_holds_nothing_new_ends():
    space = Space.parse({"a": {"float": [0.5, 0.5]}, "b": {"float": [0, 1]}}, ["b == 2 * a"])
    with pytest.raises(ConfigError, match="no point satisfies"):
        Random().start(space, 0).ask()


def test_points_too_rare_to_draw_are_listed():
    space = Space.parse({f"p{n}": {"int": [1, 60]} for n in range(3)}, ["p0 + p1 + p2 >= 179"])
    assert len(proposals(Random(), space)) == space.size() == 4


def test_it_is_fair_among_values():
    space = Space.parse({f"p{n}": {"int": [1, 100]} for n in range(4)})
    found = proposals(Random(samples=2000), space, seed=1)
    for name in space.names:
        assert 45 < sum(p[name] for p in found) / 2000 < 56


def test_it_is_named_in_a_study():
    assert Search.model_validate({"kind": "random", "samples": 9}) == Random(samples=9)
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Random(samples=0)
