"""The nouns that stages pass to each other. Frozen data, no behaviour beyond slicing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raytuner.component import digest
from raytuner.objective import Cost, Failure

IntArray = NDArray[np.int64]
Vectors = NDArray[np.float32]
"""Row vectors, shape [texts, dimensions], each of unit length (or all zero)."""


@dataclass(frozen=True)
class Document:
    """One source text, kept exactly as read.

    Attributes:
        name: how golden sets refer to it: the path relative to the documents root.
        text: code points, newlines untouched. Every offset in this package counts these.
        metadata: facts the reader found (page count, title); never part of the text.
    """

    name: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @cached_property
    def key(self) -> str:
        """Identity of the content: equal text has equal key, whatever the file is called."""
        return digest("document", self.text)


@dataclass(frozen=True)
class Corpus:
    """The documents of a study, in the order of their names."""

    documents: tuple[Document, ...]

    @cached_property
    def key(self) -> str:
        """Identity of all names and texts."""
        return digest("corpus", [[d.name, d.key] for d in self.documents])

    @cached_property
    def positions(self) -> dict[str, int]:
        """Index of each document by name."""
        return {d.name: i for i, d in enumerate(self.documents)}

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


class Span(NamedTuple):
    """Characters [start, end) of document number `doc` of a corpus, in original offsets."""

    doc: int
    start: int
    end: int
    grade: int = 1


Grade = bool | int | float
"""What a person says: yes or no, a whole grade on the judge's scale, or a share from 0 to 1."""


class Graded(NamedTuple):
    """An answer that a person has graded.

    Attributes:
        answer: its text; may be empty where only the context is graded.
        grades: by metric.
        context: what it was written from; empty: the evidence of the question.
    """

    answer: str
    grades: tuple[tuple[str, Grade], ...]
    context: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """One golden question.

    Attributes:
        id: unique within the golden set.
        text: the question as a user would ask it.
        evidence: groups; each group is a tuple of alternative spans, any one of which serves.
            A question that needs two places has two groups. Empty: nothing in the corpus answers.
        answer: a reference answer, or None.
        group: what questions are clustered by (source document), for splits and statistics.
        tags: free labels, used for stratified order.
        judged: answers that people have graded; judges are calibrated by them, nothing is scored.
    """

    id: str
    text: str
    evidence: tuple[tuple[Span, ...], ...] = ()
    answer: str | None = None
    group: str = ""
    tags: tuple[str, ...] = ()
    judged: tuple[Graded, ...] = ()

    @cached_property
    def findable(self) -> tuple[tuple[Span, ...], ...]:
        """The evidence that counts: spans that hold characters and are graded at least 1."""
        groups = (
            tuple(span for span in group if span.end > span.start and span.grade >= 1)
            for group in self.evidence
        )
        return tuple(group for group in groups if group)


@dataclass(frozen=True)
class Chunks:
    """Chunks of a (preprocessed) corpus, as columns of equal length n, ordered by (doc, start).

    All offsets are into the *preprocessed* text of the document. `start:end` is what is handed
    on to the reader of the hit; `match_start:match_end` is what is embedded or indexed, inside
    it (equal to it for most chunkers; one sentence of its window for sentence-window).
    """

    doc: IntArray
    start: IntArray
    end: IntArray
    match_start: IntArray
    match_end: IntArray

    def __len__(self) -> int:
        return len(self.doc)


@dataclass(frozen=True)
class Ranking:
    """Ranked chunk numbers per query, best first, ties broken by chunk number.

    Attributes:
        ids: int64 [queries, depth]; -1 where a query has fewer hits.
        scores: float64 [queries, depth]; higher is better; -inf where ids is -1.
    """

    ids: IntArray
    scores: NDArray[np.float64]

    def top(self, depth: int) -> Ranking:
        """Keep the first `depth` columns."""
        return Ranking(self.ids[:, :depth], self.scores[:, :depth])


class Hit(NamedTuple):
    """One retrieved chunk: where it lies in the original document, its score and its text."""

    doc: int
    start: int
    end: int
    score: float
    text: str


@dataclass(frozen=True)
class Answer:
    """What a generator said.

    Attributes:
        text: the answer; may be empty.
        label: what is wrong with it (`truncated`, `empty`, `filtered`, `invalid`), or None.
        usage: what it costs at list price, whether paid now or found in the cache.
        failure: why there is no answer at all, or None.
        notes: anything worth keeping beside the scores, as plain JSON values.
        seconds: a user would have waited for it, whether it was asked for now or found in the
            cache; None where that is not known.
    """

    text: str
    label: str | None = None
    usage: Cost = field(default_factory=Cost)
    failure: Failure | None = None
    notes: dict[str, Any] = field(default_factory=dict, hash=False)
    seconds: float | None = None


@dataclass(frozen=True)
class Response:
    """What the pipeline gave for one question: hits best first, and an answer if it makes any.

    `label` says what is wrong with the answer, or is None.
    """

    hits: tuple[Hit, ...]
    answer: str | None = None
    label: str | None = None
