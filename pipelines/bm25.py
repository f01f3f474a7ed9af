"""Words of texts, and BM25 over them: index terms, term counts, scores.

Knows nothing of retrievers. The lexical reranker and the extractive generator use the same words
and the same term weights.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from pipelines.ranking import FloatArray, best_columns, blocks, stacked
from pipelines.types import Ranking

Stemmer = Literal[
    "none", "arabic", "danish", "dutch", "english", "finnish", "french", "german", "hungarian",
    "italian", "norwegian", "portuguese", "romanian", "russian", "spanish", "swedish",
]  # fmt: skip
Stopwords = Literal["none", "english"]

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
# The list of Lucene's EnglishAnalyzer.
_ENGLISH = frozenset(
    _WORD.findall(
        "a an and are as at be but by for if in into is it no not of on or such that the their "
        "then there these they this to was will with"
    )
)
_PART = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BLOCK = 2**22  # scores computed at once: 32 MiB


@dataclass(frozen=True)
class Analyser:
    """How a text becomes index terms: NFKC, words, case folding, then the options.

    Runs of Chinese characters and kana become overlapping pairs, as in Lucene's CJK analyser.

    Attributes:
        stopwords: words to leave out.
        stemmer: language of the Snowball stemmer (Porter 2001), or none.
        split_identifiers: add the parts of snake_case and CamelCase words to the words.
    """

    stopwords: Stopwords = "none"
    stemmer: Stemmer = "none"
    split_identifiers: bool = False

    def terms(self, text: str) -> list[str]:
        """Give the index terms of a text, in order, with repetitions."""
        known = _expansions(self)
        return [term for word in _words(text) for term in known[word]]


class _Expansions(dict[str, tuple[str, ...]]):
    """Word -> index terms, each word analysed once."""

    def __init__(self, analyser: Analyser) -> None:
        super().__init__()
        self._analyser = analyser
        self._dropped = _ENGLISH if analyser.stopwords == "english" else frozenset()
        self._stem = _stemming(analyser.stemmer)

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = [word]
        if _IS_UNSPACED.match(word):
            found = [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        elif self._analyser.split_identifiers:
            parts = [part for part in _PART.split(word) if part]
            found = [word, *parts] if len(parts) > 1 else found
        folded = [term.casefold() for term in found]
        terms = tuple(self._stem(term) for term in folded if term not in self._dropped)
        if len(self) < 2**20:  # numbers and hashes never end; memory does
            self[word] = terms
        return terms


def _words(text: str) -> list[str]:
    return _WORD.findall(text if text.isascii() else unicodedata.normalize("NFKC", text))


@lru_cache(maxsize=4)
def _expansions(analyser: Analyser) -> _Expansions:
    return _Expansions(analyser)


def _stemming(language: Stemmer) -> Any:
    if language == "none":
        return lambda term: term
    from nltk.stem.snowball import SnowballStemmer

    return SnowballStemmer(language).stem


@dataclass(frozen=True)
class Terms:
    """Term counts of a collection of texts.

    Attributes:
        analyser: what made the terms.
        numbers: term -> its number, in order of first occurrence.
        counts: SciPy CSR float64 [terms, texts]: how often each term occurs in each text.
        lengths: float64 [texts], index terms per text.
    """

    analyser: Analyser
    numbers: dict[str, int]
    counts: Any
    lengths: FloatArray

    @cached_property
    def idf(self) -> FloatArray:
        """Weight of every term: ln(1 + (N - df + 0.5) / (df + 0.5)), always positive.

        Source: Lucene's variant (Kamphuis et al. 2020, "Which BM25 Do You Mean?").
        """
        frequency = np.diff(self.counts.indptr).astype(np.float64)
        weights: FloatArray = np.log1p((len(self.lengths) - frequency + 0.5) / (frequency + 0.5))
        return weights

    def weight(self, term: str) -> float:
        """Give the idf of one term; that of a term in no text if it is unknown."""
        number = self.numbers.get(term)
        if number is None:
            return float(np.log1p((len(self.lengths) + 0.5) / 0.5))
        return float(self.idf[number])

    def search(self, queries: Sequence[str], depth: int, *, k1: float, b: float) -> Ranking:
        """Rank the texts by BM25; a text without any query term is no hit.

        score = sum over query terms of idf * tf / (tf + k1 * (1 - b + b * length / mean length)),
        a term repeated in the query counting as often. Source: Robertson and Zaragoza (2009) with
        Lucene's idf; the constant factor k1 + 1 is left out.

        Returns:
            Ranking [queries, min(depth, texts)], ties by number of the text.
        """
        depth = min(depth, len(self.lengths))
        asked, weights = self._numbered(queries), self._weights(k1, b)
        found = []
        for part in blocks(len(queries), _BLOCK // max(1, len(self.lengths))):
            scores = (asked[part] @ weights).toarray()
            found.append(best_columns(np.where(scores > 0, scores, -np.inf), depth))
        return stacked(found, depth)

    def _weights(self, k1: float, b: float) -> Any:
        weights = self.counts.copy()
        relative = self.lengths / max(self.lengths.mean() if len(self.lengths) else 0.0, 1e-9)
        damping = k1 * (1 - b + b * relative)
        tf = weights.data
        weights.data = np.repeat(self.idf, np.diff(weights.indptr)) * (
            tf / (tf + damping[weights.indices])
        )
        return weights

    def _numbered(self, queries: Sequence[str]) -> Any:
        rows, columns = [], []
        for row, query in enumerate(queries):
            for term in self.analyser.terms(query):
                if term in self.numbers:
                    rows.append(row)
                    columns.append(self.numbers[term])
        return _counted(rows, columns, (len(queries), len(self.numbers)))


def term_counts(texts: Sequence[str], analyser: Analyser) -> Terms:
    """Count the terms of texts; the counts of the last few collections are kept in memory."""
    return _term_counts(tuple(texts), analyser)


@lru_cache(maxsize=4)
def _term_counts(texts: tuple[str, ...], analyser: Analyser) -> Terms:
    known = _expansions(analyser)
    numbers: dict[str, int] = {}
    flat: list[int] = []
    lengths = np.zeros(len(texts), np.int64)
    for position, text in enumerate(texts):
        before = len(flat)
        for word in _words(text):
            flat.extend(numbers.setdefault(term, len(numbers)) for term in known[word])
        lengths[position] = len(flat) - before
    owners = np.repeat(np.arange(len(texts)), lengths)
    counts = _counted(flat, owners, (len(numbers), len(texts)))
    return Terms(analyser, numbers, counts, lengths.astype(np.float64))


def _counted(rows: Any, columns: Any, shape: tuple[int, int]) -> Any:
    """Count how often each (row, column) occurs, as a CSR matrix in canonical order."""
    from scipy.sparse import csr_matrix

    ones = np.ones(len(rows))
    matrix = csr_matrix((ones, (np.array(rows, int), np.array(columns, int))), shape=shape)
    matrix.sum_duplicates()
    return matrix
