"""Arithmetic on sets of characters, kept as intervals per document. Knows no metric.

An interval is [start, end) in code points of one original document.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from pipelines.types import Hit, Span

Interval = tuple[int, int]
Ground = Mapping[int, list[Interval]]
"""Document number to disjoint, sorted, non-empty intervals: one set of characters."""


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Unite intervals into disjoint sorted ones; empty ones vanish, touching ones join."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def ground(passages: Iterable[Hit | Span]) -> Ground:
    """Unite passages into the set of characters that they cover."""
    by_document: dict[int, list[Interval]] = {}
    for passage in passages:
        by_document.setdefault(passage.doc, []).append((passage.start, passage.end))
    merged = {doc: merge(intervals) for doc, intervals in by_document.items()}
    return {doc: intervals for doc, intervals in merged.items() if intervals}


def size(area: Ground) -> int:
    """Count the characters of a set."""
    return sum(end - start for intervals in area.values() for start, end in intervals)


def length(passage: Hit | Span) -> int:
    """Count the characters of one passage; none if it ends before it starts."""
    return max(0, passage.end - passage.start)


def shared(passage: Hit | Span, area: Ground) -> int:
    """Count the characters of `passage` that lie in `area`."""
    intervals = area.get(passage.doc, [])
    first = max(0, bisect_right(intervals, (passage.start, passage.start)) - 1)
    total = 0
    for start, end in intervals[first:]:
        if start >= passage.end:
            break
        total += max(0, min(end, passage.end) - max(start, passage.start))
    return total


def common(one: Ground, other: Ground) -> int:
    """Count the characters that two sets have in common."""
    return sum(
        shared(Span(doc, start, end), other)
        for doc, intervals in one.items()
        for start, end in intervals
    )
