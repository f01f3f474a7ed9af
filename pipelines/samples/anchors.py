"""Evidence named by a few words of the text, so that golden questions need no character offsets."""

from __future__ import annotations

import re


def resolve(text: str, start: int, end: int, anchor: str, until: str | None) -> tuple[int, int]:
    """Find the characters that `anchor` names within text[start:end].

    The span begins where the anchor begins. It ends with the words of `until`, the first ones
    after the anchor; without `until` it ends with the paragraph, or, if the anchor stands in the
    first line of a parameter's entry or a list item, with that entry. Words match across line
    breaks, in exact case.

    Returns:
        The span [begin, end) in characters of `text`.

    Raises:
        ValueError: the anchor does not occur exactly once, or `until` not after it.
    """
    found = list(_words(anchor).finditer(text, start, end))
    if len(found) != 1:
        raise ValueError(f"the words {anchor!r} occur {len(found)} times, not once")
    begin, matched = found[0].span()
    if until is None:
        return begin, _entry_end(text, begin, matched, end)
    last = _words(until).search(text, matched, end)
    if last is None:
        raise ValueError(f"the words {until!r} do not follow {anchor!r}")
    return begin, last.end()


def _words(phrase: str) -> re.Pattern[str]:
    return re.compile(r"\s+".join(re.escape(word) for word in phrase.split()))


def _entry_end(text: str, begin: int, matched: int, end: int) -> int:
    """Find where the paragraph or entry ends that holds text[begin:matched]."""
    line_start = text.rfind("\n", 0, begin) + 1
    lines = text[line_start:end].splitlines(keepends=True)
    indent = _indent(lines[0])
    is_entry = len(lines) > 1 and bool(lines[1].strip()) and _indent(lines[1]) > indent
    stop = line_start + len(lines[0])
    for line in lines[1:]:
        leaves = _indent(line) < indent or (is_entry and _indent(line) == indent)
        if stop >= matched and (leaves or not line.strip()):
            break
        stop += len(line)
    return begin + len(text[begin:stop].rstrip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
