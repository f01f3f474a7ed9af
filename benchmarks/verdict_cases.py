"""The rows of benchmarks/verdict.py: which configurations, which questions, how many of both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

from verdict_models import DATA, MadeUp, Real, haystack, recorded


class Case(NamedTuple):
    """One row of the table."""

    block: str
    metric: str
    questions: int
    configurations: int
    spread: str
    quality: float
    model: MadeUp | Real


def cases(real: bool = True) -> Iterator[Case]:
    """List all rows: configurations that are made up, documents, real tables."""
    for graded, many, configurations in product((False, True), (50, 100, 200, 400), (32, 128)):
        for spread, quality in _worlds():
            yield _made_up("made up", graded, many, configurations, spread, quality)
    for graded, many in product((False, True), (34, 42, 60)):
        for spread, quality in ((0.0, 0.5), (0.02, 0.9), (0.05, 0.9)):
            yield _made_up("few questions", graded, many, 32, spread, quality)
    for graded, many in product((False, True), (100, 200, 400)):
        for spread, quality in ((0.0, 0.5), (0.02, 0.9), (0.05, 0.5), (0.05, 0.9)):
            yield _made_up("documents", graded, many, 32, spread, quality, documents=True)
    if real and DATA.exists():
        yield from _real_cases()


def recorded_cases(folder: Path) -> Iterator[Case]:
    """List the rows of the grids that are recorded in a folder; say which are not."""
    for name in ("chunking", "squad-en", "clapnq"):
        try:
            scores, costs = recorded(name, folder)
        except SystemExit as missing:
            print(f"Left out: {missing}")
            continue
        spread = f"{100 * scores.mean(axis=0).std():.1f} pt"
        for many, quality in product((50, 200), (0.5, 0.9)):
            model = Real(scores, costs, quality)
            yield Case(f"our {name}", "ndcg@10", many, len(costs), spread, quality, model)
        model = Real(scores, costs, 0.5, shuffled=True)
        yield Case(f"our {name}, shuffled", "ndcg@10", 200, len(costs), "0 pt", 0.5, model)


def _worlds() -> list[tuple[float, float]]:
    return [(0.0, 0.5), *product((0.02, 0.05, 0.10), (0.5, 0.9))]


def _made_up(
    block: str,
    graded: bool,
    questions: int,
    configurations: int,
    spread: float,
    quality: float,
    documents: bool = False,
) -> Case:
    model = MadeUp(configurations, spread, quality, graded, documents)
    name = "graded" if graded else "binary"
    said = f"{100 * spread:.0f} pt"
    return Case(block, name, questions, configurations, said, quality, model)


def _real_cases() -> Iterator[Case]:
    tables = (("squad", "doc_recall_single_hit"), ("squad", "sas"), ("aragog", "context_relevance"),
              ("aragog", "sas"))  # fmt: skip
    for name, metric in tables:
        table, costs = haystack(name, metric)
        spread = f"{100 * table.mean(axis=0).std():.1f} pt"
        for many, quality in product((50, 100, 200), (0.5, 0.75, 0.9)):
            model = Real(table, costs, quality)
            yield Case(name, metric, many, len(costs), spread, quality, model)
        for many in (50, 200):
            model = Real(table, costs, 0.5, shuffled=True)
            yield Case(f"{name}, shuffled", metric, many, len(costs), "0 pt", 0.5, model)
