"""Where every trial is on its way through the units: which rung it heads for, who may go on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from raytuner.schedulers import Judge, Paired, Settling


class Rungs:
    """The trials of one sweep between a judge that decides and workers that carry it out.

    A trial is *ready* while it may run or runs, *paused* between its report and a decision.

    Args:
        judge: decides who goes on.
        units: how many units a complete trial has answered.
    """

    def __init__(self, judge: Judge, units: int) -> None:
        self._judge = judge
        self._units = units
        self._targets: dict[str, int] = {}
        self._judged: set[str] = set()
        self._ready: dict[str, None] = {}
        self._paused: dict[str, None] = {}

    def enter(self, key: str, *, judged: bool = True) -> None:
        """Let a trial in; one that is not judged answers every unit."""
        if judged:
            self._judged.add(key)
            self._targets[key] = self._clipped(self._judge.add(key))
        else:
            self._targets[key] = self._units
        self._ready[key] = None

    def __contains__(self, key: str) -> bool:
        return key in self._targets

    def target(self, key: str) -> int:
        """Give the number of units that a trial is to have answered next."""
        return self._targets[key]

    @property
    def ready(self) -> list[str]:
        """The trials that may run or run, in the order in which they came to it."""
        return list(self._ready)

    @property
    def paused(self) -> list[str]:
        """The trials that wait for a decision, in the order in which they came to it."""
        return list(self._paused)

    def reached(
        self, key: str, score: float | None, values: NDArray[np.float64] | None = None
    ) -> list[str]:
        """Report that a trial has answered what it was to; give the trials stopped for it.

        Args:
            key: the trial.
            score: its mean over the units answered so far, higher is better.
            values: the same unit by unit, NaN where the metric is not defined; shape [units].

        A trial without a score at a rung (no question asked so far has the metric) cannot be
        compared, and goes on to the end.
        """
        units = self._targets[key]
        self._ready.pop(key, None)
        if key not in self._judged:
            return []
        if score is None:
            if units < self._units:
                self._targets[key] = self._units
                self._ready[key] = None
            self._judged.discard(key)
            return self._apply(self._judge.drop(key))
        if units < self._units:
            self._paused[key] = None
        if values is not None and isinstance(self._judge, Paired):
            self._judge.measure(key, values)
        return self._apply(self._judge.report(key, units, score))

    def dropped(self, key: str) -> list[str]:
        """Report that a trial will report no more; give the trials stopped for it."""
        self._ready.pop(key, None)
        if key not in self._judged:
            return []
        self._judged.discard(key)
        return self._apply(self._judge.drop(key))

    def settled(self) -> str | None:
        """Say why no further trial is worth it; None: go on, or the judge cannot tell."""
        return self._judge.settled() if isinstance(self._judge, Settling) else None

    def drain(self) -> tuple[bool, list[str]]:
        """Have the judge decide, now that nothing runs and nothing new comes.

        Returns:
            Whether a trial goes on, and the trials that are stopped: all paused ones if none
            goes on.
        """
        stopped = self._apply(self._judge.drain())
        if self._ready:
            return True, stopped
        rest, self._paused = self.paused, {}
        return False, [*stopped, *rest]

    def _apply(self, decisions: Mapping[str, int | None]) -> list[str]:
        stopped = []
        for key, units in decisions.items():
            self._paused.pop(key, None)
            if units is None:
                stopped.append(key)
            else:
                self._targets[key] = self._clipped(units)
                self._ready[key] = None
        return stopped

    def _clipped(self, units: int) -> int:
        return max(1, min(units, self._units))
