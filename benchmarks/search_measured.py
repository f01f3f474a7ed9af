"""Grids of language model pipelines that others have measured, question by question.

deepset's haystack-evaluation (Apache-2.0): embedding model x top_k x chunk_size, 27 points each,
scored by semantic answer similarity. ../shared/data/haystack-grids/README.md says where from.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from search_grids import CHARS, DATA, Bill, Grid, bill, point_key

from pipelines.types import Question

FOLDER = DATA / "haystack-grids"
SIZES = {"aragog": (64, 128, 256), "squad": (5, 10, 15)}
"""Words a chunk, and sentences a chunk."""
METRIC = "sas"
_MODELS = ("all-MiniLM-L6-v2", "all-mpnet-base-v2", "msmarco-distilroberta-base-v2")
_CORPUS = {"aragog": 330_000, "squad": 420_000}
"""Tokens assumed of the documents, which are not part of the measurements."""
_SENTENCE = 30
"""Tokens a sentence: squad's contexts were not recorded."""


def available(name: str) -> bool:
    """Tell whether the measurements are there."""
    return (FOLDER / f"{name}_per_question.csv").exists()


def load(name: str) -> Grid:
    """Read a grid; a question that was not scored at every point is left out.

    Raises:
        SystemExit: the measurements are not there.
    """
    if not available(name):
        raise SystemExit(f"no measurements of {name} in {FOLDER}")
    with (FOLDER / f"{name}_per_question.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    texts = json.loads((FOLDER / f"{name}_questions.json").read_text("utf-8"))
    space = {
        "embedding": {"choice": list(_MODELS)},
        "top_k": {"choice": [1, 2, 3]},
        "chunk_size": {"choice": list(SIZES[name])},
    }
    points = list({point_key(_point(row)): _point(row) for row in rows}.values())
    at = {point_key(point): place for place, point in enumerate(points)}
    scores, context = (np.full((len(points), len(texts)), np.nan) for _ in range(2))
    for row in rows:
        place = at[point_key(_point(row))], int(row["question_index"])
        context[place] = float(row["context_chars"])
        if row[METRIC]:
            scores[place] = float(row[METRIC])
    whole = np.flatnonzero(~np.isnan(scores).any(axis=0)).tolist()
    questions = tuple(Question(f"q{column}", texts[column], group=f"q{column}") for column in whole)
    prices = _bill(name, points, context.mean(axis=1) / CHARS)
    return Grid(name, METRIC, space, at, questions, scores[:, whole], prices)


def _point(row: Mapping[str, str]) -> dict[str, Any]:
    return {
        "embedding": row["embedding"],
        "top_k": int(row["top_k"]),
        "chunk_size": int(row["chunk_size"]),
    }


def _bill(name: str, points: Sequence[Mapping[str, Any]], context: Sequence[float]) -> Bill:
    """Take contexts as they were measured, or as long as they should have been."""
    if not any(context):
        context = [point["top_k"] * point["chunk_size"] * _SENTENCE for point in points]
    ingested = [f"{point['embedding']} {point['chunk_size']}" for point in points]
    return bill(context, ingested, [_CORPUS[name]] * len(points))
