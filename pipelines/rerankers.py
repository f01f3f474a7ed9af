"""Role Reranker: a closer look at the first candidates of a ranking.

Each gives the candidates in the order of its own scores, ties in the order they came; the
original scores are gone. Places without a hit stay at the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field

from pipelines.bm25 import Analyser, Stemmer, Stopwords, Terms, term_counts
from pipelines.ranking import FloatArray, best_listed, snapped
from pipelines.roles import Library, Reranker
from pipelines.sentences import sentence_spans
from pipelines.types import IntArray, Ranking
from raytuner.component import ConfigError, require


class Lexical(Reranker, kind="lexical"):
    """Prefers candidates that hold the rare words of the query, and hold them together.

    score = (1 - proximity) * C + proximity * P, both in [0, 1]:
    C = sum over query words of idf * tf / (tf + 1), divided by the sum of their idf;
    P = sum over neighbouring words of the query that lie at most `window` words apart somewhere
    in the candidate, of the smaller idf of the two, divided by that sum over all neighbours.
    idf is that of BM25 over all chunks. P is a simple case of term proximity as in Tao and Zhai
    (2007), "An Exploration of Proximity Measures in Information Retrieval".
    """

    proximity: float = Field(
        default=0.2, ge=0, le=1, description="share of neighbouring words found near each other"
    )
    window: int = Field(
        default=3, ge=1, le=100, description="how many words apart still counts as near"
    )
    stemmer: Stemmer = Field(
        default="none", description="language whose word endings are removed (Snowball)"
    )
    stopwords: Stopwords = Field(default="none", description="function words to leave out")
    split_identifiers: bool = Field(
        default=False, description="also use the parts of snake_case and CamelCase words"
    )

    def needs_vectors(self) -> bool:
        """Compare words only."""
        return False

    def rerank(self, library: Library, ranking: Ranking) -> Ranking:
        """Order by shared words and their proximity."""
        top = ranking.top(self.candidates)
        analyser = Analyser(self.stopwords, self.stemmer, self.split_identifiers)
        terms = term_counts(library.texts, analyser)
        places = {
            int(chunk): _places(analyser.terms(library.texts[chunk])) for chunk in _chunks(top)
        }
        scores = np.zeros(top.ids.shape)
        for row, query in enumerate(library.queries):
            asked = _Asked(analyser.terms(query), terms)
            for column, chunk in enumerate(top.ids[row]):
                if chunk >= 0:
                    scores[row, column] = self._score(asked, places[int(chunk)])
        return _reordered(top, scores)

    def _score(self, asked: _Asked, places: dict[str, list[int]]) -> float:
        coverage = 0.0
        for term, weight in asked.weights:
            count = len(places.get(term, ()))
            coverage += weight * count / (count + 1)
        together = 0.0
        for one, other, weight in asked.neighbours:
            if _near(places.get(one, []), places.get(other, []), self.window):
                together += weight
        return (1 - self.proximity) * coverage + self.proximity * together


class _Asked:
    """The words of a query and their neighbourhoods, each with its share of the weight."""

    def __init__(self, words: Sequence[str], terms: Terms) -> None:
        weights = {word: terms.weight(word) for word in words}
        total = sum(weights.values())
        self.weights = [(word, weight / total) for word, weight in weights.items()]
        pairs = {pair: min(weights[pair[0]], weights[pair[1]]) for pair in pairwise(words)}
        pairs = {pair: weight for pair, weight in pairs.items() if pair[0] != pair[1]}
        total = sum(pairs.values())
        self.neighbours = [(one, other, weight / total) for (one, other), weight in pairs.items()]


def _places(words: Sequence[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    return places


def _near(some: Sequence[int], others: Sequence[int], window: int) -> bool:
    """Tell whether a place of one sorted list is at most `window` from one of the other."""
    if len(some) > len(others):
        some, others = others, some
    for place in some:
        at = bisect_left(others, place - window)
        if at < len(others) and others[at] <= place + window:
            return True
    return False


class LateInteraction(Reranker, kind="late-interaction"):
    """Compares the query and its phrases with every sentence of a candidate.

    score = chunk_weight * cos(query, chunk) + (1 - chunk_weight) * M, with
    M = (1 - phrase_weight) * S(query) + phrase_weight * mean of S(phrase) over the phrases,
    where S(x) is the greatest cosine of x to a sentence of the chunk, and phrases are runs of
    `phrase_words` words of the query, each half overlapping the next. This is the maximum
    similarity of ColBERT (Khattab and Zaharia 2020) with phrases and sentences in place of
    tokens, by the pipeline's own embedder. A query no longer than a phrase is its own phrase.
    """

    chunk_weight: float = Field(
        default=0.5, ge=0, le=1, description="share of the similarity to the chunk as a whole"
    )
    phrase_weight: float = Field(
        default=0.3, ge=0, le=1, description="share of the query's phrases against the whole query"
    )
    phrase_words: int = Field(default=5, ge=1, le=100, description="words in a phrase")

    def rerank(self, library: Library, ranking: Ranking) -> Ranking:
        """Order by the similarities of sentences, each distinct sentence embedded once."""
        top = ranking.top(self.candidates)
        numbers: dict[str, int] = {}
        sentences = {
            int(chunk): _numbered(_sentences(library.texts[chunk]), numbers)
            for chunk in _chunks(top)
        }
        asked: dict[str, int] = {}
        parts = [_numbered([q, *self._phrases(q)], asked) for q in library.queries]
        scores = np.zeros(top.ids.shape)
        if not numbers:
            return _reordered(top, scores)
        near, wanted = library.embed(list(numbers)), library.embed(list(asked), query=True)
        chunks = library.vectors()
        for row, ids in enumerate(top.ids):
            hits = ids[ids >= 0]
            if not len(hits):
                continue
            query = snapped(wanted[parts[row]])
            lists = [sentences[int(chunk)] for chunk in hits]
            likeness = query @ snapped(near[np.concatenate(lists)]).T
            starts = np.cumsum([0, *(len(numbers) for numbers in lists[:-1])])
            greatest = np.maximum.reduceat(likeness, starts, axis=1)
            whole = snapped(chunks[hits]) @ query[0]
            scores[row, ids >= 0] = self._score(whole, greatest)
        return _reordered(top, scores)

    def _phrases(self, query: str) -> list[str]:
        words, size = query.split(), self.phrase_words
        if len(words) <= size:
            return [query]
        step = max(1, size // 2)
        starts = [*range(0, len(words) - size, step), len(words) - size]
        return [" ".join(words[start : start + size]) for start in starts]

    def _score(self, whole: FloatArray, greatest: FloatArray) -> FloatArray:
        """Combine; `greatest` is [1 + phrases, chunks], the query itself first."""
        phrases = greatest[1:].sum(axis=0) / (len(greatest) - 1)
        parts = (1 - self.phrase_weight) * greatest[0] + self.phrase_weight * phrases
        combined: FloatArray = self.chunk_weight * whole + (1 - self.chunk_weight) * parts
        return combined


def _numbered(texts: Sequence[str], numbers: dict[str, int]) -> IntArray:
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)] or [text]


class CrossEncoder(Reranker, kind="cross-encoder"):
    """Reads query and candidate together with a cross-encoder (Nogueira and Cho 2019).

    Needs the extra `sentence-transformers` and a model that is already on this machine; nothing
    is downloaded.
    """

    model: str = Field(
        default="cross-encoder/ms-marco-MiniLM-L6-v2",
        min_length=1,
        description="folder of a model, or the name of one in the local model cache",
    )
    max_length: int = Field(
        default=512, ge=8, le=100_000, description="tokens of query and chunk together; rest cut"
    )
    batch: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="pairs read at once; padding makes the last bits of a score depend on it",
    )
    device: str = Field(default="cpu", description="where the model runs, e.g. cpu or cuda")

    def needs_vectors(self) -> bool:
        """Read texts only."""
        return False

    def rerank(self, library: Library, ranking: Ranking) -> Ranking:
        """Order by the model's scores, each distinct pair of texts read once.

        Raises:
            MissingExtraError: sentence-transformers is not installed.
            ConfigError: the model is not on this machine.
        """
        top = ranking.top(self.candidates)
        model = _cross_encoder(self.model, self.max_length, self.device)
        rows, columns = np.nonzero(top.ids >= 0)
        texts, queries = library.texts, library.queries
        places = zip(rows.tolist(), top.ids[rows, columns].tolist(), strict=True)
        pairs = [(queries[row], texts[chunk]) for row, chunk in places]
        distinct = list(dict.fromkeys(pairs))
        scores = np.zeros(top.ids.shape)
        if distinct:
            given = model.predict(distinct, batch_size=self.batch, show_progress_bar=False)
            score = dict(zip(distinct, np.asarray(given, dtype=np.float64), strict=True))
            scores[rows, columns] = [score[pair] for pair in pairs]
        return _reordered(top, scores)


@lru_cache(maxsize=2)
def _cross_encoder(name: str, max_length: int, device: str) -> Any:
    library = require("sentence_transformers", extra="sentence-transformers")
    try:
        return library.CrossEncoder(
            name, max_length=max_length, device=device, local_files_only=True
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model {name!r} of the cross-encoder reranker cannot be loaded from this machine: "
            f"give the folder of a downloaded cross-encoder ({error})"
        ) from error


def _chunks(ranking: Ranking) -> IntArray:
    return np.unique(ranking.ids[ranking.ids >= 0])


def _reordered(top: Ranking, scores: FloatArray) -> Ranking:
    return best_listed(top.ids, scores, top.ids.shape[1], by_id=False)
