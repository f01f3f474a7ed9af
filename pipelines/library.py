"""The stages of one pipeline over one corpus and one set of queries, each computed once.

Every stage output is an immutable artifact whose key covers everything that went into it, so
that trials which share a stage share its work, within a run and across runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.cache import Cache, VectorCache
from pipelines.config import RagConfig
from pipelines.matching import (
    Membership,
    Sentences,
    SentenceTable,
    mean_vectors,
    membership,
    rank_by_sentences,
)
from pipelines.preprocess import compose
from pipelines.roles import CorpusEmbedder, Edited, Embedded, Retriever
from pipelines.sentences import sentence_spans
from pipelines.types import Chunks, Corpus, IntArray, Ranking, Vectors
from raytuner.component import digest
from raytuner.objective import Meter

SENTENCES_VERSION = 1
"""Bumped when the same text would be cut into other sentences."""


class CachedLibrary:
    """What retrievers and rerankers ask for, served from the cache.

    Args:
        corpus: the documents.
        config: the pipeline.
        queries: query texts, in the order of every ranking's rows.
        cache: stage artifacts.
        vectors: vectors per text.
        stores: folder for the indexes of vector stores.
        meter: where work is counted.
    """

    def __init__(
        self,
        corpus: Corpus,
        config: RagConfig,
        queries: Sequence[str],
        *,
        cache: Cache,
        vectors: VectorCache,
        stores: Path,
        meter: Meter,
    ) -> None:
        self.corpus = corpus
        self.config = config
        self.queries = tuple(queries)
        self._cache = cache
        self._vector_cache = vectors
        self._stores = stores
        self._meter = meter

    # ---- keys: each covers the keys of what it is made from

    @cached_property
    def text_key(self) -> str:
        """Identity of the preprocessed documents."""
        return digest("texts", self.corpus.key, self.config.preprocess)

    @cached_property
    def chunks_key(self) -> str:
        """Identity of the chunks."""
        return digest("chunks", self.text_key, self.config.chunker)

    @cached_property
    def queries_key(self) -> str:
        """Identity of the queries and their order."""
        return digest("queries", self.queries)

    @cached_property
    def vectors_key(self) -> str:
        """Identity of what the dense index holds."""
        model = self.config.embedder.fingerprint()
        return digest("vectors", self.chunks_key, self.config.match, model)

    def ranking_key(self, retriever: Retriever, depth: int) -> str:
        """Identity of one retriever's hits."""
        dense = [self.vectors_key, self.config.store] if retriever.needs_vectors() else None
        parts = [self.chunks_key, self.queries_key, retriever.ranking_identity(), dense, depth]
        return digest("hits", *parts)

    # ---- documents and chunks

    @cached_property
    def edited(self) -> tuple[Edited, ...]:
        """The preprocessed documents with their origins."""
        return tuple(compose(self.config.preprocess, d.text) for d in self.corpus)

    @cached_property
    def chunks(self) -> Chunks:
        """The chunks, in preprocessed offsets."""
        inputs = {"texts": self.text_key, "chunker": self.config.chunker.model_dump(mode="json")}
        arrays = self._arrays("chunks", self.chunks_key, inputs, self._split)
        names = ("doc", "start", "end", "match_start", "match_end")
        return Chunks(*(np.asarray(arrays[name]) for name in names))

    def _split(self) -> Mapping[str, np.ndarray]:
        with self._meter.stage("chunk"):
            rows = [
                (number, *span)
                for number, document in enumerate(self.edited)
                for span in self.config.chunker.split(document.text)
            ]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 5)
        return dict(zip(("doc", "start", "end", "match_start", "match_end"), table.T, strict=True))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The matched text of every chunk."""
        c = self.chunks
        rows = zip(c.doc.tolist(), c.match_start.tolist(), c.match_end.tolist(), strict=True)
        return tuple(self.edited[doc].text[start:end] for doc, start, end in rows)

    def text(self, chunk: int) -> str:
        """Give what a reader of this hit sees."""
        c = self.chunks
        return self.edited[int(c.doc[chunk])].text[int(c.start[chunk]) : int(c.end[chunk])]

    @cached_property
    def origins(self) -> tuple[IntArray, IntArray]:
        """Start and end of every chunk in the original documents; shape [chunks] each."""
        c = self.chunks
        if not self.config.preprocess:
            return c.start, c.end
        starts, ends = c.start.copy(), c.end.copy()
        for number, document in enumerate(self.edited):
            mine = np.flatnonzero(c.doc == number)
            starts[mine] = document.origin[c.start[mine]]
            ends[mine] = document.origin[c.end[mine] - 1] + 1
        return starts, ends

    # ---- vectors

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed any texts with the pipeline's embedder."""
        embedder = self.config.embedder
        if isinstance(embedder, CorpusEmbedder):
            return embedder.fit_embed(self.texts, texts)[1]
        return self._embed(texts, query=query).vectors

    def _embed(self, texts: Sequence[str], *, query: bool) -> Embedded:
        with self._meter.stage("vectors"):
            return self._vector_cache.embed_texts(
                self.config.embedder, texts, query=query, meter=self._meter
            )

    @cached_property
    def sentences(self) -> SentenceTable:
        """The sentences of the preprocessed documents."""
        key = digest("sentences", self.text_key, SENTENCES_VERSION)
        arrays = self._arrays("sentences", key, {"texts": self.text_key}, self._segment)
        return SentenceTable(*(np.asarray(arrays[name]) for name in ("doc", "start", "end")))

    def _segment(self) -> Mapping[str, np.ndarray]:
        with self._meter.stage("chunk"):
            rows = [
                (number, *span)
                for number, document in enumerate(self.edited)
                for span in sentence_spans(document.text)
            ]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
        return dict(zip(("doc", "start", "end"), table.T, strict=True))

    @cached_property
    def members(self) -> Membership:
        """The sentences of every chunk."""
        return membership(self.chunks, self.sentences)

    @cached_property
    def matched_texts(self) -> tuple[str, ...]:
        """What is embedded: the chunks, or the sentences they are made of."""
        if not isinstance(self.config.match, Sentences):
            return self.texts
        s = self.sentences
        rows = zip(s.doc.tolist(), s.start.tolist(), s.end.tolist(), strict=True)
        return tuple(self.edited[doc].text[start:end] for doc, start, end in rows)

    @cached_property
    def _matched(self) -> tuple[Vectors, Vectors]:
        """Vectors of the matched texts and of the queries."""
        embedder = self.config.embedder
        if isinstance(embedder, CorpusEmbedder):
            key = digest("fitted", self.vectors_key, self.queries_key)
            inputs = {"vectors": self.vectors_key, "queries": self.queries_key}
            arrays = self._arrays("fitted vectors", key, inputs, self._fit)
            return np.asarray(arrays["texts"]), np.asarray(arrays["queries"])
        queries = self._embed(self.queries, query=True).vectors
        return np.asarray(self._documents["vectors"]), queries

    @cached_property
    def _documents(self) -> Mapping[str, np.ndarray]:
        """Vectors of the matched texts, and how many tokens of each the model did not see."""
        sentences = isinstance(self.config.match, Sentences)
        parts = [self.text_key, SENTENCES_VERSION] if sentences else [self.chunks_key]
        model = self.config.embedder.fingerprint()
        key = digest("document vectors", *parts, model)
        inputs = {"of": parts, "model": model}
        return self._arrays("document vectors", key, inputs, self._embed_documents)

    def _embed_documents(self) -> Mapping[str, np.ndarray]:
        embedded = self._embed(self.matched_texts, query=False)
        return {"vectors": embedded.vectors, "cut": embedded.cut}

    def _fit(self) -> Mapping[str, np.ndarray]:
        embedder = self.config.embedder
        assert isinstance(embedder, CorpusEmbedder)  # narrows the type
        with self._meter.stage("vectors"):
            texts, queries = embedder.fit_embed(self.matched_texts, self.queries)
        return {"texts": texts, "queries": queries}

    def vectors(self) -> Vectors:
        """Give one vector per chunk."""
        if isinstance(self.config.match, Sentences):
            return mean_vectors(self._matched[0], self.members)
        return self._matched[0]

    def query_vectors(self) -> Vectors:
        """Give one vector per query."""
        return self._matched[1]

    # ---- rankings

    def dense(self, depth: int) -> Ranking:
        """Rank chunks by vector similarity."""
        parts = [self.vectors_key, self.queries_key, self.config.store, depth]
        inputs = {"vectors": self.vectors_key, "queries": self.queries_key, "depth": depth}
        return self._ranking("dense hits", digest("dense", *parts), inputs, self._search, depth)

    def rank(self, retriever: Retriever, depth: int) -> Ranking:
        """Run a retriever."""
        key = self.ranking_key(retriever, depth)
        inputs = {
            "chunks": self.chunks_key,
            "queries": self.queries_key,
            "retriever": retriever.model_dump(mode="json"),
            "depth": depth,
        }

        def build(depth: int) -> Ranking:
            return retriever.rank(self, depth)

        return self._ranking("hits", key, inputs, build, depth)

    def reranked(self, depth: int) -> Ranking:
        """Rank with the configured retriever, then reorder with the reranker if there is one."""
        retriever, reranker = self.config.retriever, self.config.reranker
        ranking = self.rank(retriever, depth)
        if reranker is None:
            return ranking
        ranked_key = self.ranking_key(retriever, depth)
        dense = self.vectors_key if reranker.needs_vectors() else None
        key = digest("reranked", ranked_key, reranker, dense)
        inputs = {"hits": ranked_key, "reranker": reranker.model_dump(mode="json")}

        def build(depth: int) -> Ranking:
            del depth
            return reranker.rerank(self, ranking)

        return self._ranking("reranked hits", key, inputs, build, depth)

    def _search(self, depth: int) -> Ranking:
        texts, queries = self._matched
        with self._meter.stage("search"):
            if isinstance(self.config.match, Sentences):
                return rank_by_sentences(self.config.match, queries, texts, self.members, depth)
            index = self.config.store.index(self.vectors_key, texts, self._stores)
            return index.search(queries, depth)

    def _ranking(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Any, depth: int
    ) -> Ranking:
        def arrays() -> Mapping[str, np.ndarray]:
            with self._meter.stage("search"):
                ranking = build(depth)
            return {"ids": ranking.ids, "scores": ranking.scores}

        stored = self._arrays(stage, key, inputs, arrays)
        return Ranking(np.asarray(stored["ids"]), np.asarray(stored["scores"]))

    def _arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Any
    ) -> Mapping[str, np.ndarray]:
        return self._cache.arrays(stage, key, inputs, build, meter=self._meter)

    # ---- what the user should be told

    def unseen_tokens(self) -> tuple[int, int]:
        """Count texts longer than the model reads, and the tokens it never saw of them."""
        if not self.config.needs_vectors() or isinstance(self.config.embedder, CorpusEmbedder):
            return 0, 0
        cut = self._documents["cut"]
        return int((cut > 0).sum()), int(cut.sum())
