"""Where evidence is: document names, offsets and quotes, resolved to spans or refused.

A quote is looked for exactly first, then with every run of white space counting as one space.
The second text of a document is made once, when the first quote needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pipelines.records import shorten
from pipelines.types import Corpus, IntArray, Span
from raytuner.component import ConfigError, nearest


class Locator:
    """Finds evidence in one corpus; keeps what it prepared for the next quote."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._flat: dict[int, str] = {}
        self._flat_origin = lru_cache(maxsize=64)(self._map_back)

    def number(self, name: str, where: str) -> int:
        """Find a document by name.

        Raises:
            ConfigError: with the nearest spelling.
        """
        found = self.corpus.positions.get(name)
        if found is None:
            raise ConfigError(
                f"{where}: there is no document {name!r} among the {len(self.corpus)} of the "
                f"corpus.{nearest(name, self.corpus.positions)}"
            )
        return found

    def whole(self, doc: int, grade: int = 1) -> Span:
        """Give the span of a whole document."""
        return Span(doc, 0, len(self.corpus.documents[doc].text), grade)

    def slice(
        self, doc: int, start: int, end: int, where: str, *, text: str | None, grade: int = 1
    ) -> Span:
        """Check offsets, and the text they should hold if it is known.

        Raises:
            ConfigError: offsets out of range or order, only white space, or another text.
        """
        document = self.corpus.documents[doc]
        if not 0 <= start < end <= len(document.text):
            raise ConfigError(
                f"{where}: start {start} and end {end} are no characters of {document.name!r}: "
                f"0 <= start < end <= {len(document.text)} is needed"
            )
        held = document.text[start:end]
        if text is not None and text != held:
            raise ConfigError(
                f"{where}: characters {start} to {end} of {document.name!r} are "
                f"{shorten(held)!r}, not {shorten(text)!r}; correct the offsets, or give `quote` "
                "instead of them"
            )
        if not held.strip():
            raise ConfigError(
                f"{where}: characters {start} to {end} of {document.name!r} are only white space"
            )
        return Span(doc, start, end, grade)

    def places(self, quote: str, doc: int | None = None, grade: int = 1) -> list[Span]:
        """Give every place of a quote, in one document or in all, in order."""
        numbers = range(len(self.corpus)) if doc is None else [doc]
        exact = [
            Span(number, start, start + len(quote), grade)
            for number in numbers
            for start in _occurrences(self.corpus.documents[number].text, quote)
        ]
        flat_quote = " ".join(quote.split())
        if exact or not flat_quote:
            return exact
        return [
            self._unflattened(number, start, start + len(flat_quote), grade)
            for number in numbers
            for start in _occurrences(self._flattened(number), flat_quote)
        ]

    def quote(self, quote: str, doc: int | None, where: str, grade: int = 1) -> Span:
        """Give the only place of a quote.

        Raises:
            ConfigError: it is nowhere, or in more than one place.
        """
        found = self.places(quote, doc, grade)
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigError(
                f"{where}: the quote {shorten(quote)!r} is in {len(found)} places, "
                f"{self._place(found[0])} and {self._place(found[1])} first; give `doc` and "
                "`start` (with `end`), or a longer quote"
            )
        raise ConfigError(f"{where}: {self.missing(quote, doc)}")

    def missing(self, quote: str, doc: int | None) -> str:
        """Say that a quote is nowhere, and where else it may be."""
        if doc is None:
            return (
                f"the quote {shorten(quote)!r} is in none of the {len(self.corpus)} documents; "
                "copy it literally from one"
            )
        elsewhere = self.places(quote)
        hint = f"it is in {self._place(elsewhere[0])}" if elsewhere else "copy it literally"
        name = self.corpus.documents[doc].name
        return f"the quote {shorten(quote)!r} is not in {name!r}; {hint}"

    def _place(self, span: Span) -> str:
        return f"{self.corpus.documents[span.doc].name!r} at {span.start}"

    def _flattened(self, number: int) -> str:
        if number not in self._flat:
            self._flat[number] = " ".join(self.corpus.documents[number].text.split())
        return self._flat[number]

    def _map_back(self, number: int) -> IntArray:
        """Give the original offset of every character of the flattened text."""
        words = re.finditer(r"\S+", self.corpus.documents[number].text)
        ranges = [np.arange(m.start(), m.end() + 1) for m in words]
        return np.concatenate(ranges).astype(np.int64)

    def _unflattened(self, number: int, start: int, end: int, grade: int) -> Span:
        origin = self._flat_origin(number)
        return Span(number, int(origin[start]), int(origin[end - 1]) + 1, grade)


def _occurrences(text: str, quote: str) -> list[int]:
    """List where a quote begins; places may overlap, and a quote that has two is in two."""
    found = []
    start = text.find(quote)
    while start >= 0:
        found.append(start)
        start = text.find(quote, start + 1)
    return found


def several_places(names: Sequence[str], what: str) -> list[str]:
    """Warn that some evidence was found in more than one place; nothing if there is none."""
    if not names:
        return []
    sentence = (
        f"{len(names)} {what}(s) occur in several places of the documents, any of which counts as "
        f"found (first: {names[0]!r})"
    )
    return [sentence]
