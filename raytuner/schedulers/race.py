"""A race on questions: who is clearly behind the leader, on the same questions, drops out.

Successive halving (K. Jamieson and A. Talwalkar, AISTATS 2016) with the paired tests of racing
(O. Maron and A. W. Moore, "The Racing Algorithm", Artificial Intelligence Review 11, 1997;
M. Birattari et al., "A Racing Algorithm for Configuring Metaheuristics", GECCO 2002).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from pydantic import Field

from raytuner.schedulers.ladder import check
from raytuner.schedulers.paired import Values, beaten, mean_of
from raytuner.schedulers.port import Decisions, Judge, Scheduler
from raytuner.schedulers.settling import outlook
from raytuner.schedulers.standby import Standby

_FIRST = 8
"""Questions of the first rung unless told otherwise; with fewer than twice as many, no race.

Four halve the cost of the first rung, and lose the best twice as often on recorded grids.
"""
_WORTH = 0.75
"""A rung above this share of all units would pause trials that are all but complete."""
COHORT = 64
"""Trials that race together where nobody knows how many will come."""
_SURE = 0.05
"""A race is settled when the chance of a better trial among the next cohort is below this."""
MOST = 512
"""Trials that race together at most unless told otherwise."""


class Race(Scheduler, kind="race"):
    """Ask everybody a few questions, and twice as many of those who are not clearly behind.

    Trials wait for each other at every rung. Then who is worse than the leader by a paired t test
    on the questions that both have answered drops out, and as many more of the last as must, so
    that twice the questions are for half of the trials at most. Questions are the same for all,
    so that their difficulty, most of what scores differ by, is no noise.

    Decisions depend on scores alone, not on who comes in first: they are the same with one
    worker, with threads and on Ray. With too few questions for two rungs everybody answers all.
    """

    grace: int | None = Field(
        default=None,
        ge=2,
        description="Questions of the first rung, doubled from rung to rung; null: 8, or all "
        "questions if there are fewer than 16.",
    )
    risk: float = Field(
        default=0.1,
        gt=0,
        lt=0.5,
        description="Chance that a trial as good as the leader is taken for worse at a rung; "
        "less risk asks more questions.",
    )
    contenders: int = Field(
        default=4,
        ge=1,
        description="So many trials at least answer all questions of the search, if as many come.",
    )
    trials: int | None = Field(
        default=None,
        ge=1,
        description="Trials that race together; later ones race against the best of earlier "
        "cohorts as well. null: all that the search will propose, 64 if that is not known.",
    )

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random."""
        del seed
        return Standby(_Race(self, self.rungs(units)), units)

    def suited(self, total: int | None, *, forks: bool) -> Race:
        """Fill in how many trials race together, once it is known how many will come."""
        del forks
        if self.trials is not None:
            return self
        size = COHORT if total is None else max(1, min(total, MOST))
        return self.model_copy(update={"trials": size})

    def rungs(self, units: int) -> tuple[int, ...]:
        """List `grace`, twice that, ... and `units`."""
        if self.grace is None and units < 2 * _FIRST:
            return (units,)
        grace = self.grace or _FIRST
        check("grace", grace, units)
        doublings = range(math.ceil(math.log2(units / grace)) + 1)
        sizes = [grace * 2**times for times in doublings]
        return (*(size for size in sizes if size == grace < units or size <= _WORTH * units), units)


class _Heat:
    """One cohort on its way from rung to rung.

    Args:
        size: how many trials it takes; None for as many as come before it is closed.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._entered = 0
        self.closed = False
        self.level = 0
        self.waiting: set[str] = set()
        self.values: dict[str, Values] = {}
        self.last: dict[str, Values] = {}

    def add(self, key: str) -> None:
        self.waiting.add(key)
        self._entered += 1
        self.closed = self._entered == self._size

    def report(self, key: str, values: Values) -> None:
        if key in self.waiting:
            self.waiting.discard(key)
            self.values[key] = self.last[key] = values

    def drop(self, key: str) -> None:
        self.waiting.discard(key)
        self.values.pop(key, None)

    @property
    def assembled(self) -> bool:
        """Whether everybody is there and has answered what was asked."""
        return self.closed and not self.waiting

    def advance(self, kept: list[str]) -> None:
        """Send some on to the next rung."""
        self.level += 1
        self.waiting = set(kept)
        self.values = {}


class _Race:
    """Runs heats one after the other; those of later ones may begin, but are decided in turn."""

    def __init__(self, race: Race, ladder: tuple[int, ...]) -> None:
        self._race = race
        self._ladder = ladder
        self._heats: list[_Heat] = []
        self._turn = 0
        self._of: dict[str, _Heat] = {}
        self._measured: dict[str, Values] = {}
        self._champions: dict[str, Values] = {}
        self._verdicts: dict[int, str | None] = {}

    def add(self, key: str) -> int:
        if not self._heats or self._heats[-1].closed:
            self._heats.append(_Heat(self._race.trials))
        self._of[key] = self._heats[-1]
        self._heats[-1].add(key)
        return self._ladder[0]

    def measure(self, key: str, values: Values) -> None:
        self._measured[key] = np.array(values, dtype=np.float64)

    def report(self, key: str, units: int, score: float) -> Decisions:
        values = self._measured.pop(key, None)
        if values is None:
            values = np.array([score])
        heat = self._of[key]
        if units == self._ladder[-1] and key not in heat.waiting:
            self._crown({key: values})  # it had lost, and was sent ahead for want of others
            return {}
        heat.report(key, values)
        return self._decided()

    def drop(self, key: str) -> Decisions:
        self._of[key].drop(key)
        return self._decided()

    def drain(self) -> Decisions:
        if self._heats:
            self._heats[-1].closed = True
        return self._decided()

    def settled(self) -> str | None:
        """Say why another cohort of trials by chance is not worth it, or None.

        Only cohorts that are over count; so this changes with the last trial of one.
        """
        if self._turn not in self._verdicts:
            self._verdicts = {self._turn: self._outlook()}
        return self._verdicts[self._turn]

    def _outlook(self) -> str | None:
        units, further = self._ladder[-1], self._race.trials or COHORT
        if len(self._ladder) == 1 or not self._champions:
            return None
        rows = sorted(key for heat in self._heats[: self._turn] for key in heat.last)
        best = _ranked(self._champions)[0]
        if best not in rows:
            return None
        scores = np.full((len(rows), units), np.nan)
        for row, key in enumerate(rows):
            values = self._of[key].last[key]
            scores[row, : len(values)] = values
        seen = outlook(scores, rows.index(best), self._ladder[0], further)
        if seen is None or seen.chance >= _SURE:
            return None
        return (
            f"the next {further} trials would include one better by {seen.effect:.2g}, the least "
            f"that {units} questions tell apart, with a chance of {seen.chance:.1%} "
            f"(estimated from {len(rows)} trials)"
        )

    def _decided(self) -> Decisions:
        """Decide for the heat whose turn it is, and for the next ones if that ends it."""
        decisions: dict[str, int | None] = {}
        while self._turn < len(self._heats) and (heat := self._heats[self._turn]).assembled:
            if heat.level == len(self._ladder) - 1:
                self._crown(heat.values)
                heat.values = {}
                self._turn += 1
                continue
            going, lost = self._parted(heat.values, heat.level)
            heat.advance(going)
            decisions.update(dict.fromkeys(lost))
            decisions.update(dict.fromkeys(going, self._ladder[heat.level]))
            if not going:
                self._turn += 1
        return decisions

    def _parted(self, values: Mapping[str, Values], level: int) -> tuple[list[str], list[str]]:
        """Part those at a rung into who goes on and who has lost, best first."""
        units, following = self._ladder[level : level + 2]
        ranked = _ranked(values)
        rivals = {key: champion[:units] for key, champion in self._champions.items()}
        least = max(0, self._race.contenders - len(rivals))
        most = max(least, math.ceil(len(ranked) * units / following))
        everybody = {**rivals, **values}
        leader = everybody[_ranked(everybody)[0]] if everybody else None
        lost = (
            [False] * len(ranked)
            if leader is None
            else beaten(leader, [values[key] for key in ranked], self._race.risk)
        )
        standing = [key for key, behind in zip(ranked, lost, strict=True) if not behind]
        going = standing[:most]
        spare = [key for key in ranked if key not in set(going)]
        missing = max(0, least - len(going))
        return going + spare[:missing], spare[missing:]

    def _crown(self, values: Mapping[str, Values]) -> None:
        """Keep the best of all that are complete."""
        complete = {**self._champions, **values}
        best = _ranked(complete)[: self._race.contenders]
        self._champions = {key: complete[key] for key in best}


def _ranked(values: Mapping[str, Values]) -> list[str]:
    """Order trials by mean, best first, ties by key."""
    means = {key: mean_of(values[key]) for key in values}
    return sorted(means, key=lambda key: (-means[key], key))
