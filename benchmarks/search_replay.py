"""Replays one search on a grid of which everything is known, and follows what it would recommend.

Answering costs nothing, everything else is real: the study runs through `raytuner.run`, with its
search, its scheduler and its budget, of which every question takes one dollar.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import search_grids
import search_measured
from search_grids import Grid, point_key, split
from search_methods import named
from search_outcome import FINALISTS, Outcome, Step, Truth, means

from raytuner import ConfigError, Objective, Space, Study, UnitScore, run
from raytuner.component import digest
from raytuner.objective import Cost, Meter, Params
from raytuner.sweeping.listener import Silent
from raytuner.trial import Trial


class Task(NamedTuple):
    """One run: which grid, searched how, with which seed, and how long.

    Attributes:
        method: a label of search_methods.
        share: questions to be asked at most, as a share of those that the whole grid has.
    """

    grid: str
    folder: str
    metric: str
    method: str
    seed: int
    share: float


class Replay(Objective):
    """Answers from a grid.

    Args:
        grid: the grid.
        columns: positions of the questions to answer, in the order in which they are asked.
        start: the configuration as it stands, where some searches begin.
    """

    def __init__(self, grid: Grid, columns: Sequence[int], start: Params) -> None:
        self._grid = grid
        self._start = dict(start)
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

    def defaults(self, names: Sequence[str]) -> Params:
        del names
        return self._start

    def affinity(self, params: Params) -> str:
        row = self._grid.points.get(point_key(params))
        return "" if row is None else self._grid.bill.ingestion[row]

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        meter.reserve(len(units))
        row = self._grid.scores[self._grid.points[self.key(params)]]
        yield [UnitScore(u, {self._grid.metric: float(row[self._columns[u]])}) for u in units]
        meter.settle(len(units), Cost(usd=len(units)))


class Trace(Silent):
    """Listens to a run: counts answers and dollars, notes whenever its finalists change.

    They are what a study that ended then would send to the held-out questions: the complete
    trials of the highest means, ties by key. A trial that was not asked everything is none.
    """

    def __init__(self, grid: Grid) -> None:
        self.asked = 0
        self.usd = 0.0
        self.notes: list[tuple[int, float, tuple[str, ...]]] = []
        self._grid = grid
        self._ingested: set[str] = set()
        self._complete: list[tuple[float, str]] = []

    def scored(self, trial: Trial, units: int) -> None:
        bill, row = self._grid.bill, self._grid.points[trial.key]
        self.asked += units
        self.usd += units * bill.question[row]
        if bill.ingestion[row] not in self._ingested:
            self._ingested.add(bill.ingestion[row])
            self.usd += bill.ingested[row]
        mean = trial.mean(self._grid.metric)
        if mean is not None:
            self._complete = sorted([*self._complete, (-mean, trial.key)])[:FINALISTS]
            self._note(tuple(key for _, key in self._complete))

    def _note(self, finalists: tuple[str, ...]) -> None:
        if not self.notes or self.notes[-1][2] != finalists:
            self.notes.append((self.asked, self.usd, finalists))


def replay(grid: Grid, task: Task) -> Outcome:
    """Run a study on a grid."""
    searched, held_out = split(grid.questions, task.seed)
    truth = Truth.of(grid, searched, held_out)
    limit = max(1, int(task.share * truth.evaluations))
    search, scheduler = named(task.method).sized(len(grid), len(searched))
    trace = Trace(grid)
    study = Study(
        objective=Replay(grid, searched, _start(grid, task.seed)),
        space=grid.space,
        search=search,
        scheduler=scheduler,
        budget={"usd": limit},
        seed=task.seed,
        baseline=False,
    )
    results = run(study, in_memory=True, listener=trace)
    if results.failed:
        raise RuntimeError(f"a replayed trial failed: {results.failed[0].failure}")
    scores = means(grid, held_out)
    steps = tuple(_step(truth, scores, *note) for note in trace.notes)
    return Outcome(task.grid, task.method, task.seed, steps, trace.asked, trace.usd, truth)


def _step(
    truth: Truth, scores: Mapping[str, float], asked: int, usd: float, finalists: Sequence[str]
) -> Step:
    held = [scores[key] for key in finalists]
    return Step(asked, usd, truth.gap(held[0]), truth.gap(max(held)))


def _start(grid: Grid, seed: int) -> dict[str, Any]:
    """Draw the configuration as it stands."""
    return Space.parse(grid.space).sample(random.Random(digest("start", seed)))


def perform(task: Task) -> Outcome:
    """Run a task in a process of a pool, which reads every grid once."""
    return replay(load(task.grid, task.folder, task.metric), task)


@lru_cache(maxsize=8)
def load(name: str, folder: str, metric: str) -> Grid:
    """Read a grid of either kind."""
    if name in search_measured.SIZES:
        return search_measured.load(name)
    return search_grids.load(name, Path(folder), metric)


def tasks(grids: Sequence[str], methods: Sequence[str], seeds: int, **common: Any) -> list[Task]:
    """List the runs, seed by seed."""
    return [
        Task(grid=grid, method=method, seed=seed, **common)
        for seed, grid, method in itertools.product(range(seeds), grids, methods)
    ]
