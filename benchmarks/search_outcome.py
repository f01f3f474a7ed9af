"""What became of a replayed search, and statistics over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from search_grids import Grid

NEAR = 0.01
"""How far below the best a score may be, as a share of it, to count as found."""
FINALISTS = 3
"""How many answer the held-out questions; the best of them there is recommended."""


class Step(NamedTuple):
    """From when on a search would have recommended what.

    Attributes:
        asked: questions that had been answered in all.
        usd: what they and the ingestions would have cost.
        leader: how far the best complete trial, by the questions searched on, is below the best
            of the grid on the held-out questions, as a share of it.
        advice: the same of the best of the three finalists.
    """

    asked: int
    usd: float
    leader: float
    advice: float


def means(grid: Grid, columns: Sequence[int]) -> dict[str, float]:
    """Average every point over some of the questions; by key."""
    return {key: float(grid.scores[row, columns].mean()) for key, row in grid.points.items()}


@dataclass(frozen=True)
class Truth:
    """What is known of a grid and a split.

    Attributes:
        size: points of the grid.
        questions: how many are searched on.
        held: how many are held out.
        best: the best mean score on those.
        leader, advice: the gaps of who has asked everything, see `Step`.
        usd: what asking everything that is searched on would cost.
    """

    size: int
    questions: int
    held: int
    best: float
    leader: float
    advice: float
    usd: float

    @classmethod
    def of(cls, grid: Grid, searched: Sequence[int], held_out: Sequence[int]) -> Truth:
        """Ask the whole grid."""
        here, there = means(grid, searched), means(grid, held_out)
        best = max(there.values())
        finalists = sorted(here, key=lambda key: (-here[key], key))[:FINALISTS]
        gaps = [1 - there[key] / best for key in finalists]
        ingested = dict(zip(grid.bill.ingestion, grid.bill.ingested, strict=True))
        usd = len(searched) * sum(grid.bill.question) + sum(ingested.values())
        return cls(len(grid), len(searched), len(held_out), best, gaps[0], min(gaps), usd)

    def gap(self, score: float) -> float:
        """Tell how far a held-out score is below the best one, as a share of it."""
        return 1 - score / self.best

    @property
    def evaluations(self) -> int:
        """Questions times points, of the questions searched on."""
        return self.size * self.questions


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes:
        steps: rising in `asked`.
        asked: questions answered when the search ended, or was at its limit.
        usd: what they and the ingestions would have cost.
    """

    grid: str
    method: str
    seed: int
    steps: tuple[Step, ...]
    asked: int
    usd: float
    truth: Truth

    def first_near(self, part: str = "advice", by: str = "asked") -> float:
        """Count what it took to come near the best; inf: never.

        Args:
            part: `leader` or `advice`.
            by: `asked` or `usd`.
        """
        near = (getattr(step, by) for step in self.steps if getattr(step, part) <= NEAR)
        return next(near, math.inf)

    def gap(self, spent: float = math.inf, part: str = "advice", by: str = "asked") -> float:
        """Give the gap of what it then would have recommended; 1: nothing yet."""
        then = [step for step in self.steps if getattr(step, by) <= spent]
        return float(getattr(then[-1], part)) if then else 1.0

    @property
    def share(self) -> float:
        """Questions asked in the end, as a share of the grid's."""
        return self.asked / self.truth.evaluations

    def with_finals(self, asked: float) -> float:
        """Give a share of the grid's evaluations on all questions, finals included.

        Three finalists and the configuration as it stands answer the held-out questions.
        """
        truth = self.truth
        whole = truth.size * (truth.questions + truth.held)
        return (asked + (FINALISTS + 1) * truth.held) / whole


def restored(facts: Mapping[str, Any]) -> Outcome:
    """Read an outcome that `dataclasses.asdict` has written."""
    steps = tuple(Step(*step) for step in facts["steps"])
    return Outcome(**{**facts, "steps": steps, "truth": Truth(**facts["truth"])})


def quantile(counts: Iterable[float], share: float) -> float:
    """Give the smallest count that `share` of them do not exceed; inf stands for never.

    Never interpolates, so that what is not known to be finite stays inf.
    """
    ranked = sorted(counts)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def median(values: Iterable[float]) -> float:
    """Give the middle value, or the mean of both."""
    return float(np.median(list(values)))


def by_method(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Group outcomes by method, in the order in which these come."""
    return _grouped(outcomes, lambda outcome: outcome.method)


def by_grid(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """Group outcomes by grid, in the order in which these come."""
    return _grouped(outcomes, lambda outcome: outcome.grid)


def _grouped(
    outcomes: Iterable[Outcome], name: Callable[[Outcome], str]
) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(name(outcome), []).append(outcome)
    return found
