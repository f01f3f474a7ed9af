"""Puts the values of a parameter into a few levels that a chart can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from raytuner.charts.svg import tick_label, ticks
from raytuner.report.html import spelt

MOST = 8
"""Levels of a parameter that are shown; numbers beyond are binned, others joined."""


class Levels(NamedTuple):
    """The levels of one parameter.

    Attributes:
        labels: of the levels, in their order.
        places: the level of every value; None where a trial has no value.
        marks: what to write along an axis, and where, between 0 and 1.
        shares: where every value lies between 0 and 1, for an axis; None likewise.
    """

    labels: list[str]
    places: list[int | None]
    marks: list[tuple[str, float]]
    shares: list[float | None]


def levels(values: Sequence[Any], width: int = 24) -> Levels:
    """Sort values into levels: numbers by size, others in the order they came.

    Args:
        values: one per trial; None where the parameter is not active.
        width: characters of a label at most.
    """
    distinct: dict[str, Any] = {}
    for value in values:
        if value is not None:
            distinct.setdefault(repr(value), value)
    numeric = all(_is_number(value) for value in distinct.values())
    order = sorted(distinct, key=lambda key: distinct[key]) if numeric else list(distinct)
    if len(order) <= MOST:
        return _few(values, order, [spelt(distinct[key], width) for key in order])
    if numeric:
        return _bins(values)
    kept = order[: MOST - 1]
    labels = [*(spelt(distinct[key], width) for key in kept), f"{len(order) - len(kept)} others"]
    place = {key: min(p, MOST - 1) for p, key in enumerate(order)}
    return _even(labels, [None if v is None else place[repr(v)] for v in values])


def _is_number(value: Any) -> bool:
    kind = isinstance(value, int | float) and not isinstance(value, bool)
    return kind and math.isfinite(value)


def _few(values: Sequence[Any], order: Sequence[str], labels: list[str]) -> Levels:
    place = {key: p for p, key in enumerate(order)}
    return _even(labels, [None if value is None else place[repr(value)] for value in values])


def _even(labels: list[str], places: list[int | None]) -> Levels:
    """Put levels at equal distances along an axis; a single one in the middle."""
    last = len(labels) - 1
    at = [0.5] if last < 1 else [p / last for p in range(len(labels))]
    shares = [None if place is None else at[place] for place in places]
    return Levels(labels, places, list(zip(labels, at, strict=False)), shares)


def _bins(values: Sequence[Any]) -> Levels:
    """Cut numbers into bins of about equally many trials."""
    known = sorted(float(value) for value in values if value is not None)
    count = 6
    edges = sorted({known[min(len(known) - 1, len(known) * k // count)] for k in range(count)})
    upper = [*edges[1:], known[-1]]
    labels = [f"{low:.3g}–{high:.3g}" for low, high in zip(edges, upper, strict=True)]
    low, high = known[0], known[-1]
    index = [
        None if v is None else max(p for p, edge in enumerate(edges) if v >= edge) for v in values
    ]
    shares = [None if v is None else (v - low) / (high - low or 1.0) for v in values]
    reach = high - low or 1.0
    marks = [(tick_label(tick), (tick - low) / reach) for tick in ticks(low, high, 5)]
    return Levels(labels, index, marks, shares)
