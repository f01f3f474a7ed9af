"""What a generated question must be like before anybody pays for a second look at it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from pipelines.bm25 import Analyser
from pipelines.golden.excerpts import Excerpt
from pipelines.golden.files import Record
from pipelines.golden.goldenset import content_id
from pipelines.golden.spans import Locator
from pipelines.types import Corpus, Span

NOTHING = "nothing to ask about"
UNREADABLE = "the model gave no usable reply"
LENGTH = "question, answer or quote too short or too long"
REFERS = "speaks of its passage instead of asking like a user"
GIVES_AWAY = "holds its own answer"
UNFOUND = "its quote is not in the passage"
TWICE = "much like a question that is there"
UNANSWERABLE = "not answerable from its evidence alone"
KNOWN = "answered without the documents (general knowledge)"
AMBIGUOUS = "has several answers in the documents"
FAILED = "a call failed; run again to ask it again"

SIMILAR = 0.75
"""Two questions that share so much of their words are taken for one."""
_QUESTION = (12, 300)
_ANSWER = (1, 600)
_QUOTE = (8, 1000)

_SOURCE = r"(?:text|passage|document|excerpt|extract|context|paragraph|article|quote|snippet)s?"
_REFERS = re.compile(
    rf"\b(?:according to|based on|in|from|as per) (?:the|this|that)"
    rf"(?: (?:given|provided|above|following|quoted))? {_SOURCE}(?=[\s,?.]*$|,| (?:above|below)\b)"
    rf"|\b(?:according to|based on|as per) (?:the|this|that)(?: \w+)? {_SOURCE}\b"
    rf"|\b(?:this|given|provided|above|following) (?:text|passage|excerpt|extract|context|snippet)"
    rf"|\b(?:the|this) {_SOURCE} (?:say|state|mention|describe|discuss|explain|refer|list|give)s?\b"
    r"|\b(?:passage|excerpt|chunk|source) (?:id|number|\d+|#)",
    re.IGNORECASE,
)
_ASKING = frozenset(
    [
        "what",
        "which",
        "who",
        "whom",
        "whose",
        "when",
        "where",
        "why",
        "how",
        "do",
        "doe",
        "did",
        "can",
        "could",
        "should",
        "would",
        "may",
        "might",
        "must",
        "i",
        "you",
        "we",
        "one",
        "he",
        "she",
        "me",
        "my",
        "your",
        "our",
        "have",
        "has",
        "had",
        "were",
        "been",
    ]
)
_words = Analyser(stopwords="english", stemmer="english")


class Draft(NamedTuple):
    """A question that may be kept.

    Attributes:
        question: as a user would ask it.
        answer: the reference answer.
        evidence: where the answer is.
        tags: how it came to be.
    """

    question: str
    answer: str
    evidence: Span
    tags: tuple[str, ...] = ()

    def record(self, locator: Locator) -> Record:
        """Spell it as a line of a golden set; equal drafts have equal ids."""
        document = locator.corpus.documents[self.evidence.doc]
        quote = document.text[self.evidence.start : self.evidence.end]
        item: Record = {"doc": document.name, "quote": quote}
        if len(locator.places(quote, self.evidence.doc)) != 1:
            start, end = self.evidence.start, self.evidence.end
            item = {"doc": document.name, "start": start, "end": end, "text": quote}
        return {
            "id": content_id(self.question, document.name, quote),
            "question": self.question,
            "answer": self.answer,
            "evidence": [item],
            "group": document.name,
            "tags": list(self.tags),
        }


def find_quote(quote: str, excerpt: Excerpt, corpus: Corpus) -> Span | None:
    """Find a quote in the passage it was taken from; white space may differ.

    Case, and typographic quotes and dashes, may not: what is kept is the document's own text.
    """
    words = quote.split()
    if not words:
        return None
    pattern = r"\s+".join(re.escape(word) for word in words)
    text = corpus.documents[excerpt.doc].text
    match = re.compile(pattern).search(text, excerpt.start, excerpt.end)
    return None if match is None else Span(excerpt.doc, *match.span())


def flaw(question: str, answer: str, quote: str) -> str | None:
    """Say what is wrong with a question as such, or None."""
    measured = ((question, _QUESTION), (answer, _ANSWER), (quote, _QUOTE))
    if any(not low <= len(text.strip()) <= high for text, (low, high) in measured):
        return LENGTH
    if _REFERS.search(question):
        return REFERS
    return GIVES_AWAY if _gives_away(question, answer) else None


def _gives_away(question: str, answer: str) -> bool:
    """Tell whether an answer of two words or more, or one long one, stands in its question."""
    asked, said = _spelled(question), _spelled(answer)
    long_enough = " " in said or len(said) >= 8
    return long_enough and f" {said} " in f" {asked} "


def _spelled(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def word_f1(answer: str, reference: str) -> float:
    """Compare two answers word by word, order aside: 0 to 1."""
    said, wanted = Counter(_spelled(answer).split()), Counter(_spelled(reference).split())
    if not said or not wanted:
        return 0.0
    return 2 * (said & wanted).total() / (said.total() + wanted.total())


class Asked:
    """Questions that are there, and which of them a new one repeats.

    Two questions are one if they share three quarters of the words that carry meaning, stemmed
    (Jaccard), or all of their words.
    """

    def __init__(self, questions: Iterable[str] = ()) -> None:
        self._questions: list[str] = []
        self._sizes: list[int] = []
        self._holding: dict[str, list[int]] = {}
        self._spelled: dict[str, str] = {}
        for question in questions:
            self.add(question)

    def add(self, question: str) -> None:
        """Note a question."""
        words = _meaning(question)
        for word in words:
            self._holding.setdefault(word, []).append(len(self._questions))
        self._spelled.setdefault(_spelled(question), question)
        self._questions.append(question)
        self._sizes.append(len(words))

    def like(self, question: str) -> str | None:
        """Give the question that is most like a new one, if any is alike enough."""
        same = self._spelled.get(_spelled(question))
        if same is not None:
            return same
        words = _meaning(question)
        shared = Counter(number for word in words for number in self._holding.get(word, ()))
        best, found = 0.0, None
        for number, common in shared.items():
            similar = common / (len(words) + self._sizes[number] - common)
            if similar > best:
                best, found = similar, self._questions[number]
        return found if best >= SIMILAR else None


def _meaning(question: str) -> set[str]:
    return {term for term in _words.terms(question) if term not in _ASKING}
