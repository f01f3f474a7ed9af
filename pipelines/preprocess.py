"""Preprocessors: rewrite a document before it is chunked, and know where every character came from.

Golden evidence points into the original text, so each step keeps the offsets (`roles.Edited`).
Every step is idempotent: applied to its own output it changes nothing more.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from pydantic import Field

from pipelines.roles import Edited, Preprocessor

Replacement = tuple[int, int, str]
"""(start, end, what stands there instead), in offsets of the text that is edited."""


def compose(steps: Sequence[Preprocessor], text: str) -> Edited:
    """Apply several steps, the first one first; origins point into `text`."""
    edited = Edited(text, np.arange(len(text) + 1, dtype=np.int64))
    for step in steps:
        edited = chain(edited, step.apply(edited.text))
    return edited


def chain(first: Edited, second: Edited) -> Edited:
    """Join two edits, the second one made on the text of the first."""
    return Edited(second.text, first.origin[second.origin])


def substitute(text: str, replacements: Iterable[Replacement]) -> Edited:
    """Replace ranges of a text.

    Character i of a replacement comes from character i of what it replaces, or from the last one
    where the replacement is longer.

    Args:
        text: the original.
        replacements: ordered, not overlapping, none of them empty (start < end).
    """
    pieces: list[str] = []
    origins = []
    position = 0
    for start, end, new in replacements:
        pieces += [text[position:start], new]
        origins.append(np.arange(position, start))
        origins.append(np.minimum(np.arange(start, start + len(new)), end - 1))
        position = end
    pieces.append(text[position:])
    origins.append(np.arange(position, len(text) + 1))
    return Edited("".join(pieces), np.concatenate(origins).astype(np.int64, copy=False))


def _replace(text: str, pattern: str, new: str) -> Edited:
    found = re.finditer(pattern, text)
    return substitute(text, ((m.start(), m.end(), new) for m in found if m.group() != new))


class Whitespace(Preprocessor, kind="whitespace"):
    """Make line ends one newline, runs of blanks one space, and drop blanks at line ends."""

    blank_lines: int = Field(
        default=1, ge=0, le=100, description="blank lines kept in a row; more are dropped"
    )
    indent: bool = Field(
        default=False,
        description="keep blanks at the start of lines, as code and Markdown lists need them",
    )

    def apply(self, text: str) -> Edited:
        """Rewrite one text."""
        edited = _replace(text, r"\r\n?", "\n")
        # From the start of a run, all or nothing: a long run that fails is looked at once.
        at_end = r"(?<![^\S\n])[^\S\n]++(?=\n|\Z)"
        edited = chain(edited, _replace(edited.text, at_end, ""))
        inside = r"(?<=\S)[^\S\n]+" if self.indent else r"[^\S\n]+"
        edited = chain(edited, _replace(edited.text, inside, " "))
        most = self.blank_lines + 1
        return chain(edited, _replace(edited.text, rf"\n{{{most},}}", "\n" * most))


class Lowercase(Preprocessor, kind="lowercase"):
    """Lower the case of all letters, as `str.lower` does."""

    def apply(self, text: str) -> Edited:
        """Rewrite one text."""
        lowered = text.lower()
        origin = np.arange(len(text) + 1, dtype=np.int64)
        if len(lowered) != len(text):  # 'İ' becomes two characters
            lengths = {char: len(char.lower()) for char in set(text)}
            origin = np.repeat(origin, [*(lengths[char] for char in text), 1])
        return Edited(lowered, origin)


class Unicode(Preprocessor, kind="unicode"):
    """Normalise characters (Unicode Standard Annex 15) and drop invisible ones.

    Invisible are soft hyphen, zero-width space, word joiner and byte order mark: they break words
    apart for tokenizers and search, and readers never see them.
    """

    form: Literal["NFC", "NFKC"] = Field(
        default="NFKC",
        description="NFKC also turns ligatures, full-width and superscript characters into plain",
    )
    drop_invisible: bool = Field(
        default=True, description="drop soft hyphens and zero-width characters that join nothing"
    )

    def apply(self, text: str) -> Edited:
        """Rewrite one text."""
        edited = _replace(
            text, "[\u00ad\u200b\u2060\ufeff]" if self.drop_invisible else r"(?!)", ""
        )
        return chain(edited, substitute(edited.text, _normalised(edited.text, self.form)))


def _normalised(text: str, form: Literal["NFC", "NFKC"]) -> Iterator[Replacement]:
    """Give the segments that normalisation changes; each is normalised on its own.

    A segment starts at a character that nothing before it can combine with, so that the parts
    together are the normal form of the whole.
    """
    for run in re.finditer(r"[\x00-\x7f]?[^\x00-\x7f]+", text):
        if unicodedata.is_normalized(form, run.group()):
            continue
        starts = [i for i in range(*run.span()) if i == run.start() or _starts_segment(text[i])]
        for start, end in zip(starts, [*starts[1:], run.end()], strict=True):
            new = unicodedata.normalize(form, text[start:end])
            if new != text[start:end]:
                yield start, end, new


@lru_cache(maxsize=4096)
def _starts_segment(char: str) -> bool:
    first = unicodedata.normalize("NFKD", char)[0]
    return unicodedata.combining(first) == 0 and first not in _second_halves()


@lru_cache(maxsize=1)
def _second_halves() -> frozenset[str]:
    """Give the characters that a canonical composition can append to the one before."""
    found = {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}  # Hangul
    for code in range(0x00C0, 0x20000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            found.add(chr(int(parts[1], 16)))
    return frozenset(found)


class Dehyphenate(Preprocessor, kind="dehyphenate"):
    """Join words that a hyphen breaks over two lines, as the text layer of a PDF has them.

    `exam-⏎ple` becomes `example`. The hyphen stays where the text elsewhere has the compound
    unbroken and not the joined word (`well-⏎known` next to another `well-known`). Nothing is
    joined if the second part starts with a capital: it is more likely a name (`Jean-⏎Paul`).
    """

    letters: int = Field(
        default=2, ge=1, le=20, description="fewest letters on either side of the hyphen"
    )

    def apply(self, text: str) -> Edited:
        """Rewrite one text."""
        return substitute(text, self._joins(text))

    def _joins(self, text: str) -> Iterator[Replacement]:
        # From the start of a word, all or nothing: an endless word is looked at once.
        broken = r"(?<![^\W\d_])([^\W\d_]++)([-‐\u00ad])([ \t]*\r?\n[ \t]*)(?=([^\W\d_]+))"
        words = frozenset(re.findall(r"[^\W\d_]+(?:[-‐][^\W\d_]+)*", text.lower()))
        for match in re.finditer(broken, text):
            left, hyphen, _, right = match.groups()
            if min(len(left), len(right)) < self.letters or not right[0].islower():
                continue
            compound = f"{left}{hyphen}{right}".lower()
            kept = compound in words and f"{left}{right}".lower() not in words
            yield match.start(3) if kept else match.start(2), match.end(3), ""


_NUMBERED = re.compile(
    r"(?:page|p\.|seite|página|pagina)\s*\d{1,4}(?:\s*(?:of|/|von|de|di)\s*\d{1,4})?"
    r"|\d{1,4}\s*(?:/|of)\s*\d{1,4}|[-–—]\s*\d{1,4}\s*[-–—]",
    re.IGNORECASE,
)
_NAVIGATION = re.compile(
    r"(?:skip to (?:main )?content|(?:back to|go to) top|(?:main )?menu|home|search|share|print"
    r"|next|previous|(?:log|sign) ?(?:in|up|out)|subscribe|accept (?:all )?(?:cookies)?"
    r"|(?:manage|cookie) (?:cookies|settings|preferences|policy)|privacy policy"
    r"|terms (?:of|and) (?:use|service|conditions)|all rights reserved\.?)"
    r"|home\s*[>»›/|].{1,100}|(?:©|\(c\)|copyright\b).{0,20}\b(?:19|20)\d\d\b.{0,80}"
    r"|.{0,120}\b(?:we|site|website)\b.{0,40}\buses? cookies\b.{0,200}",
    re.IGNORECASE,
)
_PROSE_LINE = re.compile(r'(?=[^\W_])(?=.*[^\W\d_])[^{}\[\]<>=;\\"`$_]+')


class Boilerplate(Preprocessor, kind="boilerplate"):
    r"""Drop lines that are no content, by simple rules.

    - repeated (running headers and footers): a line of at most `longest` characters that occurs
      at least `repeats` times in the document, has a letter in it, and does not look like code:
      it is not indented and has none of the characters {}[]<>=;\"`$_;
    - page numbers: `Page 3`, `3 of 12`, `3 / 12`, `- 3 -`; lines of digits only if there are at
      least two of them in the document and they count up from first to last;
    - navigation: menu words (`Home`, `Back to top`, `Sign in`), paths that start with `Home >`,
      copyright lines with a year, and sentences that a site uses cookies.
    """

    repeats: int | None = Field(
        default=5, ge=2, description="drop lines that occur this often; null: keep them"
    )
    longest: int = Field(
        default=120, ge=1, description="characters of the longest line that counts as a repeat"
    )
    page_numbers: bool = Field(default=True, description="drop page numbers")
    navigation: bool = Field(
        default=True, description="drop menu words, copyright lines and cookie banners"
    )

    def apply(self, text: str) -> Edited:
        """Rewrite one text."""
        lines = list(re.finditer(r"[^\n]*\n|.+", text))
        unwanted = self._unwanted([line.group().rstrip() for line in lines])
        return substitute(text, ((*m.span(), "") for m in lines if m.group().rstrip() in unwanted))

    def _unwanted(self, lines: Sequence[str]) -> frozenset[str]:
        found = {
            line
            for line, count in Counter(lines).items()
            if self._repeated(line, count)
            or (self.page_numbers and _NUMBERED.fullmatch(line.strip()))
            or (self.navigation and _NAVIGATION.fullmatch(line.strip()))
        }
        bare = [line for line in lines if re.fullmatch(r"\s*[0-9]{1,4}", line)]
        numbers = [int(line.strip()) for line in bare]  # int() takes fewer characters for blanks
        counting = all(a < b for a, b in itertools.pairwise(numbers))
        if self.page_numbers and len(numbers) > 1 and counting:
            found.update(bare)
        return frozenset(found)

    def _repeated(self, line: str, count: int) -> bool:
        often = self.repeats is not None and count >= self.repeats
        return often and len(line) <= self.longest and bool(_PROSE_LINE.fullmatch(line))
