"""Shows texts of documents and models, with the gold evidence marked, within a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raytuner.charts.svg import element, escape, number
from raytuner.report.redact import strike

MOST_TEXT = 5_000_000
"""Characters of questions, passages and answers that a report holds; see `Budget`."""
_LONGEST = 700
"""Characters of one passage that are shown; the others around its evidence are cut."""
_BEFORE = 120
"""Characters before the first evidence that are shown."""
_OPEN = 3
"""Passages of one list that are shown at once; the others unfold."""
_LISTED = 10


class Budget:
    """Keeps a report readable: texts are shown until so many characters are used up.

    Args:
        characters: of all texts together.
    """

    def __init__(self, characters: int) -> None:
        self._left = characters
        self.refused = 0

    def take(self, texts: Iterable[str]) -> bool:
        """Tell whether these texts fit, and count them."""
        size = sum(map(len, texts))
        if size > self._left:
            self.refused += 1
            self._left = 0  # questions come by importance: none after this one goes first
            return False
        self._left -= size
        return True


def passages(found: Sequence[Mapping[str, Any]]) -> str:
    """List passages, best first."""
    if not found:
        return element("p", "nothing", class_="caption")
    items = [_passage(rank, one) for rank, one in enumerate(found[:_LISTED], start=1)]
    shown = element("ol", *items[:_OPEN], class_="passages")
    if items[_OPEN:]:
        left = len(found) - len(items)
        note = f"{len(items) - _OPEN} more" + (f" ({left} others are not shown)" if left else "")
        rest = element("ol", *items[_OPEN:], class_="passages", start=_OPEN + 1)
        shown += element("details", element("summary", escape(note)), rest)
    return shown


def _passage(rank: int, one: Mapping[str, Any]) -> str:
    marks = _marks(one)
    where = [str(one.get("document", ""))]
    if isinstance(one.get("start"), int):
        where.append(f"{one['start']}–{one.get('end')}")
    score = one.get("score")
    if isinstance(score, int | float):
        where.append(number(float(score)))
    head = [escape(strike(" · ".join(filter(None, where))))]
    if marks:
        head.append(element("span", "evidence", class_="hit"))
    return element(
        "li",
        element("p", *head, class_="source"),
        element("blockquote", marked(str(one.get("text", "")), marks)),
        class_="with" if marks else None,
        value=rank,
    )


def _marks(one: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Give the marks as ordered pairs that do not overlap and lie inside the text."""
    length = len(str(one.get("text", "")))
    pairs = []
    for mark in one.get("marks") or ():
        if len(mark) == 2 and all(isinstance(end, int) for end in mark):
            start, end = max(0, mark[0]), min(length, mark[1])
            if start < end:
                pairs.append((start, end))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(pairs):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def marked(text: str, marks: Sequence[tuple[int, int]]) -> str:
    """Write a text with its evidence highlighted, cut around it where it is long.

    Args:
        text: hostile, as all texts.
        marks: ordered pairs of offsets that do not overlap.
    """
    first, last = _window(len(text), marks)
    parts, at = [], first
    for start, end in marks:
        left, right = max(start, first), min(end, last)
        if left < right:
            parts += [_plain(text[at:left]), element("mark", _plain(text[left:right]))]
            at = right
    parts.append(_plain(text[at:last]))
    return ("… " if first else "") + "".join(parts) + (" …" if last < len(text) else "")


def _plain(text: str) -> str:
    return escape(strike(text))


def _window(length: int, marks: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Choose what is shown of a long passage: from a little before its first evidence on."""
    start = marks[0][0] - _BEFORE if marks and marks[0][0] > 2 * _BEFORE else 0
    return start, min(length, start + _LONGEST)


def texts(explanation: Mapping[str, Any]) -> list[str]:
    """List what an explanation will show, as long as it will be shown, for a budget."""
    listed = [*(explanation.get("evidence") or ()), *(explanation.get("retrieved") or ())[:_LISTED]]
    plain = [str(explanation.get(key) or "") for key in ("question", "reference", "answer")]
    return [*plain, *(str(one.get("text", ""))[:_LONGEST] for one in listed)]
