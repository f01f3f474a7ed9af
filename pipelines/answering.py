"""A configured pipeline in use: it takes any question, one or many at a time.

What documents become is loaded once and held. Of questions nothing is kept but what was paid for:
answers of language models, and vectors of paid embedders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.embedders.paid import bought
from pipelines.generators import Extractive
from pipelines.holding import HoldingLibrary
from pipelines.ingestion import Ingestion
from pipelines.library import CachedLibrary
from pipelines.paying import services_asked
from pipelines.pipeline import Answered, Pipeline
from pipelines.roles import CorpusEmbedder, EmbedTexts
from pipelines.standalone import module_files
from pipelines.types import Hit, Vectors
from raytuner.answering import Answerer, Part, Query, Served
from raytuner.component import ConfigError
from raytuner.objective import Failure, Tally
from raytuner.ports.explanation import Passage


class Opened:
    """What a pipeline has made of its documents, held in memory for any number of questions.

    Args:
        ingestion: chunks and vectors; what a study has left in the cache is not made again.
        cache: where what is paid for is kept.
    """

    def __init__(self, ingestion: Ingestion, cache: Cache) -> None:
        self.ingestion = ingestion
        self.cache = cache

    def library(self, questions: Sequence[str]) -> CachedLibrary:
        """Give what stages ask for, for questions that come from anywhere."""
        return _OpenLibrary(self, questions)

    @cached_property
    def _fitted(self) -> tuple[Vectors, EmbedTexts]:
        """Vectors of the matched texts and what embeds other texts, by a fitted embedder."""
        embedder = self.ingestion.config.embedder
        assert isinstance(embedder, CorpusEmbedder)  # narrows the type
        return embedder.fit(self.ingestion.matched_texts)

    @cached_property
    def matched(self) -> Vectors:
        """Vectors of the matched texts."""
        if isinstance(self.ingestion.config.embedder, CorpusEmbedder):
            return self._fitted[0]
        return self.ingestion.document_vectors

    @cached_property
    def chunk_vectors(self) -> Vectors:
        """One vector per chunk."""
        return self.ingestion.per_chunk(self.matched)

    def embed(self, texts: Sequence[str], *, query: bool) -> Vectors:
        """Embed texts; vectors of queries are kept only where they cost money."""
        embedder = self.ingestion.config.embedder
        if isinstance(embedder, CorpusEmbedder):
            return self._fitted[1](texts)
        if query and texts and not bought(embedder):
            return embedder.embed(texts, query=True, meter=Tally()).vectors
        return self.ingestion.embed(texts, query=query).vectors


class _OpenLibrary(HoldingLibrary):
    """Stages for some questions; what they give is held as long as the questions are."""

    def __init__(self, opened: Opened, questions: Sequence[str]) -> None:
        super().__init__(opened.ingestion, questions, cache=opened.cache, meter=Tally())
        self._opened = opened

    def over(self, queries: Sequence[str]) -> CachedLibrary:
        return _OpenLibrary(self._opened, queries)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        if query and tuple(texts) == self.queries:  # a generator compares what was searched for
            return self.query_vectors()
        return self._opened.embed(texts, query=query)

    @cached_property
    def _matched(self) -> tuple[Vectors, Vectors]:
        return self._opened.matched, self._opened.embed(self.queries, query=True)

    @cached_property
    def _chunk_vectors(self) -> Vectors:
        return self._opened.chunk_vectors


class RagAnswerer(Answerer):
    """Answers questions with a pipeline; one without a generator answers with sentences it found.

    Args:
        ingestion: opens the documents; its configuration's models are resolved.
        cache: where what is paid for is kept.
        chosen: the configuration as it was chosen, perhaps without a generator.
    """

    def __init__(self, ingestion: Ingestion, cache: Cache, chosen: RagConfig) -> None:
        self._opened = Opened(ingestion, cache)
        self._chosen = chosen
        self._documents = ingestion.corpus.documents

    @property
    def config(self) -> RagConfig:
        """The pipeline."""
        return self._opened.ingestion.config

    def about(self) -> Mapping[str, Any]:
        """Give the pipeline's stages."""
        return self.config.plain()

    def module(self) -> Mapping[str, bytes]:
        """Write the chosen pipeline as a module over LlamaIndex; see `pipelines.standalone`."""
        return module_files(self._chosen)

    def prepare(self) -> None:
        """Load documents, vectors, index and models of this machine; asks no paid service.

        Vectors of documents by a paid embedder are bought where they are not in the cache. A key
        that is missing is told now, not to whoever asks first.
        """
        for service in services_asked(self.config, ()):
            service.check()
        ingestion = self._opened.ingestion
        if self.config.needs_vectors():
            index = ingestion.index(self._opened.matched)
            if bought(self.config.embedder):
                width = self._opened.matched.shape[1]
                index.search(np.zeros((1, width), np.float32), 1)
                return
        library = self._opened.library(["ready"])
        if not self.config.paid:
            Pipeline(library).respond([0])
        elif self.config.searches_paid:
            library.rank(self.config.retriever, 1)
        else:
            _ = Pipeline(library).found

    def check(self, query: Query) -> None:
        """Want a question, and nothing but it."""
        if query.fields is not None:
            raise ConfigError("fields: this pipeline takes a question, no fields", ("fields",))
        if not query.question.strip():
            raise ConfigError("question: it is empty", ("question",))

    def answers(self, queries: Sequence[Query]) -> Iterator[Part]:
        """Search for all questions at once, then answer them."""
        pipeline = Pipeline(self._opened.library([query.question for query in queries]))
        _ = pipeline.found  # the search
        if self.config.generator is not None and self.config.generator.paid:
            yield ()
        for part in pipeline.stream(range(len(queries))):
            yield [(one.number, self._served(one)) for one in part]

    def _served(self, one: Answered) -> Served | Failure:
        if one.failure is not None:
            return one.failure
        response = one.response
        passages = tuple(self._passage(hit) for hit in response.hits)
        return Served(response.answer or "", passages, one.usage, response.label)

    def _passage(self, hit: Hit) -> Passage:
        name = self._documents[hit.doc].name
        shown = Passage(document=name, start=hit.start, end=hit.end, text=hit.text)
        if np.isfinite(hit.score):
            shown["score"] = float(hit.score)
        return shown


def with_answers(config: RagConfig) -> RagConfig:
    """Let a pipeline without a generator answer with the sentence that is most like the question.

    Where the pipeline compares no vectors, sentences are compared by their words.
    """
    if config.generator is not None:
        return config
    scorer = "both" if config.needs_vectors() else "lexical"
    return config.model_copy(update={"generator": Extractive(scorer=scorer)})
