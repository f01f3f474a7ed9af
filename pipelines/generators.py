"""Role Generator: answers from retrieved texts without a language model.

Generators that call a language model are further implementations of the same role.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from pipelines.bm25 import Analyser, Terms, term_counts
from pipelines.ranking import FloatArray, snapped
from pipelines.roles import Generator, Library
from pipelines.sentences import sentence_spans

_K1, _B = 1.2, 0.75


class Extractive(Generator, kind="extractive"):
    """Answers with the sentences of the hits that are most like the question.

    `lexical` is BM25 of a sentence (k1 = 1.2, b = 0.75, weights of words over all chunks, lengths
    relative to the sentences of the question's hits) divided by the sum of the weights of the
    question's words, so that it lies in [0, 1]; `embedding` is the cosine of question and
    sentence; `both` is their sum. The answer gives its sentences in the order of the hits.
    """

    sentences: int = Field(default=1, ge=1, le=5, description="most sentences in an answer")
    scorer: Literal["lexical", "embedding", "both"] = Field(
        default="both", description="how sentences are compared with the question"
    )

    def needs_vectors(self) -> bool:
        """Whether sentences are compared by their vectors."""
        return self.scorer != "lexical"

    def answers(
        self, library: Library, questions: Sequence[str], contexts: Sequence[Sequence[str]]
    ) -> list[str]:
        """Give the best sentences per question; an empty answer where there are no hits.

        An answer depends on nothing but its question, its hits and the library.
        """
        sentences = [_distinct_sentences(hits) for hits in contexts]
        scores = [np.zeros(len(those)) for those in sentences]
        if self.scorer != "embedding":
            terms = term_counts(library.texts, Analyser())
            for number, question in enumerate(questions):
                scores[number] += _lexical(question, sentences[number], terms)
        if self.scorer != "lexical":
            for number, cosines in enumerate(_cosines(library, questions, sentences)):
                scores[number] += cosines
        return [self._best(those, score) for those, score in zip(sentences, scores, strict=True)]

    def _best(self, sentences: Sequence[str], scores: FloatArray) -> str:
        best = np.argsort(-scores, kind="stable")[: self.sentences]
        return " ".join(sentences[number] for number in np.sort(best))


def _distinct_sentences(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(text[a:b] for text in texts for a, b in sentence_spans(text)))


def _lexical(question: str, sentences: Sequence[str], terms: Terms) -> FloatArray:
    asked = {term: terms.weight(term) for term in terms.analyser.terms(question)}
    words = [terms.analyser.terms(sentence) for sentence in sentences]
    mean = sum(map(len, words)) / max(1, len(words)) or 1.0
    scores = np.zeros(len(sentences))
    for number, there in enumerate(words):
        damping = _K1 * (1 - _B + _B * len(there) / mean)
        counts = Counter(there)
        for term, weight in asked.items():  # in the question's order: sums must not vary
            scores[number] += weight * counts[term] / (counts[term] + damping)
    return scores / (sum(asked.values()) or 1.0)


def _cosines(
    library: Library, questions: Sequence[str], sentences: Sequence[Sequence[str]]
) -> list[FloatArray]:
    """Compare every question with its sentences; each distinct sentence is embedded once."""
    numbers: dict[str, int] = {}
    places = [[numbers.setdefault(text, len(numbers)) for text in those] for those in sentences]
    if not numbers:
        return [np.zeros(0) for _ in questions]
    vectors = library.embed(list(numbers))
    asked = library.embed(list(questions), query=True)
    return [
        snapped(vectors[those]) @ snapped(asked[row : row + 1])[0] if those else np.zeros(0)
        for row, those in enumerate(places)
    ]
