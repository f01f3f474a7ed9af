"""Rankings of one pipeline for one set of queries, each computed once.

Knows queries and rankings; documents, chunks and their vectors are the ingestion's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from pipelines.cache import Cache
from pipelines.embedders.paid import bought
from pipelines.ingestion import Arrays, Ingestion
from pipelines.llm.batch import Dialogue
from pipelines.llm.client import client_of
from pipelines.matching import Sentences, rank_by_sentences
from pipelines.measuring import Unpaid, one_at_a_time
from pipelines.ranking import FloatArray
from pipelines.roles import CorpusEmbedder, Reranker, Retriever
from pipelines.types import Ranking, Vectors
from raytuner.component import digest
from raytuner.objective import Tally

_Result = TypeVar("_Result")


class CachedLibrary:
    """What retrievers, rerankers and generators ask for, served from the cache.

    Args:
        ingestion: the chunks of the pipeline.
        queries: query texts, in the order of every ranking's rows.
        cache: where rankings are kept.
        timed: whether some queries are also run one at a time where a ranking is made, so that
            `seconds` can tell how long they take.
    """

    def __init__(
        self, ingestion: Ingestion, queries: Sequence[str], *, cache: Cache, timed: bool = False
    ) -> None:
        self.ingestion = ingestion
        self.config = ingestion.config
        self.queries = tuple(queries)
        self._cache = cache
        self._meter = ingestion.meter
        self._timed = timed
        self._measured: dict[str, FloatArray] = {}

    def over(self, queries: Sequence[str]) -> CachedLibrary:
        """Give the same library for other queries."""
        return CachedLibrary(self.ingestion, queries, cache=self._cache, timed=self._timed)

    # ---- keys: each covers the keys of what it is made from

    @cached_property
    def queries_key(self) -> str:
        """Identity of the queries and their order."""
        return digest("queries", self.queries)

    @cached_property
    def _searched_key(self) -> str:
        """Identity of what the dense ranking searches, and how."""
        return digest("searched", self.ingestion.vectors_key, self.config.searched_store())

    def ranking_key(self, retriever: Retriever, depth: int) -> str:
        """Identity of one retriever's hits."""
        dense = self._searched_key if retriever.needs_vectors() else None
        chunks = self.ingestion.chunks_key
        ranked = retriever.ranking_identity()
        return digest("timed hits", chunks, self.queries_key, ranked, dense, depth)

    def reranked_key(self, depth: int) -> str:
        """Identity of the pipeline's hits before the final cut."""
        ranked = self.ranking_key(self.config.retriever, depth)
        reranker = self.config.reranker
        if reranker is None:
            return ranked
        dense = self.ingestion.vectors_key if reranker.needs_vectors() else None
        return digest("timed reranked", ranked, reranker, dense)

    # ---- what stages ask for

    @property
    def texts(self) -> tuple[str, ...]:
        """The matched text of every chunk."""
        return self.ingestion.texts

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed any texts with the pipeline's embedder."""
        if isinstance(self.config.embedder, CorpusEmbedder):
            return self.ingestion.fit(texts)[1]
        return self.ingestion.embed(texts, query=query).vectors

    def vectors(self) -> Vectors:
        """Give one vector per chunk."""
        return self._chunk_vectors

    @cached_property
    def _chunk_vectors(self) -> Vectors:
        return self.ingestion.per_chunk(self._matched[0])

    def matched_vectors(self) -> Vectors:
        """Give one vector per text that queries are compared with."""
        return self._matched[0]

    def query_vectors(self) -> Vectors:
        """Give one vector per query."""
        return self._matched[1]

    @cached_property
    def _matched(self) -> tuple[Vectors, Vectors]:
        """Vectors of the matched texts and of the queries."""
        if not isinstance(self.config.embedder, CorpusEmbedder):
            vectors = np.asarray(self._query_arrays["vectors"])
            return self.ingestion.document_vectors, vectors
        inputs = {"vectors": self.ingestion.vectors_key, "queries": self.queries_key}

        def fit() -> Arrays:
            texts, queries = self.ingestion.fit(self.queries)
            return {"texts": texts, "queries": queries}

        arrays = self._arrays("fitted vectors", digest("fitted", *inputs.values()), inputs, fit)
        return np.asarray(arrays["texts"]), np.asarray(arrays["queries"])

    @cached_property
    def _query_arrays(self) -> Arrays:
        """Vectors of the queries, by an embedder that is not fitted on the documents."""
        inputs = {"queries": self.queries_key, "model": self.config.embedder.fingerprint()}

        def build() -> Arrays:
            vectors = self.ingestion.embed(self.queries, query=True).vectors
            return {"vectors": vectors, "seconds": self._time_embedding()}

        key = digest("timed query vectors", *inputs.values())
        return self._arrays("query vectors", key, inputs, build)

    def gather(
        self, dialogues: Sequence[Dialogue[_Result]], stage: str
    ) -> Iterator[list[tuple[int, _Result]]]:
        """Lead dialogues with language models; see `pipelines.llm.client.Client.gather`."""
        return client_of(self._cache.responses).gather(dialogues, self._meter, stage)

    # ---- rankings

    def dense(self, depth: int) -> Ranking:
        """Rank chunks by vector similarity."""
        key = digest("dense", self._searched_key, self.queries_key, depth)
        vectors = self.ingestion.vectors_key
        inputs = {"vectors": vectors, "queries": self.queries_key, "depth": depth}
        return self._ranking("dense hits", key, inputs, lambda: self._search(depth))

    def rank(self, retriever: Retriever, depth: int) -> Ranking:
        """Run a retriever."""
        key = self.ranking_key(retriever, depth)
        inputs = {
            "chunks": self.ingestion.chunks_key,
            "queries": self.queries_key,
            "retriever": retriever.model_dump(mode="json"),
            "depth": depth,
        }
        embedded = retriever.needs_vectors()

        def seconds() -> FloatArray:
            return self._time(lambda one, _: retriever.rank(one, depth), embedded=embedded)

        return self._ranking("hits", key, inputs, lambda: retriever.rank(self, depth), seconds)

    def reranked(self, depth: int) -> Ranking:
        """Rank with the configured retriever, then reorder with the reranker if there is one."""
        retriever, reranker = self.config.retriever, self.config.reranker
        ranking = self.rank(retriever, depth)
        if reranker is None:
            return ranking
        key = self.reranked_key(depth)
        hits = self.ranking_key(retriever, depth)
        inputs = {"hits": hits, "reranker": reranker.model_dump(mode="json")}
        return self._ranking(
            "reranked hits",
            key,
            inputs,
            lambda: reranker.rerank(self, ranking),
            lambda: self.time_reranking(reranker, ranking),
        )

    def _search(self, depth: int) -> Ranking:
        matched, queries = self._matched
        match = self.config.match
        if isinstance(match, Sentences):
            return rank_by_sentences(match, queries, matched, self.ingestion.members, depth)
        return self.ingestion.index(matched).search(queries, depth)

    def _ranking(
        self,
        stage: str,
        key: str,
        inputs: Mapping[str, Any],
        build: Callable[[], Ranking],
        seconds: Callable[[], FloatArray] | None = None,
    ) -> Ranking:
        def arrays() -> Arrays:
            with self._meter.stage("search"):
                ranking = build()
            made = {"ids": ranking.ids, "scores": ranking.scores}
            return made if seconds is None else {**made, "seconds": seconds()}

        stored = self._arrays(stage, key, inputs, arrays)
        if "seconds" in stored:
            self._measured[key] = np.asarray(stored["seconds"])
        return Ranking(np.asarray(stored["ids"]), np.asarray(stored["scores"]))

    def _arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Arrays]
    ) -> Arrays:
        return self._cache.arrays(stage, key, inputs, build, meter=self._meter)

    # ---- how long one query takes

    def seconds(self, depth: int, *, reranked: bool = True) -> FloatArray:
        """Tell how long queries take one at a time, from text to ranking, on a warm machine.

        Leaves out what a server takes to embed a query.

        Args:
            depth: as it was ranked.
            reranked: count the configured reranker in, if there is one.

        Returns:
            float64 [queries]; NaN where it was not measured.
        """
        keys = [self.ranking_key(self.config.retriever, depth)]
        if reranked and self.config.reranker is not None:
            keys.append(self.reranked_key(depth))
        total = np.zeros(len(self.queries))
        for key in keys:
            total += self._measured.get(key, np.nan)
        return total

    def time_reranking(self, reranker: Reranker, ranking: Ranking) -> FloatArray:
        """Rerank a few queries one at a time; as `seconds`."""

        def rerank(one: CachedLibrary, row: int) -> Ranking:
            part = slice(row, row + 1)
            return reranker.rerank(one, Ranking(ranking.ids[part], ranking.scores[part]))

        embedded = reranker.needs_vectors() and not self.config.retriever.needs_vectors()
        return self._time(rerank, embedded=embedded)

    def _time(self, run: Callable[[CachedLibrary, int], Ranking], *, embedded: bool) -> FloatArray:
        """Run a few queries; `embedded`: what it takes to embed them comes to it."""
        if not self._timed:
            return np.full(len(self.queries), np.nan)
        with self._meter.stage("measure"):
            taken = one_at_a_time(
                len(self.queries), lambda row: run(_SingleQuery(self, row, self._cache), row)
            )
        fitted = isinstance(self.config.embedder, CorpusEmbedder)
        return taken + self._query_arrays["seconds"] if embedded and not fitted else taken

    def _time_embedding(self) -> FloatArray:
        """Embed a few queries; nothing that a server would have to do."""
        embedder = self.config.embedder
        if bought(embedder):
            return np.zeros(len(self.queries))
        if not self._timed:
            return np.full(len(self.queries), np.nan)

        def embed(row: int) -> object:
            return embedder.embed([self.queries[row]], query=True, meter=Unpaid())

        with self._meter.stage("measure"):
            return one_at_a_time(len(self.queries), embed)


class _SingleQuery(CachedLibrary):
    """One query of a library, searched anew: nothing comes from the cache or goes there."""

    def __init__(self, whole: CachedLibrary, row: int, cache: Cache) -> None:
        super().__init__(whole.ingestion, whole.queries[row : row + 1], cache=cache)
        self._meter = Tally()
        self._whole = whole
        self._row = row

    @cached_property
    def _matched(self) -> tuple[Vectors, Vectors]:
        queries = self._whole.query_vectors()[self._row : self._row + 1]
        return self._whole.matched_vectors(), queries

    @cached_property
    def _chunk_vectors(self) -> Vectors:
        return self._whole.vectors()

    def _arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Arrays]
    ) -> Arrays:
        del stage, key, inputs
        return build()
