"""Which of many points with several goals are better: non-dominated sorting.

K. Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions
on Evolutionary Computation 6 (2002).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Goals = NDArray[np.float64]
"""Goals of points, higher is better: (points, goals)."""


def best_first(goals: Goals) -> list[int]:
    """Order points by front, and within a front by crowding distance, the loneliest first.

    Equals stay in the order given.
    """
    ordered: list[int] = []
    for front in fronts(goals):
        lonely = crowding(goals[front])
        ordered += [front[number] for number in np.argsort(-lonely, kind="stable")]
    return ordered


def fronts(goals: Goals) -> list[list[int]]:
    """Split points into fronts: no point of one is dominated but by points of earlier ones."""
    count = len(goals)
    above, equal = np.ones((count, count), dtype=bool), np.ones((count, count), dtype=bool)
    for column in goals.T:
        above &= column[:, None] >= column[None, :]
        equal &= column[:, None] == column[None, :]
    dominates = above & ~equal
    worse, left, found = dominates.sum(axis=0), np.ones(count, dtype=bool), []
    while left.any():
        front = np.flatnonzero(left & (worse == 0))
        found.append(front.tolist())
        left[front] = False
        worse = worse - dominates[front].sum(axis=0)
    return found


def crowding(goals: Goals) -> NDArray[np.float64]:
    """Give the crowding distance of each point of a front: infinite at its ends."""
    distance = np.zeros(len(goals))
    for column in goals.T:
        order = np.argsort(column, kind="stable")
        width = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if width > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return distance
