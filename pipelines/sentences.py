"""Sentence boundaries with offsets, the same wherever sentences are needed.

Sentences are those of LlamaIndex, which uses nltk's Punkt algorithm (Kiss and Strunk 2006,
"Unsupervised Multilingual Sentence Boundary Detection") without trained parameters: it breaks
after full stops (those of abbreviations included, an ellipsis not), question and exclamation
marks that white space follows. It reads no data files, so it cannot fail for the lack of them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import Any

LONGEST = 80
"""Words in a sentence that is embedded whole: about 110 word pieces of English prose."""

# scripts without blanks count by the character and endless strings by sixteen characters,
# because that is about how word pieces see them
_UNIT = re.compile(
    r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]{1,16}"
    r"|[^\w\s]"
)
_CLOSING = "。！？；؟।…"


def sentence_starts(text: str) -> list[int]:
    """Give the offsets at which sentences start; the first is 0 unless the text is blank."""
    starts = [start for start, _ in _punkt().span_tokenize(text)]
    return [0, *starts[1:]] if starts else []


def sentence_spans(text: str, longest: int = LONGEST) -> list[tuple[int, int]]:
    """Find the sentences of a text as [start, end), in order, disjoint, without outer blanks.

    Every non-blank character lies in exactly one span. What Punkt takes for one sentence but has
    more than `longest` words (a table, code, a list, text without blanks) is cut, where
    possible after a line break, else after a closing mark, else before a word.
    """
    starts = sentence_starts(text)
    spans: list[tuple[int, int]] = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        for a, b in _cut(text, start, end, longest):
            part = text[a:b]
            if part and not part.isspace():
                spans.append((a + len(part) - len(part.lstrip()), a + len(part.rstrip())))
    return spans


def _cut(text: str, start: int, end: int, longest: int) -> list[tuple[int, int]]:
    if end - start <= longest:
        return [(start, end)]
    units = [unit.start() for unit in _UNIT.finditer(text, start, end)]
    cuts = [start]
    first = 0
    while len(units) - first > longest:
        cut = _best_cut(text, units[first] + 1, units[first + longest])
        cuts.append(cut)
        first = bisect_left(units, cut)
    return list(zip(cuts, [*cuts[1:], end], strict=True))


def _best_cut(text: str, low: int, high: int) -> int:
    """Choose where to cut in [low, high]."""
    line = text.rfind("\n", low, high)
    if line >= 0:
        return line + 1
    closing = max(text.rfind(mark, low, high) for mark in _CLOSING)
    if closing >= 0:
        return closing + 1
    blank = text.rfind(" ", low, high)
    return blank + 1 if blank >= 0 else high


@lru_cache(maxsize=1)
def _punkt() -> Any:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

    return PunktSentenceTokenizer()
