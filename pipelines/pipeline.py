"""Retrieves and answers: from a configuration and a corpus to responses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pipelines.library import CachedLibrary
from pipelines.measuring import typical
from pipelines.searching import Found, search
from pipelines.types import Answer, Hit, Response, Span
from raytuner.objective import Cost, Failure, ObjectiveFailure

SHALLOWEST = 64
"""Rankings are at least this deep, so that every usual `top_k` is a prefix of one artifact."""


def depth_for(wanted: int) -> int:
    """Round a depth up to a power of two, at least 64: few depths serve every `top_k`.

    The depth depends on the trial alone, never on the space it came from: a widened grid gives
    equal scores for equal parameters even where the index is approximate.
    """
    return max(SHALLOWEST, 1 << (wanted - 1).bit_length())


class Answered(NamedTuple):
    """What became of one query.

    Attributes:
        number: its place among those that were asked about.
        response: hits and answer; without hits or answer after a failure.
        usage: what the language models that it asked cost at list price.
        failure: why there is no response, or None.
        answer: what the generator said, if there is one.
        seconds: a user would have waited, or None where that is not known. A generator that asks
            no language model is not timed.
    """

    number: int
    response: Response
    usage: Cost = Cost()
    failure: Failure | None = None
    answer: Answer | None = None
    seconds: float | None = None


class Pipeline:
    """A configured pipeline over the queries of its library."""

    def __init__(self, library: CachedLibrary) -> None:
        self.library = library
        self.config = library.config
        self._timed = False

    @cached_property
    def found(self) -> Found:
        """The ranked chunks of every query after reranking, before the final cut."""
        retriever, reranker = self.config.retriever, self.config.reranker
        wanted = retriever.top_k if reranker is None else reranker.candidates
        return search(self.library, depth_for(wanted))

    def hits(self, query: int) -> tuple[Hit, ...]:
        """Cut one query's ranking to what is handed on."""
        retriever, ranking = self.config.retriever, self.found.ranking
        ids = ranking.ids[query, : retriever.top_k]
        scores = ranking.scores[query, : retriever.top_k]
        keep = ids >= 0
        if retriever.min_score is not None:
            keep &= scores >= retriever.min_score
        found = zip(ids[keep].tolist(), scores[keep].tolist(), strict=True)
        return tuple(self._hit(chunk, score) for chunk, score in found)

    def respond(self, queries: Sequence[int]) -> list[Response]:
        """Retrieve for these queries (row numbers), and answer them if there is a generator.

        Raises:
            ObjectiveFailure: a language model could not be asked about one of them.
        """
        answered = [one for part in self.stream(queries) for one in part]
        for one in answered:
            if one.failure is not None:
                raise ObjectiveFailure(
                    one.failure.kind, one.failure.message, retryable=one.failure.retryable
                )
        return [one.response for one in sorted(answered, key=lambda one: one.number)]

    def stream(self, queries: Sequence[int]) -> Iterator[list[Answered]]:
        """Do `respond`, giving what has become of queries as soon as it is known."""
        lost = [number for number, query in enumerate(queries) if query in self.found.failures]
        if lost:
            yield [self._lost(number, queries[number]) for number in lost]
        kept = [number for number, query in enumerate(queries) if query not in self.found.failures]
        hits = {number: self.hits(queries[number]) for number in kept}
        self._timed = self._any_timed([queries[number] for number in kept])
        usage = {number: self.found.usage.get(queries[number], Cost()) for number in kept}
        generator = self.config.generator
        if generator is None:
            yield [
                Answered(
                    number,
                    Response(hits[number]),
                    usage[number],
                    seconds=self._seconds(queries[number], None),
                )
                for number in kept
            ]
            return
        texts = [self.library.queries[queries[number]] for number in kept]
        contexts = [[hit.text for hit in hits[number]] for number in kept]
        for part in generator.stream(self.library, texts, contexts):
            yield [
                Answered(
                    kept[place],
                    Response(hits[kept[place]], answer.text, answer.label),
                    usage[kept[place]].plus(answer.usage),
                    answer.failure,
                    answer,
                    self._seconds(queries[kept[place]], answer),
                )
                for place, answer in part
            ]

    def _seconds(self, query: int, answer: Answer | None) -> float | None:
        """Add up what one query takes: searching, and models that search and answer."""
        generator = self.config.generator
        answering = 0.0
        if answer is not None and generator is not None and generator.paid:
            if answer.seconds is None:
                return None
            answering = answer.seconds
        local = float(self.found.local[query]) if self._timed else self._local
        seconds = local + self.found.asked.get(query, 0.0) + answering
        return None if math.isnan(seconds) else seconds

    def _any_timed(self, queries: Sequence[int]) -> bool:
        """Tell whether times of single queries are to be had; else all get the median."""
        if self.config.paid:
            return False
        return not bool(np.isnan(self.found.local[list(queries)]).all())

    @cached_property
    def _local(self) -> float:
        """What searching takes besides models: the median, as it is little beside them."""
        return typical(self.found.local)

    def _lost(self, number: int, query: int) -> Answered:
        usage = self.found.usage.get(query, Cost())
        return Answered(number, Response(()), usage, self.found.failures[query])

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
