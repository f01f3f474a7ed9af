"""The judge of rules that decide at once: who is below a cutoff when it reports is stopped."""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Callable, Sequence

from raytuner.schedulers.port import Decisions

Rule = Callable[[Sequence[float]], float | None]
"""The score below which a trial is stopped, given the rising scores of those that were at the
rung before it; None while there are too few to tell."""


class CutOff:
    """Compares a trial with those that reported the same rung earlier.

    Args:
        ladder: the rungs; the last one is all units.
        rule: gives the cutoff.
    """

    def __init__(self, ladder: tuple[int, ...], rule: Rule) -> None:
        self._following = dict(itertools.pairwise(ladder))
        self._first = ladder[0]
        self._rule = rule
        self._scores: dict[int, list[float]] = {size: [] for size in self._following}

    def add(self, key: str) -> int:
        """Start at the first rung."""
        del key
        return self._first

    def report(self, key: str, units: int, score: float) -> Decisions:
        """Stop the trial if its score is below the cutoff, else let it go on."""
        if units not in self._following:
            return {}
        earlier = self._scores[units]
        cutoff = self._rule(earlier)
        insort(earlier, score)
        return {key: None if cutoff is not None and score < cutoff else self._following[units]}

    def drop(self, key: str) -> Decisions:
        """Leave everything as it is: what a failed trial has reported was right."""
        del key
        return {}

    def drain(self) -> Decisions:
        """Decide nothing: nobody waits."""
        return {}
