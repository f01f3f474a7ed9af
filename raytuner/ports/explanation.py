"""What an objective shows people of one question under one configuration.

`Objective.explain` gives mappings of this shape; every key but `unit` may be missing. Text comes
from documents, questions and models, so whoever shows it treats it as hostile.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Passage(TypedDict):
    """A piece of a document.

    Attributes:
        document: its name.
        start, end: character offsets in the original document.
        text: what stands there.
        marks: pairs of offsets into `text`: the gold evidence inside it.
        score: of the retriever or reranker; higher is better.
    """

    document: str
    start: int
    end: int
    text: str
    marks: NotRequired[list[tuple[int, int]]]
    score: NotRequired[float]


class Explanation(TypedDict):
    """One question, and what a configuration made of it.

    Attributes:
        unit: id of the question.
        question: as a user would ask it.
        reference: the answer that was hoped for.
        evidence: gold passages.
        retrieved: what the configuration handed on, best first.
        answer: what it said.
        missing: why `retrieved` or `answer` is not there.
    """

    unit: str
    question: NotRequired[str]
    reference: NotRequired[str]
    evidence: NotRequired[list[Passage]]
    retrieved: NotRequired[list[Passage]]
    answer: NotRequired[str]
    missing: NotRequired[str]
