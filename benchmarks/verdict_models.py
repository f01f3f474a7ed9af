"""Where benchmarks/verdict.py draws scores from, with the truth about every configuration known.

Made up: a configuration answers a question rightly with the chance
sigmoid(difficulty + ability + interaction), as in item response theory (Rasch 1960), and all
questions are drawn anew for every run. Real: tables in which every configuration has answered
every question; the whole table is the truth, and questions are drawn from it with replacement.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "haystack-grids"
QUESTION_SD = 1.8
"""How much questions differ in difficulty, in logits."""
INTERACTION_SD = 0.9
"""How much the same question differs in difficulty from one configuration to another."""
DOCUMENT = 5
"""Questions of a document, where documents are drawn."""
_STEPS = 4
"""Graded scores are quarters."""
_CENTRE = 0.6
"""Mean score of the average configuration."""

Scores = NDArray[np.float64]


class Draw(NamedTuple):
    """Questions as a user would have them.

    Attributes:
        scores: [questions, configurations].
        groups: the document of every question, or nothing.
        truth: mean score of every configuration over all questions there could be.
        base: the configuration that the user has.
        costs: of every configuration, per question.
    """

    scores: Scores
    groups: list[str] | None
    truth: Scores
    base: int
    costs: list[float]


@dataclass(frozen=True)
class MadeUp:
    """Configurations of a known quality.

    Attributes:
        configurations: how many there are.
        spread: standard deviation of their true mean scores; at 0 all are equal.
        quality: share of the configurations that are worse than what the user has.
        graded: whether scores are quarters, or else 0 or 1.
        documents: whether questions come in fives that share difficulty and interaction.
    """

    configurations: int
    spread: float
    quality: float
    graded: bool
    documents: bool = False

    def draw(self, rng: np.random.Generator, questions: int) -> Draw:
        """Draw configurations and questions."""
        truth = np.full(self.configurations, _CENTRE)
        if self.spread:
            truth = truth + self.spread * rng.standard_normal(self.configurations)
            truth = np.clip(truth, 0.03, 0.97)
        # equals are told apart by luck alone, so any of them will do
        rank = round(self.quality * (self.configurations - 1))
        base = int(np.argsort(truth, kind="stable")[rank])
        shared = self._effects(rng, questions)
        chance = 1.0 / (1.0 + np.exp(-(_ability(truth) + shared)))
        tries = _STEPS if self.graded else 1
        scores = rng.binomial(tries, chance) / tries
        groups = [f"d{row // DOCUMENT}" for row in range(questions)] if self.documents else None
        costs = rng.lognormal(0.0, 0.7, self.configurations)
        return Draw(scores, groups, truth, base, costs.tolist())

    def _effects(self, rng: np.random.Generator, questions: int) -> Scores:
        """Draw difficulties and interactions; half of their variance by document, if there are."""
        width = self.configurations
        own = _normal(rng, questions, width)
        if not self.documents:
            return own
        common = np.repeat(_normal(rng, -(-questions // DOCUMENT), width), DOCUMENT, axis=0)
        return (own + common[:questions]) / np.sqrt(2.0)


@dataclass(frozen=True)
class Real:
    """A table of real scores.

    Attributes:
        table: [questions, configurations].
        costs: of every configuration.
        quality: share of the configurations that are worse than what the user has.
        shuffled: whether the scores of each question are dealt out at random, so that no
            configuration is truly better than another.
    """

    table: Scores
    costs: tuple[float, ...]
    quality: float
    shuffled: bool = False

    def draw(self, rng: np.random.Generator, questions: int) -> Draw:
        """Draw questions with replacement."""
        scores = self.table[rng.integers(0, len(self.table), questions)]
        truth = self.table.mean(axis=0)
        if self.shuffled:
            scores = rng.permuted(scores, axis=1)
            truth = np.full(len(truth), truth.mean())
        rank = round(self.quality * (len(truth) - 1))
        base = int(np.argsort(truth, kind="stable")[rank])
        return Draw(scores, None, truth, base, list(self.costs))


def haystack(name: str, metric: str) -> tuple[Scores, tuple[float, ...]]:
    """Read a table of shared/data/haystack-grids: its scores, and chunks times their size as costs.

    Questions that a configuration has no score for are left out.
    """
    rows: dict[tuple[str, int, int], dict[int, float]] = {}
    with (DATA / f"{name}_per_question.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            point = (line["embedding"], int(line["top_k"]), int(line["chunk_size"]))
            value = float(line[metric]) if line[metric] else np.nan
            rows.setdefault(point, {})[int(line["question_index"])] = value
    asked = sorted(next(iter(rows.values())))
    table = np.array([[rows[point].get(q, np.nan) for point in rows] for q in asked])
    costs = tuple(float(top * size) for _, top, size in rows)
    return table[~np.isnan(table).any(axis=1)], costs


def recorded(name: str, folder: Path) -> tuple[Scores, tuple[float, ...]]:
    """Read a grid that benchmarks/search_efficiency.py has recorded: nDCG@10, and tokens as costs.

    Raises:
        SystemExit: there is no complete recording.
    """
    import search_grids

    from raytuner import Space

    grid = search_grids.load(name, folder, "ndcg@10")
    costs = [0.0] * len(grid)
    for point in Space.parse(grid.space).every():
        row = grid.points[search_grids.point_key(point)]
        costs[row] = float(point["chunker.size"] * point["retriever.top_k"])
    return grid.scores.T[~np.isnan(grid.scores).any(axis=0)], tuple(costs)


def _normal(rng: np.random.Generator, rows: int, columns: int) -> Scores:
    difficulty = rng.normal(0.0, QUESTION_SD, (rows, 1))
    return difficulty + rng.normal(0.0, INTERACTION_SD, (rows, columns))


def _ability(truth: Scores) -> Scores:
    """Find the abilities that give these mean scores over all questions."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    weights = weights / weights.sum()
    sd = np.hypot(QUESTION_SD, INTERACTION_SD)
    grid = np.linspace(-12.0, 12.0, 961)
    means = (1.0 / (1.0 + np.exp(-(grid[:, None] + sd * nodes)))) @ weights
    return np.interp(truth, means, grid)
