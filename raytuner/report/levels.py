"""Puts the values of a parameter into a few levels that a chart can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from raytuner.printable import spell

MOST = 8
"""Levels of a parameter that are shown; numbers beyond are binned, others joined."""


class Levels(NamedTuple):
    """The levels of one parameter.

    Attributes:
        labels: of the levels, in their order.
        index: the level of every value; None where a trial has no value.
        shares: where every value lies between 0 and 1, for an axis; None likewise.
    """

    labels: list[str]
    index: list[int | None]
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
        return _few(values, order, [spell(distinct[key], width) for key in order])
    if numeric:
        return _bins(values)
    kept = order[: MOST - 1]
    labels = [*(spell(distinct[key], width) for key in kept), f"{len(order) - len(kept)} others"]
    place = {key: min(p, MOST - 1) for p, key in enumerate(order)}
    index = [None if v is None else place[repr(v)] for v in values]
    return Levels(labels, index, [None if i is None else i / (MOST - 1) for i in index])


def _is_number(value: Any) -> bool:
    kind = isinstance(value, int | float) and not isinstance(value, bool)
    return kind and math.isfinite(value)


def _few(values: Sequence[Any], order: Sequence[str], labels: list[str]) -> Levels:
    place = {key: p for p, key in enumerate(order)}
    index = [None if value is None else place[repr(value)] for value in values]
    last = max(1, len(order) - 1)
    middle = len(order) == 1
    shares = [None if i is None else 0.5 if middle else i / last for i in index]
    return Levels(labels, index, shares)


def _bins(values: Sequence[Any]) -> Levels:
    """Cut numbers into bins of about equally many trials."""
    known = sorted(float(value) for value in values if value is not None)
    count = 6
    edges = sorted({known[min(len(known) - 1, len(known) * k // count)] for k in range(count)})
    upper = [*edges[1:], known[-1]]
    labels = [f"{low:.4g} – {high:.4g}" for low, high in zip(edges, upper, strict=True)]
    low, high = known[0], known[-1]
    index = [
        None if v is None else max(p for p, edge in enumerate(edges) if v >= edge) for v in values
    ]
    shares = [None if v is None else (v - low) / (high - low or 1.0) for v in values]
    return Levels(labels, index, shares)
