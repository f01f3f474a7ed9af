"""Keeps those that lost in reserve, so that a study ends with a complete trial if any can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from raytuner.schedulers.port import Decisions, Judge, Paired, Settling


class Standby:
    """Carries out a judge's decisions, but stops nobody for good before somebody is complete.

    The leaders of an early rung may all fail at a later one. As pausing costs nothing, trials
    that lose are only paused until a first trial has answered all units; then they are stopped.
    If nothing else can go on and none is complete, the best of those that are left (most units,
    then highest score, then lowest key) answers all the rest.

    Args:
        judge: decides. It may go on naming a trial that this one has sent ahead; that is
            dropped here.
        units: how many units a complete trial has answered.
    """

    def __init__(self, judge: Judge, units: int) -> None:
        self._judge = judge
        self._units = units
        self._complete = False
        self._paused: dict[str, tuple[int, float]] = {}
        self._lost: dict[str, None] = {}

    def add(self, key: str) -> int:
        """Let a trial in."""
        return self._judge.add(key)

    def measure(self, key: str, values: NDArray[np.float64]) -> None:
        """Hand on what is behind the next report, to a judge that asks for it."""
        if isinstance(self._judge, Paired):
            self._judge.measure(key, values)

    def settled(self) -> str | None:
        """Hand on why no further trial is worth it; never before somebody is complete."""
        if not self._complete or not isinstance(self._judge, Settling):
            return None
        return self._judge.settled()

    def report(self, key: str, units: int, score: float) -> Decisions:
        """Take in a rung; the first complete trial ends all that have lost before."""
        if units < self._units:
            self._paused[key] = (units, score)
            return self._carried(self._judge.report(key, units, score))
        self._complete = True
        lost, self._lost = self._lost, {}
        decided = {**dict.fromkeys(lost), **self._judge.report(key, units, score)}
        return self._carried(decided)

    def drop(self, key: str) -> Decisions:
        """Take in that a trial has failed."""
        self._paused.pop(key, None)
        self._lost.pop(key, None)
        return self._carried(self._judge.drop(key))

    def drain(self) -> Decisions:
        """Decide for those that wait; if that moves nobody, see that one trial gets complete."""
        decided = self._carried(self._judge.drain())
        if any(units is not None for units in decided.values()):
            return decided
        if self._complete or not self._paused:
            # What is paused now is stopped by the driver, and must not be named again.
            self._paused.clear()
            self._lost.clear()
            return decided
        best = min(self._paused, key=self._rank)
        del self._paused[best]
        self._lost.pop(best, None)
        return {**decided, best: self._units}

    def _rank(self, key: str) -> tuple[int, float, str]:
        units, score = self._paused[key]
        return (-units, -score, key)

    def _carried(self, decisions: Decisions) -> Decisions:
        """Give the decisions that hold: about paused trials only, and no stop too early."""
        carried: dict[str, int | None] = {}
        for key, units in decisions.items():
            if key not in self._paused:
                continue
            if units is None and not self._complete:
                self._lost[key] = None
                continue
            del self._paused[key]
            carried[key] = units
        return carried
