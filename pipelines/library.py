"""Rankings of one pipeline for one set of queries, each computed once.

Knows queries and rankings; documents, chunks and their vectors are the ingestion's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from pipelines.cache import Cache
from pipelines.ingestion import Arrays, Ingestion
from pipelines.llm.batch import Dialogue
from pipelines.llm.client import client_of
from pipelines.matching import Sentences, rank_by_sentences
from pipelines.roles import CorpusEmbedder, Retriever
from pipelines.types import Ranking, Vectors
from raytuner.component import digest

_Result = TypeVar("_Result")


class CachedLibrary:
    """What retrievers, rerankers and generators ask for, served from the cache.

    Args:
        ingestion: the chunks of the pipeline.
        queries: query texts, in the order of every ranking's rows.
        cache: where rankings are kept.
    """

    def __init__(self, ingestion: Ingestion, queries: Sequence[str], *, cache: Cache) -> None:
        self.ingestion = ingestion
        self.config = ingestion.config
        self.queries = tuple(queries)
        self._cache = cache
        self._meter = ingestion.meter

    def over(self, queries: Sequence[str]) -> CachedLibrary:
        """Give the same library for other queries."""
        return CachedLibrary(self.ingestion, queries, cache=self._cache)

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
        return digest("hits", chunks, self.queries_key, retriever.ranking_identity(), dense, depth)

    def reranked_key(self, depth: int) -> str:
        """Identity of the pipeline's hits before the final cut."""
        ranked = self.ranking_key(self.config.retriever, depth)
        reranker = self.config.reranker
        if reranker is None:
            return ranked
        dense = self.ingestion.vectors_key if reranker.needs_vectors() else None
        return digest("reranked", ranked, reranker, dense)

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
        return self.ingestion.per_chunk(self._matched[0])

    def query_vectors(self) -> Vectors:
        """Give one vector per query."""
        return self._matched[1]

    @cached_property
    def _matched(self) -> tuple[Vectors, Vectors]:
        """Vectors of the matched texts and of the queries."""
        if not isinstance(self.config.embedder, CorpusEmbedder):
            return self.ingestion.document_vectors, self._query_vectors()
        inputs = {"vectors": self.ingestion.vectors_key, "queries": self.queries_key}

        def fit() -> Arrays:
            texts, queries = self.ingestion.fit(self.queries)
            return {"texts": texts, "queries": queries}

        arrays = self._arrays("fitted vectors", digest("fitted", *inputs.values()), inputs, fit)
        return np.asarray(arrays["texts"]), np.asarray(arrays["queries"])

    def _query_vectors(self) -> Vectors:
        """Vectors of the queries, by an embedder that is not fitted on the documents."""
        inputs = {"queries": self.queries_key, "model": self.config.embedder.fingerprint()}

        def build() -> Arrays:
            return {"vectors": self.ingestion.embed(self.queries, query=True).vectors}

        key = digest("query vectors", *inputs.values())
        return np.asarray(self._arrays("query vectors", key, inputs, build)["vectors"])

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
        return self._ranking("hits", key, inputs, lambda: retriever.rank(self, depth))

    def reranked(self, depth: int) -> Ranking:
        """Rank with the configured retriever, then reorder with the reranker if there is one."""
        retriever, reranker = self.config.retriever, self.config.reranker
        ranking = self.rank(retriever, depth)
        if reranker is None:
            return ranking
        key = self.reranked_key(depth)
        hits = self.ranking_key(retriever, depth)
        inputs = {"hits": hits, "reranker": reranker.model_dump(mode="json")}
        return self._ranking("reranked hits", key, inputs, lambda: reranker.rerank(self, ranking))

    def _search(self, depth: int) -> Ranking:
        matched, queries = self._matched
        match = self.config.match
        if isinstance(match, Sentences):
            return rank_by_sentences(match, queries, matched, self.ingestion.members, depth)
        return self.ingestion.index(matched).search(queries, depth)

    def _ranking(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Ranking]
    ) -> Ranking:
        def arrays() -> Arrays:
            with self._meter.stage("search"):
                ranking = build()
            return {"ids": ranking.ids, "scores": ranking.scores}

        stored = self._arrays(stage, key, inputs, arrays)
        return Ranking(np.asarray(stored["ids"]), np.asarray(stored["scores"]))

    def _arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Arrays]
    ) -> Arrays:
        return self._cache.arrays(stage, key, inputs, build, meter=self._meter)
