"""What every loader gives, and the checks that hold for every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pipelines.types import Corpus, Question, Span
from raytuner.component import ConfigError, digest

Evidence = tuple[tuple[Span, ...], ...]
"""Groups of alternative spans, as in `Question.evidence`."""


@dataclass(frozen=True)
class GoldenSet:
    """Questions and where in the corpus their answers are.

    Attributes:
        questions: at least one, ids unique, in the order of the file.
        name: the file or folder they came from.
        warnings: what the reader of a verdict should know about the set, one sentence each.
    """

    questions: tuple[Question, ...]
    name: str
    warnings: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """Identity of everything that can change a score; order and name of the file cannot.

        Spans name documents by number, so it means something together with the corpus key only.
        """
        ordered = sorted(self.questions, key=lambda question: question.id)
        return digest("golden", [_plain(question) for question in ordered])


def _plain(question: Question) -> list[Any]:
    evidence = [[list(span) for span in group] for group in question.evidence]
    tags = sorted(question.tags)
    return [question.id, question.text, question.answer, evidence, question.group, tags]


class Sourced(NamedTuple):
    """A question and its place in the file, for messages: `line 3`."""

    question: Question
    place: str


class Loaded(NamedTuple):
    """What a loader makes of a file."""

    corpus: Corpus
    questions: list[Sourced]
    warnings: list[str]


def collect(loaded: Loaded, name: str) -> tuple[Corpus, GoldenSet]:
    """Make a golden set of what a loader gave.

    Raises:
        ConfigError: there is no question, or an id occurs twice.
    """
    if not loaded.questions:
        raise ConfigError(f"{name} holds no question")
    places: dict[str, str] = {}
    for question, place in loaded.questions:
        if question.id in places:
            raise ConfigError(
                f"{name}: the question id {question.id!r} occurs twice, at {places[question.id]} "
                f"and at {place}; ids must be unique"
            )
        places[question.id] = place
    questions = tuple(question for question, _ in loaded.questions)
    warnings = list(loaded.warnings)
    if not any(question.evidence for question in questions):
        warnings.append(f"no question of {name} has evidence, so retrieval cannot be scored on it")
    return loaded.corpus, GoldenSet(questions, name, tuple(warnings))


def question_of(
    corpus: Corpus,
    *,
    id: str,  # noqa: A002 - the name of the field
    text: str,
    evidence: Sequence[tuple[Span, ...]] = (),
    answer: str | None = None,
    group: str | None = None,
    tags: Iterable[str] = (),
) -> Question:
    """Make a question; its group is the document of its first evidence unless given."""
    if group is None:
        group = corpus.documents[evidence[0][0].doc].name if evidence else ""
    kept = answer if answer and answer.strip() else None
    return Question(id, text, tuple(evidence), kept, group, tuple(tags))


def content_id(*parts: Any) -> str:
    """Give an id to a question that has none: the same wherever it stands in the file."""
    return digest("question", *parts)[:12]


def need_corpus(corpus: Corpus | None, name: str) -> Corpus:
    """Refuse a set without documents of its own where the study gives none either.

    Raises:
        ConfigError: naming the set.
    """
    if corpus is None:
        raise ConfigError(f"{name} brings no documents of its own; give `documents:` in the study")
    return corpus
