"""Retrieves and answers: from a configuration and a corpus to responses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from pipelines.library import CachedLibrary
from pipelines.types import Hit, Ranking, Response, Span

SHALLOWEST = 64
"""Rankings are at least this deep, so that every usual `top_k` is a prefix of one artifact."""


def depth_for(wanted: int) -> int:
    """Round a depth up to a power of two, at least 64: few depths serve every `top_k`.

    The depth depends on the trial alone, never on the space it came from: a widened grid gives
    equal scores for equal parameters even where the index is approximate.
    """
    return max(SHALLOWEST, 1 << (wanted - 1).bit_length())


class Pipeline:
    """A configured pipeline over the queries of its library."""

    def __init__(self, library: CachedLibrary) -> None:
        self.library = library
        self.config = library.config

    @cached_property
    def ranking(self) -> Ranking:
        """The ranked chunks of every query after reranking, before the final cut."""
        retriever, reranker = self.config.retriever, self.config.reranker
        wanted = retriever.top_k if reranker is None else reranker.candidates
        return self.library.reranked(depth_for(wanted))

    def hits(self, query: int) -> tuple[Hit, ...]:
        """Cut one query's ranking to what is handed on."""
        retriever = self.config.retriever
        ids = self.ranking.ids[query, : retriever.top_k]
        scores = self.ranking.scores[query, : retriever.top_k]
        keep = ids >= 0
        if retriever.min_score is not None:
            keep &= scores >= retriever.min_score
        found = zip(ids[keep].tolist(), scores[keep].tolist(), strict=True)
        return tuple(self._hit(chunk, score) for chunk, score in found)

    def respond(self, queries: Sequence[int]) -> list[Response]:
        """Retrieve for these queries (row numbers), and answer them if there is a generator."""
        hits = [self.hits(query) for query in queries]
        generator = self.config.generator
        if generator is None:
            return [Response(found) for found in hits]
        texts = [self.library.queries[query] for query in queries]
        contexts = [[hit.text for hit in found] for found in hits]
        answers = generator.answers(self.library, texts, contexts)
        return [Response(h, a) for h, a in zip(hits, answers, strict=True)]

    def chunks_touching(self, spans: Sequence[Span]) -> tuple[Hit, ...]:
        """Find every chunk of the corpus that overlaps any of these original spans."""
        starts, ends = self.library.ingestion.origins
        docs = self.library.ingestion.chunks.doc
        touching = np.zeros(len(docs), dtype=bool)
        for span in spans:
            touching |= (docs == span.doc) & (starts < span.end) & (ends > span.start)
        return tuple(self._hit(chunk, 1.0) for chunk in np.flatnonzero(touching).tolist())

    def _hit(self, chunk: int, score: float) -> Hit:
        ingestion = self.library.ingestion
        starts, ends = ingestion.origins
        doc = int(ingestion.chunks.doc[chunk])
        return Hit(doc, int(starts[chunk]), int(ends[chunk]), score, ingestion.text(chunk))
