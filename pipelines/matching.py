"""What of a chunk a query is compared with: its own vector, or the vectors of its sentences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.roles import ranking_of
from pipelines.types import Chunks, IntArray, Ranking, Vectors
from raytuner.component import Component


class Matcher(Component):
    """The unit of retrieval. A pipeline of its own each, not a faster way to the same scores."""


class WholeChunk(Matcher, kind="chunk"):
    """Compare the query with one vector per chunk: the embedding of its text."""


class Sentences(Matcher, kind="sentences"):
    """Compare the query with the sentences of the chunk.

    score(q, chunk) = cos(q, m) + best * max_i cos(q, s_i), where s_i are the unit vectors of the
    chunk's sentences and m is their mean weighted by the characters each has in the chunk. A
    sentence counts for the maximum if at least half of it lies in the chunk (or if it is the
    one that fills most of the chunk). Sentences are embedded once and shared by every chunk
    size and overlap, and nothing is cut at the model's limit.
    """

    best: float = Field(default=1.0, ge=0, le=10, description="weight of the best sentence")


class SentenceTable(NamedTuple):
    """The sentences of a corpus: spans in preprocessed offsets, ordered by (doc, start)."""

    doc: IntArray
    start: IntArray
    end: IntArray


class Membership(NamedTuple):
    """Which sentences make up each chunk.

    Attributes:
        first, last: sentences [first, last) overlap the chunk; shape [chunks].
        chunk, sentence, characters: one entry per overlapping pair, ordered by chunk.
        core_first, core_last: sentences that count for the maximum; never empty where a
            sentence overlaps the chunk at all.
    """

    first: IntArray
    last: IntArray
    chunk: IntArray
    sentence: IntArray
    characters: IntArray
    core_first: IntArray
    core_last: IntArray


def membership(chunks: Chunks, sentences: SentenceTable) -> Membership:
    """Find the sentences that overlap the matched part of every chunk."""
    stride = int(max(chunks.end.max(initial=0), sentences.end.max(initial=0))) + 1
    starts = sentences.doc * stride + sentences.start
    ends = sentences.doc * stride + sentences.end
    low = chunks.doc * stride + chunks.match_start
    high = chunks.doc * stride + chunks.match_end
    first = np.searchsorted(ends, low, side="right").astype(np.int64)
    last = np.maximum(np.searchsorted(starts, high, side="left").astype(np.int64), first)
    counts = last - first
    chunk = np.repeat(np.arange(len(chunks)), counts)
    offset = np.arange(len(chunk)) - np.repeat(np.cumsum(counts) - counts, counts)
    sentence = first[chunk] + offset
    inside = np.minimum(ends[sentence], high[chunk]) - np.maximum(starts[sentence], low[chunk])
    core_first, core_last = _core(first, last, chunk, sentence, inside, ends - starts)
    return Membership(first, last, chunk, sentence, inside, core_first, core_last)


def _core(
    first: IntArray,
    last: IntArray,
    chunk: IntArray,
    sentence: IntArray,
    inside: IntArray,
    lengths: IntArray,
) -> tuple[IntArray, IntArray]:
    """Drop a sentence at either edge of a chunk if less than half of it lies inside."""
    core_first, core_last = first.copy(), last.copy()
    whole = 2 * inside >= lengths[sentence]
    at_start = sentence == first[chunk]
    at_end = sentence == last[chunk] - 1
    core_first[chunk[at_start & ~whole]] += 1
    core_last[chunk[at_end & ~whole]] -= 1
    empty = np.flatnonzero((core_last <= core_first) & (last > first))
    for number in empty:  # rare: the chunk cuts through every sentence it touches
        pairs = np.flatnonzero(chunk == number)
        widest = sentence[pairs[np.argmax(inside[pairs])]]
        core_first[number], core_last[number] = widest, widest + 1
    return core_first, core_last


def mean_vectors(vectors: Vectors, members: Membership) -> Vectors:
    """Average the sentence vectors of every chunk, weighted by characters; unit length.

    Returns:
        float32 [chunks, dimensions]; zero where a chunk has no sentence.
    """
    from scipy.sparse import csr_matrix

    indptr = np.concatenate([[0], np.cumsum(members.last - members.first)])
    shape = (len(members.first), len(vectors))
    weights = csr_matrix((members.characters.astype(np.float64), members.sentence, indptr), shape)
    means = np.asarray(weights @ vectors.astype(np.float64))
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(means, norms, out=np.zeros_like(means), where=norms > 0)
    return unit.astype(np.float32)


def rank_by_sentences(
    matcher: Sentences, queries: Vectors, sentences: Vectors, members: Membership, depth: int
) -> Ranking:
    """Rank chunks by the formula of `Sentences`.

    Args:
        matcher: the configuration.
        queries: float32 [queries, dimensions].
        sentences: float32 [sentences, dimensions].
        members: the sentences of each chunk.
        depth: hits per query.
    """
    means = mean_vectors(sentences, members).astype(np.float64)
    wide = sentences.astype(np.float64)
    ids, scores = [], []
    block = max(1, 20_000_000 // max(1, len(wide)))
    for start in range(0, len(queries), block):
        part = queries[start : start + block].astype(np.float64)
        total = part @ means.T + matcher.best * _best_sentence(part @ wide.T, members)
        ranking = ranking_of(total, depth)
        ids.append(ranking.ids)
        scores.append(ranking.scores)
    if not ids:
        return Ranking(np.empty((0, depth), np.int64), np.empty((0, depth)))
    return Ranking(np.concatenate(ids), np.concatenate(scores))


def _best_sentence(similarity: NDArray[np.float64], members: Membership) -> NDArray[np.float64]:
    """Take the maximum over each chunk's sentences; shape [queries, chunks]."""
    padded = np.concatenate([similarity, np.full((len(similarity), 1), -1.0)], axis=1)
    bounds = np.stack([members.core_first, members.core_last], axis=1).ravel()
    best = np.maximum.reduceat(padded, bounds, axis=1)[:, ::2]
    best[:, members.core_last <= members.core_first] = 0.0
    return np.asarray(best)
