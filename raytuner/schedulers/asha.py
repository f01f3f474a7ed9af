"""Asynchronous successive halving (ASHA): compare at rungs, wait for nobody.

L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt, B. Recht and A. Talwalkar,
"A System for Massively Parallel Hyperparameter Tuning", MLSys 2020.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from raytuner.schedulers.cutoff import CutOff
from raytuner.schedulers.ladder import Halved
from raytuner.schedulers.port import Decisions, Judge
from raytuner.schedulers.standby import Standby


class Asha(Halved, kind="asha"):
    """Let the best share of each rung go on as soon as it is known.

    `promote` is the paper's rule: every trial pauses at every rung, and goes on whenever it is
    among the best floor(n / reduction) of the n that have reported there, be it much later.
    `stop` is the rule of Ray Tune's ASHAScheduler: a trial below the best 1/reduction of those
    that came before it is stopped for good, others go on at once.

    `promote` is the default. Pausing is free here (answers stand on record), so it loses nothing
    against `stop`, and gains twice: the first trials are not sent through all the questions for
    want of anybody to compare them with, and a good trial that an early rung misjudged can
    still come back. `stop` finishes a first trial sooner.
    """

    variant: Literal["promote", "stop"] = Field(
        default="promote",
        description="promote: pause at every rung and go on when among the best; "
        "stop: go on at once, or never.",
    )

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random."""
        del seed
        ladder = self.rungs(units)
        if self.variant == "stop":
            return Standby(CutOff(ladder, self._cutoff), units)
        return Standby(_Promotion(ladder, self.reduction), units)

    def _cutoff(self, earlier: Sequence[float]) -> float | None:
        """Give the quantile 1 - 1/reduction of rising scores, linearly interpolated."""
        if not earlier:
            return None
        steps = (len(earlier) - 1) * (self.reduction - 1)
        below, part = divmod(steps, self.reduction)
        if not part:
            return earlier[below]
        return earlier[below] + (earlier[below + 1] - earlier[below]) * part / self.reduction


class _Promotion:
    """Holds every rung as a list of (minus score, key), best first."""

    def __init__(self, ladder: tuple[int, ...], reduction: int) -> None:
        self._ladder = ladder
        self._reduction = reduction
        self._levels = {units: level for level, units in enumerate(ladder)}
        self._rungs: list[list[tuple[float, str]]] = [[] for _ in ladder[:-1]]
        self._paused: dict[str, int] = {}

    def add(self, key: str) -> int:
        del key
        return self._ladder[0]

    def report(self, key: str, units: int, score: float) -> Decisions:
        level = self._levels[units]
        self._paused.pop(key, None)
        if level == len(self._rungs):
            return {}
        self._paused[key] = level
        insort(self._rungs[level], (-score, key))
        return self._promoted(level, bisect_left(self._rungs[level], (-score, key)))

    def drop(self, key: str) -> Decisions:
        """Name a failed trial no more. It has had its place: else an outage would use up all."""
        self._paused.pop(key, None)
        return {}

    def drain(self) -> Decisions:
        """Decide nothing more: who is among the best has been sent on already."""
        self._paused.clear()
        return {}

    def _promoted(self, level: int, newest: int) -> Decisions:
        """Send on who has come among the best of a rung by its newest entry.

        All of the best were sent on before. So it is the newest entry, or the last of the best
        if one more place was made; never both.
        """
        rung = self._rungs[level]
        best = len(rung) // self._reduction
        for position in (newest, best - 1):
            if 0 <= position < best and self._paused.get(key := rung[position][1]) == level:
                del self._paused[key]
                return {key: self._ladder[level + 1]}
        return {}
