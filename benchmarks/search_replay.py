"""Replays one search on a recorded grid, and counts the questions it asks until it has found.

Answering costs nothing, everything else is real: the study runs through `raytuner.run`, with its
search, its scheduler and its budget, of which every question takes one dollar.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from search_grids import Grid, load, point_key, split

from raytuner import ConfigError, Objective, Study, UnitScore, run
from raytuner.objective import Cost, Meter, Params
from raytuner.trial import Trial

NEAR = 0.01
"""How far below the best a score may be, as a share of it, to count as found."""


class Task(NamedTuple):
    """One run: which grid, searched how, with which seed, and how long.

    Attributes:
        share: questions to be asked at most, as a share of those that the whole grid has.
    """

    grid: str
    folder: str
    metric: str
    search: str
    scheduler: str
    seed: int
    share: float


class Step(NamedTuple):
    """From when on which point was the best complete one.

    Attributes:
        asked: questions that had been answered in all.
        searched, held_out: its mean scores on both parts of the questions.
    """

    asked: int
    searched: float
    held_out: float


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes:
        steps: rising in `asked`; `searched` never falls.
        asked: questions answered when the run ended, which is when nothing could change any more.
        limit: questions that it was allowed to ask.
        best_searched, best_held_out: best mean scores of the grid on both parts.
        chosen: the held-out score of the point that is best on the searched part.
        questions: how many there are in the searched part.
    """

    task: Task
    steps: tuple[Step, ...]
    asked: int
    limit: int
    best_searched: float
    best_held_out: float
    chosen: float
    questions: int

    def first_near(self, part: str) -> float:
        """Count the questions until the incumbent was near the best of a part; inf: never.

        Args:
            part: `searched` or `held_out`.
        """
        wanted = (1 - NEAR) * getattr(self, f"best_{part}")
        near = (step.asked for step in self.steps if getattr(step, part) >= wanted)
        return next(near, math.inf)

    def gap(self, asked: float) -> float:
        """Give how far below the best held-out score the incumbent then was; 1: none there."""
        then = [step for step in self.steps if step.asked <= asked]
        return 1 - then[-1].held_out / self.best_held_out if then else 1.0


class Replay(Objective):
    """Answers from a recording.

    Args:
        grid: the recording.
        columns: positions of the questions to answer, in the order in which they are asked.
        decided: whether nothing can change any more; then the budget is closed.
    """

    def __init__(self, grid: Grid, columns: Sequence[int], decided: Callable[[], bool]) -> None:
        self._grid = grid
        self._decided = decided
        self._columns = {grid.questions[column].id: column for column in columns}

    def units(self) -> Sequence[str]:
        return tuple(self._columns)

    def key(self, params: Params) -> str:
        key = point_key(params)
        if key not in self._grid.points:
            raise ConfigError(f"{dict(params)} is no point of the recorded grid")
        return key

    def metrics(self) -> tuple[str, ...]:
        return (self._grid.metric,)

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        meter.reserve(math.inf if self._decided() else len(units))
        row = self._grid.scores[self._grid.points[self.key(params)]]
        yield [UnitScore(u, {self._grid.metric: float(row[self._columns[u]])}) for u in units]
        meter.settle(len(units), Cost(usd=len(units)))


class Trace:
    """Listens to a run: counts answers, and notes whenever another trial is the best.

    The best is what the results of a study that ended then would name: the complete trial of the
    highest mean, ties by key.
    """

    def __init__(self, metric: str) -> None:
        self.asked = 0
        self.leads: list[tuple[int, float, str]] = []
        self._metric = metric

    @property
    def leader(self) -> str | None:
        """Key of the best trial."""
        return self.leads[-1][2] if self.leads else None

    def started(self, trial: Trial) -> None: ...

    def ended(self, trial: Trial) -> None: ...

    def scored(self, trial: Trial, units: int) -> None:
        self.asked += units
        mean = trial.mean(self._metric)
        if mean is not None and (not self.leads or self._beats(mean, trial.key)):
            self.leads.append((self.asked, mean, trial.key))

    def _beats(self, mean: float, key: str) -> bool:
        _, best, holder = self.leads[-1]
        return (-mean, key) < (-best, holder)


def replay(grid: Grid, task: Task) -> Outcome:
    """Run a study on a recording.

    It ends early once it has the point that is best of the whole grid on the questions searched
    on: no other can take its place.
    """
    searched, held_out = split(grid.questions, task.seed)
    means = {
        key: (grid.scores[row, searched].mean(), grid.scores[row, held_out].mean())
        for key, row in grid.points.items()
    }
    chosen = min(means, key=lambda key: (-means[key][0], key))
    limit = max(1, int(task.share * len(grid) * len(searched)))
    trace = Trace(grid.metric)
    study = Study(
        objective=Replay(grid, searched, lambda: trace.leader == chosen),
        space=grid.space,
        search=task.search,
        scheduler=task.scheduler,
        budget={"usd": limit},
        seed=task.seed,
        baseline=False,
    )
    results = run(study, in_memory=True, listener=trace)
    if results.failed:
        raise RuntimeError(f"a replayed trial failed: {results.failed[0].failure}")
    return Outcome(
        task,
        tuple(Step(asked, mean, means[key][1]) for asked, mean, key in trace.leads),
        trace.asked,
        limit,
        best_searched=means[chosen][0],
        best_held_out=max(held for _, held in means.values()),
        chosen=means[chosen][1],
        questions=len(searched),
    )


def perform(task: Task) -> Outcome:
    """Run a task in a process of a pool, which reads every recording once."""
    return replay(_load(task.grid, task.folder, task.metric), task)


@lru_cache(maxsize=4)
def _load(name: str, folder: str, metric: str) -> Grid:
    return load(name, Path(folder), metric)


# ---- statistics over seeds


def quantile(counts: Iterable[float], share: float) -> float:
    """Give the smallest count that `share` of them do not exceed; inf stands for never.

    Never interpolates, so that what is not known to be finite stays inf.
    """
    ranked = sorted(counts)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def median_gaps(outcomes: Sequence[Outcome], counts: Sequence[float]) -> list[float]:
    """Give the median gap of several seeds after each number of questions."""
    return [float(np.median([out.gap(asked) for out in outcomes])) for asked in counts]


def by_method(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], list[Outcome]]:
    """Group outcomes by search and scheduler, in the order in which these come."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.task.search, outcome.task.scheduler), []).append(outcome)
    return found


def tasks(grids: Sequence[str], methods: Sequence[Any], seeds: int, **common: Any) -> list[Task]:
    """List the runs, grid by grid."""
    return [
        Task(grid=grid, search=search, scheduler=scheduler, seed=seed, **common)
        for grid, (search, scheduler), seed in itertools.product(grids, methods, range(seeds))
    ]
