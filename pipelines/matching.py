"""What of a chunk a query is compared with: its own vector, or the vectors of its sentences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.ranking import best_columns, blocks, snapped, stacked
from pipelines.types import Chunks, IntArray, Ranking, Vectors
from raytuner.component import Component

_SCORES = 4_000_000
"""Scores computed at once: 32 MiB of float64."""


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
    pairs = np.cumsum(last - first)
    for number in np.flatnonzero((core_last <= core_first) & (last > first)):
        # the chunk cuts through every sentence it touches
        mine = slice(pairs[number] - (last - first)[number], pairs[number])
        widest = first[number] + np.argmax(inside[mine])
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
        depth: hits per query; fewer if there are fewer chunks.

    Returns:
        Ranking [queries, min(depth, chunks)], ties by chunk number; the same to the last bit
        however many queries are ranked together.
    """
    depth = min(depth, len(members.first))
    if not len(sentences):
        return Ranking(np.full((len(queries), depth), -1), np.full((len(queries), depth), -np.inf))
    means, each = snapped(mean_vectors(sentences, members)), snapped(sentences)
    found = []
    for part in blocks(len(queries), _SCORES // (len(means) + len(each))):
        asked = snapped(queries[part])
        total = asked @ means.T + matcher.best * _best_sentence(asked @ each.T, members)
        found.append(best_columns(total, depth))
    return stacked(found, depth)


def _best_sentence(similarity: NDArray[np.float64], members: Membership) -> NDArray[np.float64]:
    """Take the maximum over each chunk's sentences; shape [queries, chunks]."""
    padded = np.concatenate([similarity, np.full((len(similarity), 1), -1.0)], axis=1)
    bounds = np.stack([members.core_first, members.core_last], axis=1).ravel()
    best = np.maximum.reduceat(padded, bounds, axis=1)[:, ::2]
    best[:, members.core_last <= members.core_first] = 0.0
    return np.asarray(best)
