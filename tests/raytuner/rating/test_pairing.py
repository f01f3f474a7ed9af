"""Which comparison is next: each once, all in the end, decided by nothing but what was judged."""

import itertools
from collections import Counter

import pytest

from raytuner.rating.ballots import Ballot
from raytuner.rating.pairing import Pairing, strengths

KEYS = ["a", "b", "c", "d"]
UNITS = [f"q{n}" for n in range(5)]


def pairing(seed="seed", keys=KEYS, units=UNITS):
    return Pairing(dict.fromkeys(itertools.combinations(keys, 2), units), seed)


def judge(made, rater, count, better=min, ballots=()):
    """Have a rater judge so many comparisons, always for the `better` key."""
    found = list(ballots)
    for _ in range(count):
        comparing = made.next(rater, found)
        if comparing is None:
            break
        choice = "left" if better(comparing.left, comparing.right) == comparing.left else "right"
        found.append(
            Ballot(rater, comparing.unit, comparing.left, comparing.right, choice, ("", ""), "s")
        )
    return found


def test_everything_comes_once_and_then_nothing():
    made = pairing()
    done = judge(made, "r1", 1_000)
    assert len(done) == made.total == 30
    assert len({(b.pair, b.unit) for b in done}) == 30
    assert made.next("r1", done) is None
    assert made.next("r2", done) is not None


def test_it_goes_on_where_it_stopped():
    whole = judge(pairing(), "r1", 20)
    assert judge(pairing(), "r1", 11, ballots=whole[:9]) == whole


def test_sides_are_shuffled_and_raters_see_them_differently():
    r1, r2 = (judge(pairing(), rater, 30) for rater in ("r1", "r2"))
    sides = {b.unit + str(b.pair): b.left for b in r1}
    first = sum(b.left == b.pair[0] for b in r1)
    assert 8 <= first <= 22
    assert any(sides[b.unit + str(b.pair)] != b.left for b in r2)
    other = judge(pairing(seed="other"), "r1", 30)
    assert [b[1:4] for b in r1] != [b[1:4] for b in other]


def test_a_planted_order_is_found_in_twenty_comparisons():
    for seed in range(10):
        done = judge(pairing(seed), "r1", 20)
        values = strengths(KEYS, done).values
        assert list(values) == sorted(values, reverse=True)
        counts = Counter(key for ballot in done for key in ballot.pair)
        assert min(counts[key] for key in KEYS) >= 6


def test_close_ones_are_compared_more_than_what_is_settled():
    keys = ["a", "b", "z"]

    def tied_but_z(left, right):  # z always loses; between a and b, sides decide
        return left if right == "z" or (left != "z" and len(left) == len(right)) else right

    made = pairing(keys=keys, units=[f"q{n}" for n in range(40)])
    done = judge(made, "r1", 40, better=tied_but_z)
    counts = Counter(b.pair for b in done)
    assert counts["a", "b"] > counts["a", "z"]
    assert counts["a", "b"] > counts["b", "z"]


def test_a_part_is_shared_with_other_raters():
    r1 = judge(pairing(), "r1", 12)
    both = judge(pairing(), "r2", 12, ballots=r1)
    seen = {(b.pair, b.unit) for b in r1}
    shared = sum((b.pair, b.unit) in seen for b in both[12:])
    assert shared >= 3


def test_units_are_asked_evenly():
    counts = Counter(b.unit for b in judge(pairing(), "r1", 20))
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("units", [{}, {("a", "b"): []}])
def test_nothing_in_common_is_nothing_to_compare(units):
    assert Pairing(units).next("r1", []) is None
