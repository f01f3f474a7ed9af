"""Non-dominated sorting against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.search.fronts import best_first, crowding, fronts

POINTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=14)


def dominates(one, other):
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


@settings(max_examples=80, deadline=None)
@given(POINTS)
def test_a_front_is_what_nothing_dominates_once_earlier_ones_are_gone(points):
    left = list(range(len(points)))
    goals = np.array(points, dtype=float).reshape(-1, 3)
    for front in fronts(goals):
        free = [n for n in left if not any(dominates(points[m], points[n]) for m in left)]
        assert front == free
        left = [n for n in left if n not in front]
    assert left == []
    assert sorted(best_first(goals)) == list(range(len(points)))


def test_in_a_front_the_loneliest_come_first():
    goals = np.array([[0.0, 10.0], [4.0, 5.0], [5.0, 4.0], [5.5, 3.5], [10.0, 0.0], [0.0, 0.0]])
    assert crowding(goals[:5]).tolist() == [np.inf, 1.1, 0.3, 0.9, np.inf]
    assert best_first(goals) == [0, 4, 1, 3, 2, 5]
    assert crowding(np.array([[1.0, 1.0]] * 3)).tolist() == [np.inf, 0.0, np.inf]
