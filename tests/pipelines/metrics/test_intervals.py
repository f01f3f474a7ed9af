"""Interval arithmetic against plain sets of characters."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.metrics.intervals import common, ground, length, merge, shared, size
from pipelines.types import Span

spans = st.builds(Span, st.integers(0, 2), st.integers(0, 40), st.integers(0, 40))
many = st.lists(spans, max_size=8)


def characters(passages):
    return {(p.doc, i) for p in passages for i in range(p.start, p.end)}


def test_touching_and_overlapping_intervals_join_and_empty_ones_vanish():
    assert merge([(5, 9), (0, 3), (3, 4), (7, 12), (20, 20), (30, 25)]) == [(0, 4), (5, 12)]


@given(many, many, spans)
@settings(max_examples=200, deadline=None)
def test_counts_are_those_of_character_sets(one, other, span):
    first, second = ground(one), ground(other)
    assert size(first) == len(characters(one))
    assert common(first, second) == len(characters(one) & characters(other))
    assert shared(span, first) == len(characters([span]) & characters(one))
    assert length(span) == len(characters([span]))


@given(many)
@settings(max_examples=100, deadline=None)
def test_grounds_are_sorted_with_gaps_between(passages):
    for intervals in ground(passages).values():
        assert intervals
        assert all(start < end for start, end in intervals)
        assert all(a[1] < b[0] for a, b in itertools.pairwise(intervals))
