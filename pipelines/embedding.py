"""The roles of what turns texts into vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from pipelines.types import IntArray, Vectors
from raytuner.component import Component
from raytuner.objective import Meter


class Embedded(NamedTuple):
    """Vectors and what the model did not see of each text.

    Attributes:
        vectors: float32 [n, dimensions], unit length.
        cut: int64 [n], tokens beyond the model's limit that were dropped (0: none).
    """

    vectors: Vectors
    cut: IntArray


class Embedder(Component):
    """Turns texts into vectors. A text's vector depends on nothing but the text and its role."""

    exclusive: ClassVar[bool] = True
    """Uses all cores itself, so that only one call at a time makes sense on a host."""

    def reusable(self) -> bool:
        """Whether a vector may be kept per text; False if it depends on its batch."""
        return True

    @abstractmethod
    def fingerprint(self) -> str:
        """Identify the vectors: model, revision, precision, limit, prefixes. Loads no model."""

    @abstractmethod
    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts as queries or as documents, in the order given.

        Raises:
            ObjectiveFailure: rate_limit, timeout or provider failures of a remote model.
            ConfigError: the model cannot be had (missing weights, key or package).
        """

    def source(self) -> Embedder | None:
        """Give the embedder whose vectors are all that this one needs, or None.

        They are what is kept per text; `derive` makes this one's from them.
        """
        return None

    def derive(self, embedded: Embedded, *, query: bool) -> Embedded:
        """Make vectors from those of `source`."""
        del query
        return embedded


Embed = Callable[[Embedder, Sequence[str]], Vectors]
"""(embedder, texts) to float32 [texts, dimensions]: their unit vectors as documents, cached and
accounted."""
EmbedTexts = Callable[[Sequence[str]], Vectors]
"""Texts to float32 [texts, dimensions], by an embedder that was fitted before."""


class CorpusEmbedder(Embedder):
    """An embedder fitted on the very chunks it embeds (tf-idf, LSA): nothing to cache per text."""

    @abstractmethod
    def fit_embed(
        self, documents: Sequence[str], queries: Sequence[str]
    ) -> tuple[Vectors, Vectors]:
        """Fit on `documents`; give the vectors of both."""

    def fit(self, documents: Sequence[str]) -> tuple[Vectors, EmbedTexts]:
        """Fit once for any number of texts to come.

        Returns:
            Vectors of `documents`, and what gives the vectors of other texts.
        """
        vectors, _ = self.fit_embed(documents, ())
        return vectors, lambda texts: self.fit_embed(documents, texts)[1]

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Refuse: vectors of a fitted embedder mean nothing without its corpus."""
        del texts, query, meter
        raise TypeError(f"{self.kind} is fitted on the corpus: call fit_embed")


class FittedEmbedder(CorpusEmbedder):
    """One that goes on from its fit, so that texts to come need no second one."""

    @abstractmethod
    def fit(self, documents: Sequence[str]) -> tuple[Vectors, EmbedTexts]:
        """Fit on `documents`; give their vectors, and what gives those of other texts."""

    def fit_embed(
        self, documents: Sequence[str], queries: Sequence[str]
    ) -> tuple[Vectors, Vectors]:
        """Fit on `documents`; give the vectors of both."""
        vectors, embed = self.fit(documents)
        return vectors, embed(queries)
