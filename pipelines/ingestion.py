"""Documents to chunks to vectors: what pipelines over the same documents share, whatever is asked.

Every stage output is an immutable artifact whose key covers everything that went into it, so
that trials which share a stage share its work, within a run and across runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.matching import Membership, Sentences, SentenceTable, mean_vectors, membership
from pipelines.preprocess import compose
from pipelines.roles import CorpusEmbedder, Embedded, Embedder, Index, Preprocessor
from pipelines.sentences import sentence_spans
from pipelines.types import Chunks, Corpus, IntArray, Vectors
from raytuner.component import digest
from raytuner.objective import Meter

SENTENCES_VERSION = 1
"""Bumped when the same text would be cut into other sentences."""

Arrays = Mapping[str, np.ndarray]
_CHUNK_COLUMNS = ("doc", "start", "end", "match_start", "match_end")
_SENTENCE_COLUMNS = ("doc", "start", "end")


class Edition(NamedTuple):
    """The documents of a corpus as some preprocessing leaves them.

    Attributes:
        texts: one text per document.
        origins: where their characters came from, as in `Edited.origin`; None if nothing changed.
    """

    texts: tuple[str, ...]
    origins: tuple[IntArray, ...] | None


class Editions:
    """The preprocessed documents of a corpus, kept for the trials that follow.

    Args:
        corpus: the documents.
        kept: how many different preprocessings stay in memory, the latest ones.
    """

    def __init__(self, corpus: Corpus, kept: int = 2) -> None:
        self.corpus = corpus
        self._kept = kept
        self._made: dict[str, Edition] = {}
        self._lock = threading.Lock()

    def edition(self, steps: Sequence[Preprocessor], meter: Meter) -> Edition:
        """Give the documents after these steps."""
        if not steps:
            return Edition(tuple(document.text for document in self.corpus), None)
        key = digest(list(steps))
        with self._lock:
            made = self._made.pop(key, None) or self._make(steps, meter)
            self._made[key] = made
            for oldest in list(self._made)[: -self._kept]:
                del self._made[oldest]
        return made

    def _make(self, steps: Sequence[Preprocessor], meter: Meter) -> Edition:
        with meter.stage("preprocess"):
            edited = [compose(steps, document.text) for document in self.corpus]
        return Edition(tuple(e.text for e in edited), tuple(e.origin for e in edited))


class Ingestion:
    """The chunks of one pipeline and their vectors.

    Args:
        editions: the documents.
        config: the pipeline.
        cache: stage artifacts and vectors per text.
        meter: where work is counted.
    """

    def __init__(
        self, editions: Editions, config: RagConfig, *, cache: Cache, meter: Meter
    ) -> None:
        self.corpus = editions.corpus
        self.config = config
        self.meter = meter
        self._editions = editions
        self._cache = cache
        self._index: Index | None = None

    # ---- keys: each covers the keys of what it is made from

    @property
    def key(self) -> str:
        """Identity of all that has to be prepared: chunks, and vectors if any stage wants them."""
        return self.vectors_key if self.config.needs_vectors() else self.chunks_key

    @cached_property
    def text_key(self) -> str:
        """Identity of the preprocessed documents."""
        return digest("texts", self.corpus.key, self.config.preprocess)

    @cached_property
    def chunks_key(self) -> str:
        """Identity of the chunks."""
        return digest("chunks", self.text_key, self.config.chunker)

    @cached_property
    def vectors_key(self) -> str:
        """Identity of what queries are compared with."""
        model = self.config.embedder.fingerprint()
        return digest("vectors", self.chunks_key, self.config.match, model)

    # ---- documents and chunks

    @cached_property
    def edition(self) -> Edition:
        """The preprocessed documents."""
        return self._editions.edition(self.config.preprocess, self.meter)

    @cached_property
    def chunks(self) -> Chunks:
        """The chunks, in preprocessed offsets."""
        chunker = self.config.chunker
        inputs = {"texts": self.text_key, "chunker": chunker.model_dump(mode="json")}

        def embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
            return self.embed(texts, query=False, embedder=embedder).vectors

        split = partial(chunker.split_all, embed=embed)
        arrays = self._spans("chunks", self.chunks_key, inputs, split, _CHUNK_COLUMNS)
        return Chunks(*(np.asarray(arrays[name]) for name in _CHUNK_COLUMNS))

    @cached_property
    def sentences(self) -> SentenceTable:
        """The sentences of the preprocessed documents."""
        key = digest("sentences", self.text_key, SENTENCES_VERSION)
        inputs = {"texts": self.text_key}
        split = partial(map, sentence_spans)
        arrays = self._spans("sentences", key, inputs, split, _SENTENCE_COLUMNS)
        return SentenceTable(*(np.asarray(arrays[name]) for name in _SENTENCE_COLUMNS))

    def _spans(
        self,
        stage: str,
        key: str,
        inputs: Mapping[str, Any],
        cut: Callable[[Sequence[str]], Iterable[Sequence[tuple[int, ...]]]],
        columns: Sequence[str],
    ) -> Arrays:
        """Cut every document; one column of document numbers, then those that `cut` gives."""

        def build() -> Arrays:
            texts = self.edition.texts
            with self.meter.stage("chunk"):
                rows = [(doc, *span) for doc, spans in enumerate(cut(texts)) for span in spans]
            table = np.array(rows, dtype=np.int64).reshape(len(rows), len(columns))
            return dict(zip(columns, table.T, strict=True))

        return self.arrays(stage, key, inputs, build)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The matched text of every chunk."""
        c = self.chunks
        return self._slices(c.doc, c.match_start, c.match_end)

    @cached_property
    def matched_texts(self) -> tuple[str, ...]:
        """What is embedded: the chunks, or the sentences they are made of."""
        if isinstance(self.config.match, Sentences):
            return self._slices(*self.sentences)
        return self.texts

    def _slices(self, docs: IntArray, starts: IntArray, ends: IntArray) -> tuple[str, ...]:
        texts = self.edition.texts
        rows = zip(docs.tolist(), starts.tolist(), ends.tolist(), strict=True)
        return tuple(texts[doc][start:end] for doc, start, end in rows)

    def text(self, chunk: int) -> str:
        """Give what a reader of this chunk sees."""
        c = self.chunks
        return self.edition.texts[int(c.doc[chunk])][int(c.start[chunk]) : int(c.end[chunk])]

    @cached_property
    def origins(self) -> tuple[IntArray, IntArray]:
        """Start and end of every chunk in the original documents; shape [chunks] each."""
        c = self.chunks
        if self.edition.origins is None:
            return c.start, c.end
        starts, ends = c.start.copy(), c.end.copy()
        for number, origin in enumerate(self.edition.origins):
            mine = np.flatnonzero(c.doc == number)
            starts[mine] = origin[c.start[mine]]
            ends[mine] = origin[c.end[mine] - 1] + 1
        return starts, ends

    @cached_property
    def members(self) -> Membership:
        """The sentences of every chunk."""
        return membership(self.chunks, self.sentences)

    # ---- vectors

    def embed(
        self, texts: Sequence[str], *, query: bool, embedder: Embedder | None = None
    ) -> Embedded:
        """Embed texts; those the model has seen before come from the cache.

        Args:
            texts: any texts.
            query: whether they are queries.
            embedder: the model; None: the pipeline's.
        """
        model = embedder or self.config.embedder
        with self.meter.stage("vectors"):
            return self._cache.vectors.embed_texts(model, texts, query=query, meter=self.meter)

    def fit(self, queries: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Fit a corpus embedder on what is matched; give vectors of that and of `queries`."""
        embedder = self.config.embedder
        assert isinstance(embedder, CorpusEmbedder)  # narrows the type
        with self.meter.stage("embed"):
            return embedder.fit_embed(self.matched_texts, queries)

    @cached_property
    def document_vectors(self) -> Vectors:
        """Vectors of the matched texts, by an embedder that is not fitted on them."""
        return np.asarray(self._embedded["vectors"])

    @cached_property
    def _embedded(self) -> Arrays:
        """Vectors of the matched texts, and how many tokens of each the model did not see."""
        sentences = isinstance(self.config.match, Sentences)
        parts = [self.text_key, SENTENCES_VERSION] if sentences else [self.chunks_key]
        model = self.config.embedder.fingerprint()

        def build() -> Arrays:
            embedded = self.embed(self.matched_texts, query=False)
            return {"vectors": embedded.vectors, "cut": embedded.cut}

        key = digest("document vectors", *parts, model)
        return self.arrays("document vectors", key, {"of": parts, "model": model}, build)

    def per_chunk(self, matched: Vectors) -> Vectors:
        """Give one vector per chunk, from the vectors of the matched texts."""
        if isinstance(self.config.match, Sentences):
            return mean_vectors(matched, self.members)
        return matched

    def index(self, matched: Vectors) -> Index:
        """Open the store's index of the vectors of the matched texts."""
        if self._index is None:
            stores = self._cache.place("stores")
            self._index = self.config.store.index(self.vectors_key, matched, stores)
        return self._index

    def unseen_tokens(self) -> tuple[int, int]:
        """Count texts longer than the model reads, and the tokens it never saw of them."""
        if not self.config.needs_vectors() or isinstance(self.config.embedder, CorpusEmbedder):
            return 0, 0
        cut = self._embedded["cut"]
        return int((cut > 0).sum()), int(cut.sum())

    def arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Arrays]
    ) -> Arrays:
        """Give an artifact, from the cache if it is there."""
        return self._cache.arrays(stage, key, inputs, build, meter=self.meter)
