"""What all trials of a study share in one process: documents, golden set, caches, token maps."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines import samples
from pipelines.cache import Cache, VectorCache, default_cache_dir
from pipelines.config import RagConfig
from pipelines.documents import read_documents, resolve_path
from pipelines.golden import GoldenSet, load_golden, order_units
from pipelines.library import CachedLibrary
from pipelines.roles import Bench, CorpusEmbedder, Embedder
from pipelines.tokenizers import tokenizer
from pipelines.types import Corpus, IntArray, Question, Vectors
from raytuner.component import ConfigError
from raytuner.objective import Meter, Tally

SAMPLE = "sample:"
"""Prefix of documents and golden sets that ship with the package."""


class Sources(BaseModel):
    """Where documents and golden questions come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class Workspace:
    """Loaded data and open caches.

    Args:
        sources: where the data is.
        root: folder that relative paths start from.
        seed: seed of the question order.

    Raises:
        ConfigError: documents or golden set are missing or wrong; names file and line.
    """

    def __init__(self, sources: Sources, root: Path, seed: int) -> None:
        self.root = root
        self.corpus, self.golden, self.warnings = _load(sources, root)
        folder = resolve_path(sources.cache, root) if sources.cache else default_cache_dir()
        self.cache = Cache(folder)
        self.vector_cache = VectorCache(folder)
        self.stores = folder / "stores"
        self.order = order_units(self.golden.questions, seed)
        self._tokens: dict[tuple[str, int], IntArray] = {}

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Row of every question by id."""
        return {question.id: row for row, question in enumerate(self.golden.questions)}

    @cached_property
    def queries(self) -> tuple[str, ...]:
        """The question texts, by row."""
        return tuple(question.text for question in self.golden.questions)

    def library(self, config: RagConfig, meter: Meter) -> CachedLibrary:
        """Open the stages of one pipeline over this data."""
        return library(
            self.corpus, config, self.queries,
            cache=self.cache, vectors=self.vector_cache, stores=self.stores, meter=meter,
        )  # fmt: skip

    def bench(self, meter: Meter) -> Bench:
        """Give metrics what they need."""

        def embed(embedder: Embedder, texts: Sequence[str]) -> Vectors:
            if isinstance(embedder, CorpusEmbedder):
                return embedder.fit_embed(texts, ())[0]
            found = self.vector_cache.embed_texts(embedder, texts, query=False, meter=meter)
            return found.vectors

        return Bench(self.corpus, self.token_starts, embed)

    def token_starts(self, name: str, doc: int) -> IntArray:
        """Give the token starts of one original document, computed once per process."""
        starts = self._tokens.get((name, doc))
        if starts is None:
            starts = tokenizer(name).starts(self.corpus.documents[doc].text)
            self._tokens[name, doc] = starts
        return starts

    def question(self, unit: str) -> Question:
        """Find a question by id."""
        return self.golden.questions[self.positions[unit]]


def library(
    corpus: Corpus, config: RagConfig, queries: Sequence[str], **rest: Any
) -> CachedLibrary:
    """Open the stages of a pipeline."""
    return CachedLibrary(corpus, config, queries, **rest)


def throwaway_library(corpus: Corpus, config: RagConfig, queries: Sequence[str]) -> CachedLibrary:
    """Open the stages of a pipeline without any disk cache (for one-off use and tests)."""
    stores = Path(tempfile.mkdtemp(prefix="raytuner-"))
    return library(
        corpus, config, queries,
        cache=Cache(None), vectors=VectorCache(None), stores=stores, meter=Tally(),
    )  # fmt: skip


def check_paths(sources: Sources, root: Path) -> None:
    """Look whether documents and golden set are there, before anything is read.

    Raises:
        ConfigError: naming the field, for a path that leads out of `root` or to nothing.
    """
    documents = sources.documents or ()
    golden = sources.golden if isinstance(sources.golden, str) else sources.golden.get("path", "")
    named = [
        ("documents", one) for one in ([documents] if isinstance(documents, str) else documents)
    ]
    named += [("golden", golden)]
    named += [("cache", sources.cache)] if sources.cache else []
    for field, path in named:
        try:
            target = root if path.startswith(SAMPLE) else resolve_path(path, root)
        except ConfigError as error:
            raise ConfigError(f"{field}: {error}", (field,)) from None
        if field != "cache" and not set(path) & set("*?[") and not target.exists():
            raise ConfigError(f"{field}: {path!r} not found: there is no {target}", (field,))


def _load(sources: Sources, root: Path) -> tuple[Corpus, GoldenSet, tuple[str, ...]]:
    corpus, warnings = _documents(sources, root)
    if isinstance(sources.golden, str) and sources.golden.startswith(SAMPLE):
        sample, questions = samples.load(sources.golden.removeprefix(SAMPLE))
        if corpus is not None and corpus.key != sample.key:
            raise ConfigError(
                f"golden: {sources.golden} belongs to `documents: {sources.golden}`", ("golden",)
            )
        return sample, GoldenSet(questions, sources.golden), warnings
    corpus, golden = load_golden(sources.golden, corpus, root)
    return corpus, golden, (*warnings, *golden.warnings)


def _documents(sources: Sources, root: Path) -> tuple[Corpus | None, tuple[str, ...]]:
    if sources.documents is None:
        return None, ()
    if isinstance(sources.documents, str) and sources.documents.startswith(SAMPLE):
        return samples.load(sources.documents.removeprefix(SAMPLE))[0], ()
    reading = read_documents(sources.documents, root, reader=sources.reader)
    return reading.corpus, reading.warnings
