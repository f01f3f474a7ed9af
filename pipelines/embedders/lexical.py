"""Vectors without a neural model: tf-idf and latent semantic analysis, fitted on the chunks.

Cheap baselines that need no weights. Words are lower-cased runs of two or more word characters.
A text without a known word has the zero vector. Arithmetic is single-threaded, since the number
of BLAS threads would change the last bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from pipelines.embedding import FittedEmbedder
from pipelines.roles import EmbedTexts
from pipelines.types import Vectors
from raytuner.arithmetic import one_thread
from raytuner.component import digest


class TfIdf(FittedEmbedder, kind="tfidf"):
    """Weigh words by tf-idf: term frequency times ln((1 + n) / (1 + df)) + 1, L2-normalised.

    Source: Salton and Buckley, Term-weighting approaches in automatic text retrieval (1988);
    smoothing as in scikit-learn's TfidfVectorizer, which does the work. Vectors are dense:
    float32 [texts, max_features], 32 kB a text at the default.
    """

    ngram: int = Field(default=1, ge=1, le=5, description="longest run of words that is a term")
    sublinear: bool = Field(default=True, description="use 1 + ln(tf) for the term frequency")
    max_features: int = Field(
        default=8192, ge=1, le=1_000_000, description="terms kept, the most frequent ones first"
    )

    def fingerprint(self) -> str:
        """Name the configuration; the vectors also depend on the corpus."""
        return f"tfidf/{digest(self)}"

    def fit(self, documents: Sequence[str]) -> tuple[Vectors, EmbedTexts]:
        """Fit on `documents`; give their vectors, and what gives those of other texts."""
        weigh = _Weigher(documents, self.ngram, self.sublinear, self.max_features)

        def embed(texts: Sequence[str]) -> Vectors:
            return np.asarray(weigh(texts).toarray(), np.float32)

        return np.asarray(weigh.fitted.toarray(), np.float32), embed


class Lsa(FittedEmbedder, kind="lsa"):
    """Project tf-idf vectors on the strongest directions of the corpus.

    Source: Deerwester et al., Indexing by latent semantic analysis (1990), by the randomised
    decomposition of Halko, Martinsson and Tropp, arXiv:0909.4061. Fewer dimensions come out
    where the corpus spans fewer.
    """

    dimensions: int = Field(default=256, ge=1, le=4096, description="directions kept, at most")
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="seed of the decomposition")
    ngram: int = Field(default=1, ge=1, le=5, description="longest run of words that is a term")
    sublinear: bool = Field(default=True, description="use 1 + ln(tf) for the term frequency")
    max_features: int = Field(
        default=65_536, ge=1, le=1_000_000, description="terms kept, the most frequent ones first"
    )

    def fingerprint(self) -> str:
        """Name the configuration; the vectors also depend on the corpus."""
        return f"lsa/{digest(self)}"

    def fit(self, documents: Sequence[str]) -> tuple[Vectors, EmbedTexts]:
        """Fit on `documents`; give their vectors, and what gives those of other texts."""
        weigh = _Weigher(documents, self.ngram, self.sublinear, self.max_features)
        with one_thread():
            directions = _directions(weigh.fitted, self.dimensions, self.seed)
            vectors = _unit(weigh.fitted @ directions)

        def embed(texts: Sequence[str]) -> Vectors:
            with one_thread():
                return _unit(weigh(texts) @ directions)

        return vectors, embed


class _Weigher:
    """Gives sparse tf-idf rows, float64, of unit length or zero.

    Attributes:
        fitted: rows of the documents it was fitted on.
    """

    def __init__(
        self, documents: Sequence[str], ngram: int, sublinear: bool, max_features: int
    ) -> None:
        from scipy.sparse import csr_matrix
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer(
            ngram_range=(1, ngram), sublinear_tf=sublinear, max_features=max_features
        )
        words = self._vectorizer.build_analyzer()
        self._empty = not any(words(text) for text in documents)
        self.fitted: Any = (
            csr_matrix((len(documents), 1))
            if self._empty
            else self._vectorizer.fit_transform(documents)
        )

    def __call__(self, texts: Sequence[str]) -> Any:
        """Give the rows of other texts."""
        from scipy.sparse import csr_matrix

        if self._empty or not len(texts):
            return csr_matrix((len(texts), self.fitted.shape[1]))
        return self._vectorizer.transform(texts)


def _directions(fitted: Any, dimensions: int, seed: int) -> Any:
    """Give the right singular vectors [terms, directions] that carry any of the corpus."""
    from sklearn.utils.extmath import randomized_svd

    if fitted.nnz == 0:
        return np.zeros((fitted.shape[1], 1))
    count = min(dimensions, *fitted.shape)
    _, strengths, directions = randomized_svd(fitted, count, n_iter=5, random_state=seed)
    # Directions beyond the rank of the corpus are arbitrary; queries must not project on them.
    return directions[strengths > 1e-9 * strengths[0]].T


def _unit(rows: Any) -> Vectors:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-12)
    return unit.astype(np.float32)
