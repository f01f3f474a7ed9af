"""Synchronous successive halving of groups of trials that advance together."""

from __future__ import annotations

from collections.abc import Callable

from raytuner.schedulers.port import Decisions


class Cohort:
    """Trials that wait for each other at every rung; the best of them go on.

    Of n trials that were let in, floor(n / reduction^i), but at least one, go on to rung i. A
    trial that fails counts as one that has lost.

    Args:
        ladder: the rungs of this cohort; the last one is all units.
        reduction: one in so many goes on.
        size: how many trials it takes; None for as many as come before it is closed.
    """

    def __init__(self, ladder: tuple[int, ...], reduction: int, size: int | None) -> None:
        self._ladder = ladder
        self._reduction = reduction
        self._size = size
        self._entered = 0
        self._level = 0
        self._waiting: set[str] = set()
        self._scores: dict[str, float] = {}
        self.closed = False

    def add(self, key: str) -> int:
        """Let a trial in; the last one that fits closes the cohort."""
        self._waiting.add(key)
        self._entered += 1
        self.closed = self._entered == self._size
        return self._ladder[0]

    def report(self, key: str, score: float) -> Decisions:
        """Take in a score at the present rung; the last one decides for all."""
        if key not in self._waiting:
            return {}
        self._waiting.discard(key)
        self._scores[key] = score
        return self._decided()

    def drop(self, key: str) -> Decisions:
        """Wait for a trial no longer."""
        self._waiting.discard(key)
        self._scores.pop(key, None)
        return self._decided()

    def close(self) -> Decisions:
        """Take no more trials, and decide with those that are there."""
        self.closed = True
        return self._decided()

    def _decided(self) -> Decisions:
        if not self.closed or self._waiting or self._level + 1 == len(self._ladder):
            return {}
        self._level += 1
        places = max(1, self._entered // self._reduction**self._level)
        ranked = sorted(self._scores, key=lambda key: (-self._scores[key], key))
        self._scores = {}
        self._waiting = set(ranked[:places])
        return {
            **dict.fromkeys(ranked[:places], self._ladder[self._level]),
            **dict.fromkeys(ranked[places:]),
        }


class Cohorts:
    """Fills one cohort after the other, in the order in which trials come.

    Args:
        make: gives the cohort of a number, counted from 0.
    """

    def __init__(self, make: Callable[[int], Cohort]) -> None:
        self._make = make
        self._made = 0
        self._newest: Cohort | None = None
        self._of: dict[str, Cohort] = {}

    def add(self, key: str) -> int:
        """Let a trial into the newest cohort, or into a new one if that is closed."""
        if self._newest is None or self._newest.closed:
            self._newest = self._make(self._made)
            self._made += 1
        self._of[key] = self._newest
        return self._newest.add(key)

    def report(self, key: str, units: int, score: float) -> Decisions:
        """Hand a score to the trial's cohort, which knows the rung it is at."""
        del units
        return self._of[key].report(key, score)

    def drop(self, key: str) -> Decisions:
        """Tell the trial's cohort not to wait for it."""
        return self._of[key].drop(key)

    def drain(self) -> Decisions:
        """Close the newest cohort; all others are closed already."""
        return {} if self._newest is None else self._newest.close()
