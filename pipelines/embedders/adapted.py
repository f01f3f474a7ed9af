"""Embedders with a trained adapter on top: `raytuner trained` writes the file they read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, Field, field_validator

from pipelines.embedders.minilm import MiniLM
from pipelines.embedders.projection import AdapterFile, read_adapter
from pipelines.embedding import FittedEmbedder
from pipelines.roles import CorpusEmbedder, Embedded, Embedder, EmbedTexts
from pipelines.types import Vectors
from raytuner.component import ConfigError, digest
from raytuner.objective import Meter

_Part = TypeVar("_Part", bound=BaseModel)
_ADAPTER = "the file of the adapter; relative paths start where the study is"


class Adapted(Embedder, kind="adapted"):
    """Embed with another embedder and project its vectors with a trained adapter.

    Vectors of the base are kept per text as ever; the adapter costs one small matrix product.
    """

    base: Embedder = Field(default_factory=MiniLM, description="the embedder that is adapted")
    adapter: str = Field(description=_ADAPTER)

    @field_validator("base")
    @classmethod
    def _per_text(cls, base: Embedder) -> Embedder:
        if isinstance(base, CorpusEmbedder):
            raise ConfigError(
                f"base: {base.kind} is fitted on the corpus; write `kind: adapted-fitted`"
            )
        return base

    def identity(self) -> tuple[Any, ...]:
        """Count the adapter by its content, wherever the file is."""
        return _identity(self, self.base, self.adapter)

    def fingerprint(self) -> str:
        """Name the base and what the file holds.

        Raises:
            ConfigError: the file is missing, damaged, or of another base.
        """
        return f"adapted/{digest(*_identity(self, self.base, self.adapter))}"

    def source(self) -> Embedder:
        """Give the base."""
        return self.base

    def derive(self, embedded: Embedded, *, query: bool) -> Embedded:
        """Project vectors of the base."""
        vectors = _project(_opened(self.base, self.adapter), embedded.vectors, self.adapter, query)
        return Embedded(vectors, embedded.cut)

    def reusable(self) -> bool:
        """Keep what the base may keep."""
        return self.base.reusable()

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed with the base, then project.

        Raises:
            ConfigError: as `fingerprint`, or as the base does.
            ObjectiveFailure: as the base does.
        """
        _opened(self.base, self.adapter)
        return self.derive(self.base.embed(texts, query=query, meter=meter), query=query)


class AdaptedFitted(FittedEmbedder, kind="adapted-fitted"):
    """Do the same for an embedder that is fitted on the corpus: tf-idf, LSA.

    What its directions mean depends on the chunks that it is fitted on: the adapter is of use for
    these alone, and is refused with others.
    """

    base: Embedder = Field(description="the embedder that is adapted: tfidf or lsa")
    adapter: str = Field(description=_ADAPTER)

    @field_validator("base")
    @classmethod
    def _fitted(cls, base: Embedder) -> Embedder:
        if not isinstance(base, CorpusEmbedder):
            raise ConfigError(f"base: {base.kind} is not fitted on the corpus; write `adapted`")
        return base

    def identity(self) -> tuple[Any, ...]:
        """Count the adapter by its content, wherever the file is."""
        return _identity(self, self.base, self.adapter)

    def fingerprint(self) -> str:
        """Name the base and what the file holds; raises as `Adapted.fingerprint`."""
        return f"adapted-fitted/{digest(*_identity(self, self.base, self.adapter))}"

    def fit(self, documents: Sequence[str]) -> tuple[Vectors, EmbedTexts]:
        """Fit the base; give the projected vectors of `documents`, and what gives others'.

        Raises:
            ConfigError: the adapter was trained on other chunks.
        """
        file, base = _opened(self.base, self.adapter), self.base
        assert isinstance(base, CorpusEmbedder)  # narrows the type
        if file.fitted_on != fitted_on(documents):
            raise ConfigError(
                f"adapter {self.adapter}: it was trained on {base.kind} fitted on other chunks "
                f"than these {len(documents)}; train it again, or take documents and chunker of "
                "its training"
            )
        vectors, embed = base.fit(documents)

        def project(texts: Sequence[str]) -> Vectors:
            return _project(file, embed(texts), self.adapter, query=True)

        return _project(file, vectors, self.adapter, query=False), project


def fitted_on(texts: Sequence[str]) -> str:
    """Identify the texts that an embedder is fitted on."""
    return digest("fitted on", list(texts))


def trained_on(embedder: Embedder) -> frozenset[str]:
    """Name the questions that an adapter has seen, by the digests of their contents."""
    if not isinstance(embedder, Adapted | AdaptedFitted):
        return frozenset()
    seen = _opened(embedder.base, embedder.adapter).about.get("questions", ())
    return frozenset(map(str, seen)) | trained_on(embedder.base)


def rooted(part: _Part, root: Path) -> _Part:
    """Give a copy of a configuration whose adapters are found from anywhere.

    Raises:
        ConfigError: a relative path leads out of `root`.
    """
    from pipelines.documents import resolve_path

    changes: dict[str, Any] = {}
    for name in type(part).model_fields:
        value = getattr(part, name)
        new = rooted(value, root) if isinstance(value, BaseModel) else value
        if isinstance(part, Adapted | AdaptedFitted) and name == "adapter":
            new = str(resolve_path(part.adapter, root))
        if new != value or new is not value:
            changes[name] = new
    return part.model_copy(update=changes) if changes else part


def _identity(embedder: Embedder, base: Embedder, adapter: str) -> tuple[Any, ...]:
    content = _opened(base, adapter).content
    fields = {"base": base.fingerprint(), "adapter": content}
    return (embedder.role(), embedder.kind, embedder.version, fields)


def _opened(base: Embedder, adapter: str) -> AdapterFile:
    """Read the file of an adapter, once as long as it does not change."""
    path = Path(adapter).expanduser()
    try:
        stat = path.stat()
    except OSError as error:
        raise ConfigError(f"adapter {adapter}: {error.strerror or error}", ("adapter",)) from None
    file = _read(path, stat.st_mtime_ns, stat.st_size)
    if file.base != base.fingerprint():
        raise ConfigError(
            f"adapter {adapter}: it was trained on {file.base}, and the base is "
            f"{base.fingerprint()}",
            ("adapter",),
        )
    return file


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> AdapterFile:
    del changed, size
    return read_adapter(path)


def _project(file: AdapterFile, vectors: Vectors, adapter: str, query: bool) -> Vectors:
    wanted = file.projection.dimensions
    if len(vectors) and wanted not in {None, vectors.shape[1]}:
        raise ConfigError(
            f"adapter {adapter}: it takes vectors of {wanted} numbers, and the base gives "
            f"{vectors.shape[1]}",
            ("adapter",),
        )
    return np.ascontiguousarray(file.projection.apply(vectors, query=query))
