"""The median stopping rule."""

import itertools

import pytest

from raytuner.schedulers import Median


def test_below_the_median_of_the_others_is_stopped():
    judge = Median(grace=2, interval=2, min_trials=3).start(4, 0)
    for key in "abcdef":
        assert judge.add(key) == 2
    assert judge.report("a", 2, 0.25) == {"a": 4}, "too few to tell"
    assert judge.report("b", 2, 0.75) == {"b": 4}
    assert judge.report("c", 2, 0.5) == {"c": 4}
    assert judge.report("a", 4, 0.25) == {}
    assert judge.report("d", 2, 0.25) == {"d": None}
    assert judge.report("e", 2, 0.375) == {"e": 4}, "the median of four lies between two"
    assert judge.report("f", 2, 0.37) == {"f": None}


def test_it_never_waits():
    judge = Median().start(100, 0)
    for number, units in itertools.product(range(9), Median().rungs(100)[:-1]):
        key = f"t{number}"
        if units == 10:
            judge.add(key)
        assert judge.report(key, units, float(number))[key] > units
    assert judge.drain() == {}


@pytest.mark.parametrize("wanted", [1, 4])
def test_min_trials_come_first(wanted):
    judge = Median(grace=1, interval=1, min_trials=wanted).start(2, 0)
    judge.add("whole")
    judge.report("whole", 1, 9.0)
    judge.report("whole", 2, 9.0)
    spared = 0
    for number in range(9):
        judge.add(f"t{number}")
        decided = judge.report(f"t{number}", 1, -float(number))
        spared += decided[f"t{number}"] is not None
    assert spared == wanted - 1
