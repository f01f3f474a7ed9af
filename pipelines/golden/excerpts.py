"""Passages to ask about: cut at sentences, taken from all documents in turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from pipelines.sentences import sentence_spans
from pipelines.types import Corpus
from raytuner.component import digest

LONGEST = 1500
"""Characters in a passage, except for a single sentence that is longer."""
SHORTEST = 60
"""Characters that are not white space: headings and page numbers alone are nothing to ask about."""


class Excerpt(NamedTuple):
    """Characters [start, end) of a document, by its number."""

    doc: int
    start: int
    end: int


def cut_excerpts(corpus: Corpus, longest: int = LONGEST) -> list[Excerpt]:
    """Cut all documents into passages of whole sentences, in order, disjoint.

    A passage ends before `longest` characters, and where a blank line follows once it has half of
    them.
    """
    found = []
    for number, document in enumerate(corpus):
        for start, end in _windows(document.text, longest):
            if len("".join(document.text[start:end].split())) >= SHORTEST:
                found.append(Excerpt(number, start, end))
    return found


def _windows(text: str, longest: int) -> list[tuple[int, int]]:
    windows: list[tuple[int, int]] = []
    for start, end in sentence_spans(text):
        if windows and not _closed(text, *windows[-1], start, end, longest):
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def _closed(text: str, first: int, last: int, start: int, end: int, longest: int) -> bool:
    """Tell whether the window [first, last) ends before the sentence [start, end)."""
    blank_line = text[last:start].count("\n") > 1
    return end - first > longest or (blank_line and last - first >= longest // 2)


def in_turn(corpus: Corpus, excerpts: Sequence[Excerpt], seed: int) -> list[Excerpt]:
    """Order passages so that any prefix is spread over the documents.

    One passage of every document, then a second of each that has more, and so on; passages within
    a document, and documents within a round, come by a digest of the seed and their names: the
    same on every host, and untouched by changes to other documents.
    """
    by_document: dict[int, list[Excerpt]] = {}
    for excerpt in excerpts:
        by_document.setdefault(excerpt.doc, []).append(excerpt)
    names = [document.name for document in corpus]
    for doc, own in by_document.items():
        own.sort(key=lambda e: digest("excerpt", seed, names[doc], e.start))
    order = sorted(by_document, key=lambda doc: digest("document", seed, names[doc]))
    rounds = zip_longest(*(by_document[doc] for doc in order))
    return [excerpt for each in rounds for excerpt in each if excerpt is not None]
