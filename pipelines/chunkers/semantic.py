"""The `semantic` chunker: cut where neighbouring sentences are about different things."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.chunkers.sentence import Sentence
from pipelines.chunkers.sized import Chunk, Sized, trimmed
from pipelines.embedders import MiniLM
from pipelines.roles import CorpusEmbedder, Embed, Embedder
from pipelines.sentences import sentence_spans
from pipelines.types import Vectors
from raytuner.component import ConfigError
from raytuner.objective import Tally

_DECIMALS = 5
"""Distances are rounded so that the last bits of a vector, which differ between hosts and batch
shapes, move no boundary."""


class Semantic(Sized, kind="semantic"):
    """Cut where the cosine distance of neighbouring sentence groups exceeds a percentile.

    After LlamaIndex's SemanticSplitterNodeParser: each sentence is embedded together with
    `buffer` sentences on each side; of the distances between neighbours within a document, those
    above the `percentile`-th percentile (linear interpolation) are boundaries. What is then
    still bigger than `size` is cut by `sentence` with `overlap`.
    """

    buffer: int = Field(default=1, ge=0, description="sentences on each side embedded with one")
    percentile: float = Field(
        default=95.0,
        ge=0,
        le=100,
        description="percentile of a document's distances above which it is cut; smaller cuts more",
    )
    embedder: Embedder = Field(
        default_factory=MiniLM, description="what embeds the sentence groups"
    )

    @model_validator(mode="after")
    def _embeds_single_texts(self) -> Self:
        if isinstance(self.embedder, CorpusEmbedder):
            raise ConfigError(
                f"chunker.embedder of kind {self.embedder.kind!r} is fitted on the chunks of a "
                "whole corpus, which do not exist yet: choose one that embeds single texts"
            )
        return self

    def identity(self) -> tuple[Any, ...]:
        """Add the fingerprint of the vectors that decide the boundaries."""
        role, kind, version, fields = super().identity()
        fingerprint = self.embedder.fingerprint()
        return (role, kind, version, {**fields, "embedder": [self.embedder, fingerprint]})

    def split(self, text: str) -> list[Chunk]:
        """Cut one text; its sentences are embedded anew."""
        return self.split_all([text], _embedded_anew)[0]

    def split_all(self, texts: Sequence[str], embed: Embed) -> list[list[Chunk]]:
        """Cut many texts, with the vectors that `embed` gives of all their sentence groups."""
        spans = [sentence_spans(text) for text in texts]
        groups = [self._groups(text, those) for text, those in zip(texts, spans, strict=True)]
        vectors = embed(self.embedder, list(itertools.chain.from_iterable(groups)))
        ends = itertools.accumulate(map(len, groups))
        parts = [vectors[end - len(group) : end] for group, end in zip(groups, ends, strict=True)]
        return [self._cut(*each) for each in zip(texts, spans, parts, strict=True)]

    def _groups(self, text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
        """Give each sentence with its neighbours; nothing where there is nothing to compare."""
        last = len(spans) - 1
        return [
            text[spans[max(0, i - self.buffer)][0] : spans[min(last, i + self.buffer)][1]]
            for i in range(len(spans) if last else 0)
        ]

    def _cut(self, text: str, spans: Sequence[tuple[int, int]], vectors: Vectors) -> list[Chunk]:
        inside = Sentence(size=self.size, overlap=self.overlap, tokenizer=self.tokenizer)
        cuts = [0, *(spans[number][0] for number in self._breaks(vectors)), len(text)]
        sections = itertools.pairwise(cuts)
        return trimmed(text, (span for section in sections for span in inside.spans(text, section)))

    def _breaks(self, vectors: Vectors) -> list[int]:
        """Give the numbers of the sentences that start a new chunk."""
        if not len(vectors):
            return []
        distances = _distances(vectors)
        limit = np.percentile(distances, self.percentile)
        return [int(i) + 1 for i in np.flatnonzero(distances > limit)]


def _embedded_anew(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    return embedder.embed(texts, query=False, meter=Tally()).vectors


def _distances(vectors: Vectors) -> np.ndarray:
    """Give 1 - cosine between each unit vector and the next, rounded."""
    wide = vectors.astype(np.float64)
    return np.asarray(np.round(1.0 - np.sum(wide[:-1] * wide[1:], axis=1), _DECIMALS))
