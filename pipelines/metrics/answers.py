"""Metrics that compare an answer with the reference answer of its question.

All give 0 to 1; no answer, or a blank one, scores 0. Words are separated by white space or
punctuation, so the word metrics say little about languages written without either.
"""

from __future__ import annotations

import re
import string
import unicodedata
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.embedders import MiniLM
from pipelines.metrics.names import canonical
from pipelines.roles import Bench, CorpusEmbedder, Embedder, Metric
from pipelines.types import Question, Response
from raytuner.component import Component, ConfigError

_ARTICLES = frozenset({"a", "an", "the"})
_WORD = re.compile(r"[^\W_]+")


def squad_words(text: str) -> list[str]:
    """Give the words that SQuAD compares: lower case, no punctuation, no English articles.

    On ASCII text this is the normalisation of Rajpurkar et al., "SQuAD: 100,000+ Questions"
    (2016): punctuation is removed, not replaced, so `don't` is one word. Beyond ASCII all
    Unicode punctuation goes too, so that typographic quotes make no difference.
    """
    kept = "".join(
        character
        for character in text.lower()
        if character not in string.punctuation
        and not unicodedata.category(character).startswith("P")
    )
    return [word for word in kept.split() if word not in _ARTICLES]


class AnswerMetric(Metric):
    """A metric over answers; not defined for questions without a reference answer."""

    needs_answer: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Give the kind."""
        return self.kind

    def applies(self, question: Question) -> bool:
        """Tell whether the question has a reference answer."""
        return question.answer is not None

    def reference(self, question: Question) -> str:
        """Give the reference answer.

        Raises:
            ConfigError: if the question has none.
        """
        if question.answer is None:
            raise ConfigError(
                f"question {question.id!r} has no reference answer, so {self.name} is not defined "
                "for it; score only questions for which `applies` is true"
            )
        return question.answer


class TextMetric(AnswerMetric):
    """A metric that needs nothing but the two texts."""

    @abstractmethod
    def compare(self, answer: str, reference: str) -> float:
        """Compare an answer that is not blank with the reference."""

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Compare the answer with the reference."""
        del bench
        reference = self.reference(question)
        answer = _given(response)
        return self.compare(answer, reference) if answer else 0.0


class ExactMatch(TextMetric, kind="exact-match"):
    """Whether answer and reference are the same words after normalisation (SQuAD, 2016): 1 or 0."""

    def compare(self, answer: str, reference: str) -> float:
        """Give 1 if the normalised texts are equal, else 0."""
        return float(squad_words(answer) == squad_words(reference))


class Contains(TextMetric, kind="contains"):
    """Whether the reference's words stand in the answer, in a row, after normalisation: 1 or 0.

    The normalisation is SQuAD's (2016). A reference without words is in every answer.
    """

    def compare(self, answer: str, reference: str) -> float:
        """Look for the words of the reference among those of the answer."""
        said, wanted = (f" {' '.join(squad_words(text))} " for text in (answer, reference))
        return float(wanted.strip() == "" or wanted in said)


class TokenF1(TextMetric, kind="token-f1"):
    """Harmonic mean of word precision and word recall after normalisation (SQuAD, 2016).

    Words are compared as a bag: order does not matter, repetition does.
    """

    def compare(self, answer: str, reference: str) -> float:
        """Give 2 * common words / (words of the answer + words of the reference)."""
        said, wanted = squad_words(answer), squad_words(reference)
        common = (Counter(said) & Counter(wanted)).total()
        return 2 * common / (len(said) + len(wanted)) if said or wanted else 1.0


class RougeL(TextMetric, kind="rouge-l"):
    """F-measure of the longest common subsequence of words, beta 1 (Lin, "ROUGE", 2004).

    Words are runs of letters and digits in lower case, unstemmed; the text is one sequence.
    """

    def compare(self, answer: str, reference: str) -> float:
        """Give 2 * length of the subsequence / (words of the answer + words of the reference)."""
        said, wanted = (_WORD.findall(text.lower()) for text in (answer, reference))
        if not said or not wanted:
            return 0.0
        return 2 * common_subsequence(said, wanted) / (len(said) + len(wanted))


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Give the length of the longest common subsequence of two word lists.

    Bit-parallel over the words of `one` (Hyyrö, "Bit-parallel LCS-length computation
    revisited", 2004): one addition of long integers per word of `other`.
    """
    places: dict[str, int] = {}
    for position, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << position
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(one) - row.bit_count()


class SemanticSimilarity(AnswerMetric, kind="semantic-similarity"):
    """Cosine of the embeddings of answer and reference, negative values as 0.

    Both texts are embedded as documents. Values of different models do not compare, and a model
    that also retrieves for the pipeline tends to flatter it.
    """

    embedder: Embedder = Field(
        default_factory=MiniLM, description="the model that embeds answer and reference"
    )

    @model_validator(mode="after")
    def _needs_no_corpus(self) -> Self:
        if isinstance(self.embedder, CorpusEmbedder):
            raise ConfigError(
                f"embedder: {self.embedder.kind} is fitted on a corpus and cannot embed answers; "
                f"name another one, e.g. {MiniLM.kind}"
            )
        return self

    @property
    def name(self) -> str:
        """Give the kind, with the embedder where it differs from the default."""
        kind = self.embedder.kind
        other = {} if kind == MiniLM.kind else {"embedder": kind}
        return canonical(self.kind, {**other, **_changed("embedder", self.embedder)})

    def identity(self) -> tuple[Any, ...]:
        """Put what identifies the vectors in place of how the model is configured."""
        role, kind, version, fields = super().identity()
        return (role, kind, version, {**fields, "embedder": self.embedder.fingerprint()})

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Embed and compare one answer."""
        return self.scores([question], [response], bench)[0]

    def scores(
        self, questions: Sequence[Question], responses: Sequence[Response], bench: Bench
    ) -> list[float]:
        """Embed every distinct text once, in one call, and compare pairwise."""
        references = [self.reference(question) for question in questions]
        pairs = [
            (answer, reference) if answer and reference.strip() else None
            for answer, reference in zip(map(_given, responses), references, strict=True)
        ]
        texts = list(dict.fromkeys(text for pair in pairs if pair for text in pair))
        if not texts:
            return [0.0] * len(pairs)
        vectors = bench.embed(self.embedder, texts).astype(np.float64)
        rows = dict(zip(texts, vectors, strict=True))
        return [_cosine(rows[pair[0]], rows[pair[1]]) if pair else 0.0 for pair in pairs]


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.clip(one @ other, 0.0, 1.0))


def _given(response: Response) -> str:
    """Give the answer, or nothing if it is missing or blank."""
    answer = response.answer or ""
    return answer if answer.strip() else ""


def _changed(part: str, component: Component) -> Mapping[str, Any]:
    """List the fields of a part that are not at their default, by dotted name."""
    return {
        f"{part}.{name}": getattr(component, name)
        for name, field in type(component).model_fields.items()
        if name not in component.unkeyed
        and getattr(component, name) != field.get_default(call_default_factory=True)
    }
