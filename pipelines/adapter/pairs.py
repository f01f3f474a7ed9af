"""Pairs of questions and passages: which chunks hold evidence, and which only look like it.

What training sees is a function of the documents and of the training questions alone. Passages of
all documents may be negatives, as they are there when anybody trains; what other questions are
about has no say in it, for leaving their evidence out would give it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.metrics.ranks import DEFAULT_COVERAGE
from pipelines.ranking import best_columns, blocks, snapped
from pipelines.types import IntArray, Question, Vectors

MOST_NEGATIVES = 64
"""Hard negatives that are kept of a question."""
_BLOCK = 512


class Pairs(NamedTuple):
    """What training is about; rows belong to its questions.

    Attributes:
        queries: float32 [n, d], their vectors.
        passages: float32 [m, d], vectors of all chunks.
        evidence: chunks that hold evidence, int64 each, at least one a question.
        negatives: int64 [n, 64], chunks that rank highest without touching evidence, best first;
            -1 where there are no more.
    """

    queries: Vectors
    passages: Vectors
    evidence: tuple[IntArray, ...]
    negatives: IntArray


def make_pairs(
    questions: Sequence[Question],
    queries: Vectors,
    passages: Vectors,
    places: tuple[IntArray, IntArray, IntArray],
) -> Pairs:
    """Find evidence and negatives of training questions.

    Args:
        questions: those that train.
        queries: float32 [questions, d], by the embedder as it stands.
        passages: float32 [chunks, d].
        places: document number, start and end of every chunk in the original documents.
    """
    found = [_evidence(question, places) for question in questions]
    usable = [row for row, (holding, _) in enumerate(found) if len(holding)]
    ranked = [np.zeros((0, MOST_NEGATIVES), np.int64)]
    each = snapped(passages)
    for part in blocks(len(usable), _BLOCK):
        rows = usable[part]
        scores = snapped(queries[rows]) @ each.T
        for line, row in enumerate(rows):
            scores[line, found[row][1]] = -np.inf
        ids = best_columns(scores, MOST_NEGATIVES).ids
        missing = ((0, 0), (0, MOST_NEGATIVES - ids.shape[1]))
        ranked.append(np.pad(ids, missing, constant_values=-1))
    evidence = tuple(found[row][0] for row in usable)
    return Pairs(queries[usable], passages, evidence, np.concatenate(ranked))


def _evidence(
    question: Question, places: tuple[IntArray, IntArray, IntArray]
) -> tuple[IntArray, IntArray]:
    """Give the chunks that serve a question, and all that touch its evidence.

    To serve is what rank metrics mean by it; where no chunk does, those serve that share most.
    """
    docs, starts, ends = places
    serving = np.zeros(len(docs), bool)
    shared = np.zeros(len(docs), np.int64)
    for span in (span for group in question.findable for span in group):
        overlap = np.minimum(ends, span.end) - np.maximum(starts, span.start)
        overlap = np.where(docs == span.doc, np.maximum(overlap, 0), 0)
        shorter = np.minimum(ends - starts, span.end - span.start)
        serving |= (overlap > 0) & (overlap >= DEFAULT_COVERAGE * shorter)
        shared = np.maximum(shared, overlap)
    touching = np.flatnonzero(shared)
    if not serving.any() and len(touching):
        serving = shared == shared.max()
    return np.flatnonzero(serving), touching
