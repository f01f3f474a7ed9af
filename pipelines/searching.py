"""Finds chunks for queries: transforms them, ranks, fuses, reranks.

Stages without a language model are artifacts of the library; those with one are asked anew each
time and answered from the cache of responses, so that what they cost is always known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.library import CachedLibrary
from pipelines.llm_rerank import LlmRerank
from pipelines.measuring import typical
from pipelines.queries import QueryTransform, Rewritten
from pipelines.ranking import FloatArray, best_listed
from pipelines.types import IntArray, Ranking
from raytuner.objective import Cost, Failure

_RANK_CONSTANT = 60


class Found(NamedTuple):
    """What a search has found.

    Attributes:
        ranking: chunks per query.
        usage: what language models cost at list price, by row; rows without any are missing.
        failures: why a row has no ranking that counts.
        asked: seconds that language models take, by row; rows without any are missing.
        local: seconds that the rest takes for single queries, float64 [queries measured]; NaN
            where not known. Where models are asked, queries may be what they have written.
    """

    ranking: Ranking
    usage: Mapping[int, Cost] = {}
    failures: Mapping[int, Failure] = {}
    asked: Mapping[int, float] = {}
    local: FloatArray = np.empty(0)


def search(library: CachedLibrary, depth: int) -> Found:
    """Rank at most `depth` chunks for every query of a library, as its configuration says."""
    config = library.config
    if not config.searches_paid:
        return Found(library.reranked(depth), local=library.seconds(depth))
    usage: dict[int, Cost] = {}
    failures: dict[int, Failure] = {}
    asked: dict[int, float] = {}
    if config.query is None:
        ranking = library.rank(config.retriever, depth)
        local = library.seconds(depth, reranked=False)
    else:
        rewritten = _rewritten(library, config.query)
        usage = {row: one.usage for row, one in rewritten.items()}
        failures = {row: one.failure for row, one in rewritten.items() if one.failure is not None}
        asked = {row: one.seconds for row, one in rewritten.items()}
        texts = [rewritten[row].texts for row in sorted(rewritten)]
        ranking, local = _fused(library, texts, depth)
    if isinstance(config.reranker, LlmRerank):
        ranking, orders = config.reranker.reordered(library, ranking)
        for row, order in orders.items():
            usage[row] = usage.get(row, Cost()).plus(order.usage)
            asked[row] = asked.get(row, 0.0) + order.seconds
            if order.failure is not None:
                failures.setdefault(row, order.failure)
    elif config.reranker is not None:
        reranking = library.time_reranking(config.reranker, ranking)
        ranking = config.reranker.rerank(library, ranking)
        local = np.array([typical(local) + typical(reranking)])
    return Found(ranking, usage, failures, asked, local)


def _rewritten(library: CachedLibrary, transform: QueryTransform) -> dict[int, Rewritten]:
    talks = [transform.dialogue(query) for query in library.queries]
    return {row: one for part in library.gather(talks, "query") for row, one in part}


def _fused(
    library: CachedLibrary, texts: Sequence[Sequence[str]], depth: int
) -> tuple[Ranking, FloatArray]:
    """Rank every search text, and tell how long one takes; fuse those of one query.

    Fusion is by reciprocal rank.
    """
    flat = list(dict.fromkeys(text for own in texts for text in own))
    searched = library.over(flat)
    ranking = searched.rank(library.config.retriever, depth)
    return _fused_rows(ranking, flat, texts, depth), searched.seconds(depth, reranked=False)


def _fused_rows(
    ranking: Ranking, flat: Sequence[str], texts: Sequence[Sequence[str]], depth: int
) -> Ranking:
    rows = {text: row for row, text in enumerate(flat)}
    own_rows = [[rows[text] for text in own] for own in texts]
    if all(len(own) == 1 for own in own_rows):
        only = [own[0] for own in own_rows]
        return Ranking(ranking.ids[only], ranking.scores[only])
    parts = [_fuse(ranking.ids[own], depth) for own in own_rows]
    width = max((len(ids) for ids, _ in parts), default=0)
    ids = np.full((len(parts), width), -1, dtype=np.int64)
    scores = np.full((len(parts), width), -np.inf)
    for row, (found, points) in enumerate(parts):
        ids[row, : len(found)], scores[row, : len(found)] = found, points
    return best_listed(ids, scores, min(depth, width), by_id=True)


def _fuse(ids: IntArray, depth: int) -> tuple[list[int], list[float]]:
    """Give the chunks that any of some rankings holds, each with 1 / (60 + rank) of all."""
    points: dict[int, float] = {}
    for ranked in ids[:, :depth].tolist():
        for place, chunk in enumerate(ranked, start=1):
            if chunk >= 0:
                points[chunk] = points.get(chunk, 0.0) + 1.0 / (_RANK_CONSTANT + place)
    return list(points), list(points.values())
