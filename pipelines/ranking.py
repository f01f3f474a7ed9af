"""Score matrices to rankings, bit-equal however the work was batched, blocked or threaded.

Knows nothing of where scores come from. Stores, retrievers and rerankers share it, so that ties
are broken in one way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipelines.types import IntArray, Ranking, Vectors

FloatArray = NDArray[np.float64]

_GRID = 2.0**26


def snapped(vectors: Vectors | FloatArray) -> FloatArray:
    """Round unit vectors to multiples of 2**-26, so that their inner products are exact.

    Each product is then a multiple of 2**-52 and, by Cauchy-Schwarz, no partial sum of an inner
    product exceeds the product of the lengths, so float64 holds every intermediate result
    exactly. Order of summation, fused operations, threads and block shapes cannot matter, and
    equal rows score equal. The price is an error of about 1e-8 per inner product, less than
    float32 arithmetic makes.

    Args:
        vectors: [n, dimensions], of unit length or zero.

    Returns:
        float64 [n, dimensions].

    Raises:
        ValueError: if a row is longer than a unit vector or not finite.
    """
    rows = vectors.astype(np.float64)
    longest = np.einsum("ij,ij->i", rows, rows).max(initial=0.0)
    if not longest <= 1.01:
        raise ValueError(
            f"vectors must be finite and of unit length; the longest has length {longest**0.5:g}"
        )
    rows *= _GRID
    np.rint(rows, out=rows)
    rows /= _GRID
    return rows


def blocks(count: int, size: int) -> Iterator[slice]:
    """Cut `count` rows into slices of at most `size`."""
    for start in range(0, count, max(1, size)):
        yield slice(start, min(start + size, count))


def best_columns(scores: FloatArray, depth: int) -> Ranking:
    """Rank the columns of each row, best first, ties by column number.

    Args:
        scores: float64 [queries, columns]; -inf marks a column that is no hit.
        depth: columns to keep; fewer if there are fewer columns.

    Returns:
        Ranking [queries, min(depth, columns)]; equal to a stable sort of every row, but linear
        in the number of columns.
    """
    depth = min(depth, scores.shape[1])
    picked = _picked(scores, depth)
    values = np.take_along_axis(scores, picked, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return _ranking(
        np.take_along_axis(picked, order, axis=1), np.take_along_axis(values, order, axis=1)
    )


def _picked(scores: FloatArray, depth: int) -> IntArray:
    """Give the `depth` best columns of each row in ascending column order."""
    queries, columns = scores.shape
    if depth == columns:
        return np.broadcast_to(np.arange(columns, dtype=np.int64), (queries, columns))
    if depth == 0:
        return np.zeros((queries, 0), np.int64)
    picked = np.argpartition(-scores, depth - 1, axis=1)[:, :depth].astype(np.int64)
    picked.sort(axis=1)
    worst = np.take_along_axis(scores, picked, axis=1).min(axis=1)
    reaching = np.count_nonzero(scores >= worst[:, None], axis=1)
    for row in np.flatnonzero(reaching > depth):  # a tie at the cut: keep the lowest columns
        above = np.flatnonzero(scores[row] > worst[row])
        level = np.flatnonzero(scores[row] == worst[row])[: depth - len(above)]
        picked[row] = np.sort(np.concatenate([above, level]))
    return picked


def best_listed(ids: IntArray, scores: FloatArray, depth: int, *, by_id: bool) -> Ranking:
    """Rank listed ids of each row, best first.

    Args:
        ids: int64 [queries, listed]; -1 marks an empty place.
        scores: float64 [queries, listed].
        depth: places to keep; missing ones are filled with -1.
        by_id: break ties by id; otherwise by the place in the list.
    """
    scores = np.where(ids < 0, -np.inf, scores)
    last = np.where(ids < 0, np.iinfo(np.int64).max, ids)
    order = np.lexsort((last, -scores)) if by_id else np.argsort(-scores, axis=1, kind="stable")
    order = order[:, :depth]
    return padded(
        Ranking(np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)),
        depth,
    )


def padded(ranking: Ranking, depth: int) -> Ranking:
    """Fill a ranking up to `depth` columns with -1 and -inf; cut it where it has more."""
    top = ranking.top(depth)
    missing = ((0, 0), (0, depth - top.ids.shape[1]))
    return _ranking(
        np.pad(top.ids, missing, constant_values=-1),
        np.pad(top.scores, missing, constant_values=-np.inf),
    )


def stacked(rankings: list[Ranking], depth: int) -> Ranking:
    """Join the rankings of consecutive blocks of queries; no blocks give no rows."""
    if not rankings:
        return Ranking(np.zeros((0, depth), np.int64), np.zeros((0, depth)))
    return Ranking(
        np.concatenate([ranking.ids for ranking in rankings]),
        np.concatenate([ranking.scores for ranking in rankings]),
    )


def _ranking(ids: IntArray, scores: FloatArray) -> Ranking:
    return Ranking(np.where(np.isneginf(scores), -1, ids), scores)
