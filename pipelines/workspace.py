"""What all trials of a study share in one process: documents, golden set, caches, token maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines import samples
from pipelines.cache import Cache, default_cache_dir
from pipelines.config import RagConfig
from pipelines.dataset import Dataset
from pipelines.documents import Source, read_documents, resolve_path
from pipelines.golden import GoldenSet, load_golden, order_units
from pipelines.ingestion import Editions, Ingestion
from pipelines.library import CachedLibrary
from pipelines.llm.batch import Dialogue
from pipelines.llm.client import client_of
from pipelines.measuring import index_facts
from pipelines.roles import Bench, CorpusEmbedder, Embedder
from pipelines.tokenizers import tokenizer
from pipelines.types import Corpus, IntArray, Question, Vectors
from raytuner.component import ConfigError, refuse_unknown
from raytuner.objective import Meter, Tally

_R = TypeVar("_R")

SAMPLE = "sample:"
"""Prefix of documents and golden sets that ship with the package."""


class Sources(BaseModel):
    """Where documents and golden questions come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    shapes: ClassVar[Mapping[str, tuple[Any, str]]] = {
        "golden": (str | Mapping, "the file or folder of questions")
    }
    """Of fields that people get wrong: what type they have, and what to give instead."""

    documents: str | tuple[str, ...] | None = Field(
        default=None,
        description="folder, file, glob, or a list of these; or sample:python-api",
    )
    reader: str | None = Field(
        default=None, description="a LlamaIndex reader by import path, module:Class"
    )
    golden: str | dict[str, str] = Field(
        description="golden questions: a file or folder in any known format, or "
        "{path, format, split}; or sample:python-api"
    )
    cache: str | None = Field(
        default=None,
        description="folder of the cache; default: RAYTUNER_CACHE or ~/.cache/raytuner",
    )

    @classmethod
    def read(cls, args: Mapping[str, Any], what: str) -> Self:
        """Validate a section that says this, and more.

        Args:
            args: the section without its `kind`.
            what: such an objective is called, with its article.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        refuse_unknown(args, cls.model_fields, f"{what} objective has no such field; it has")
        given = {"golden": None, **args}
        for name, (kind, wanted) in cls.shapes.items():
            if name in given and not isinstance(given[name], kind):
                raise ConfigError(f"{name}: give {wanted}, got {given[name]!r:.80}", (name,))
        try:
            return cls.model_validate(args)
        except ValidationError as error:
            raise ConfigError.of(error) from error

    def sources(self) -> Sources:
        """Give the part that says where the data is."""
        return Sources(**{name: getattr(self, name) for name in Sources.model_fields})


class Workspace:
    """Loaded data and open caches.

    Args:
        sources: where the data is.
        root: folder that relative paths start from.
        seed: seed of the question order.
        data: what another process has loaded from there; None loads it.

    Raises:
        ConfigError: documents or golden set are missing or wrong; names file and line.
    """

    def __init__(
        self, sources: Sources, root: Path, seed: int, data: Dataset | None = None
    ) -> None:
        self.root = root
        if data is None:
            _check_paths(sources, root)
            data = _load(sources, root)
        self.data = data
        self.corpus, self.golden, self.warnings = data
        self.editions = Editions(self.corpus)
        self.cache = open_cache(sources.cache, root)
        self.order = order_units(self.golden.questions, seed)
        self._tokens: dict[tuple[str, int], IntArray] = {}
        self._facts: dict[str, Mapping[str, float]] = {}

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Row of every question by id."""
        return {question.id: row for row, question in enumerate(self.golden.questions)}

    @cached_property
    def queries(self) -> tuple[str, ...]:
        """The question texts, by row."""
        return tuple(question.text for question in self.golden.questions)

    def ingestion(self, config: RagConfig, meter: Meter) -> Ingestion:
        """Open the chunks and vectors of one pipeline over this data."""
        return Ingestion(self.editions, config, cache=self.cache, meter=meter)

    def library(self, config: RagConfig, meter: Meter) -> CachedLibrary:
        """Open the stages of one pipeline over this data and its questions."""
        ingestion = self.ingestion(config, meter)
        return CachedLibrary(ingestion, self.queries, cache=self.cache, timed=True)

    def missing(self, embedder: Embedder, texts: Sequence[str]) -> int:
        """Count the texts and questions whose vectors are not in the cache."""
        vectors = self.cache.vectors
        missing = vectors.lookup_missing(embedder, texts, query=False)
        return missing + vectors.lookup_missing(embedder, self.queries, query=True)

    def facts(self, config: RagConfig) -> Mapping[str, float]:
        """Measure the index of a pipeline; once for all that share it."""
        library = self.library(config, Tally())
        key = library.ingestion.key
        if key not in self._facts:  # questions do not matter, and rewritten ones are not searched
            self._facts[key] = index_facts(library.over(()) if config.searches_paid else library)
        return self._facts[key]

    def bench(self, meter: Meter) -> Bench:
        """Give metrics what they need."""

        def embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
            if isinstance(embedder, CorpusEmbedder):
                return embedder.fit_embed(texts, ())[0]
            found = self.cache.vectors.embed_texts(embedder, texts, query=False, meter=meter)
            return found.vectors

        client = client_of(self.cache.responses)

        def converse(dialogues: Sequence[Dialogue[_R]], stage: str) -> Iterator[tuple[int, _R]]:
            return client.converse(dialogues, meter, stage)

        return Bench(self.corpus, self.token_starts, embed, converse)

    def token_starts(self, name: str, doc: int) -> IntArray:
        """Give the token starts of one original document, int64 [tokens]; computed once."""
        starts = self._tokens.get((name, doc))
        if starts is None:
            starts = tokenizer(name).starts(self.corpus.documents[doc].text)
            self._tokens[name, doc] = starts
        return starts

    def question(self, unit: str) -> Question:
        """Find a question by id."""
        return self.golden.questions[self.positions[unit]]


def open_cache(folder: str | Path | None, root: Path) -> Cache:
    """Open the cache that a study names, or the user's own.

    Raises:
        ConfigError: if it is a file, or a relative path leads out of `root`.
    """
    return Cache(resolve_path(folder, root) if folder else default_cache_dir())


def _check_paths(sources: Sources, root: Path) -> None:
    """Look whether documents and golden set are there, before anything is read.

    Raises:
        ConfigError: naming the field, for a path that leads out of `root` or to nothing.
    """
    documents = sources.documents or ()
    golden = sources.golden if isinstance(sources.golden, str) else sources.golden.get("path", "")
    listed = (documents,) if isinstance(documents, str) else documents
    named = [*(("documents", one) for one in listed), ("golden", golden)]
    named += [("cache", sources.cache)] if sources.cache else []
    for field, path in named:
        try:
            target = root if path.startswith(SAMPLE) else resolve_path(path, root)
        except ConfigError as error:
            raise ConfigError(f"objective.{field}: {error}", ("objective", field)) from None
        if field != "cache" and not set(path) & set("*?[") and not target.exists():
            raise ConfigError(
                f"objective.{field}: {path!r} not found: there is no {target}", ("objective", field)
            )


def _load(sources: Sources, root: Path) -> Dataset:
    corpus, warnings = _documents(sources, root)
    if isinstance(sources.golden, str) and sources.golden.startswith(SAMPLE):
        sample, questions = samples.load(sources.golden.removeprefix(SAMPLE))
        if corpus is not None and corpus.key != sample.key:
            raise ConfigError(
                f"golden: {sources.golden} belongs to `documents: {sources.golden}`", ("golden",)
            )
        return Dataset(sample, GoldenSet(questions, sources.golden), warnings)
    corpus, golden = load_golden(sources.golden, corpus, root)
    return Dataset(corpus, golden, (*warnings, *golden.warnings))


def _documents(sources: Sources, root: Path) -> tuple[Corpus | None, tuple[str, ...]]:
    if sources.documents is None:
        return None, ()
    return load_corpus(sources.documents, root, reader=sources.reader)


def load_corpus(
    documents: Source, root: Path, *, reader: str | None = None
) -> tuple[Corpus, tuple[str, ...]]:
    """Read what a study calls `documents`; also gives warnings, one sentence each.

    Raises:
        ConfigError: documents that are missing, empty or cannot be read.
    """
    if isinstance(documents, str) and documents.startswith(SAMPLE):
        return samples.load(documents.removeprefix(SAMPLE))[0], ()
    reading = read_documents(documents, root, reader=reader)
    return reading.corpus, reading.warnings
