"""Estimates with their intervals against a reference: a forest plot, and one of a line's height."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from raytuner.charts.svg import (
    BLUE,
    GREEN,
    INK,
    VERMILLION,
    Scale,
    element,
    escape,
    figure,
    fit,
    line,
    number,
    signed,
    span,
    text,
    tip,
    x_axis,
)  # fmt: skip


class Estimate(NamedTuple):
    """A row of a forest plot.

    Attributes:
        label: what is estimated.
        value, low, high: the estimate and its interval; ends may be infinite.
        note: said beside the label, in a lighter tone.
        strong: draw it as the one that matters.
        link: address that a click leads to.
    """

    label: str
    value: float
    low: float
    high: float
    note: str = ""
    strong: bool = False
    link: str | None = None


_TOP = 24.0
_BELOW = 38.0
"""From the top of a row to its bar, where the label stands above it."""


def forest(
    rows: Sequence[Estimate],
    *,
    title: str,
    desc: str = "",
    reference: float = 0.0,
    better: str = "better",
    worse: str = "worse",
    digits: int = 3,
    width: float = 640,
) -> str:
    """Draw estimates with intervals, one below the other, against a vertical reference line.

    Args:
        rows: what is drawn, from the top.
        title: what the chart is.
        desc: what it shows, for those who do not see it.
        reference: where "no difference" lies.
        better: said at the right of the reference.
        worse: said at the left of it.
        digits: after the point.
        width: of the drawing.
    """
    side = _Side(width * 0.34, 186.0) if width >= 600 else _Side(0.0, 0.0)
    low, high = span([end for row in rows for end in (row.value, row.low, row.high)], reference)
    scale = Scale(low, high, side.left + 8, width - side.right - 8)
    height = 42.0 if side.left else 52.0
    bottom = _TOP + len(rows) * height
    zero = scale(reference)
    parts = [
        x_axis(scale, bottom, top=_TOP),
        _reference(zero, bottom, len(rows), height, whole=bool(side.left)),
        _sides(scale, zero, better, worse),
    ]
    for position, row in enumerate(rows):
        parts.append(_row(row, scale, _TOP + position * height, width, side, reference, digits))
    return figure(
        width, bottom + 24, *parts, title=title, desc=desc or _said(rows, digits), kind="forest",
        linked=any(row.link for row in rows),
    )  # fmt: skip


class _Side(NamedTuple):
    """Pixels beside the drawing for labels and values; none where they stand above each bar."""

    left: float
    right: float


def _reference(x: float, bottom: float, rows: int, height: float, *, whole: bool) -> str:
    """Draw the reference line; in pieces where labels stand above the bars."""
    if whole:
        return line(x, _TOP - 6, x, bottom, stroke_width=1.2, stroke_dasharray="4 3")
    ends = [_TOP + position * height + _BELOW for position in range(rows)]
    return "".join(line(x, y - 7, x, y + 7, stroke_width=1.2) for y in ends)


def _sides(scale: Scale, zero: float, better: str, worse: str) -> str:
    """Say which side of the reference is better, where there is room for it."""
    parts = []
    if scale.end - zero > 60:
        parts.append(text(zero + 7, 12, f"{better} →", font_size=12, opacity=0.75))
    if zero - scale.start > 60:
        label = f"← {worse}"
        parts.append(text(zero - 7, 12, label, text_anchor="end", font_size=12, opacity=0.75))
    return "".join(parts)


def _row(
    row: Estimate,
    scale: Scale,
    top: float,
    width: float,
    side: _Side,
    reference: float,
    digits: int,
) -> str:
    colour = _colour(row, reference)
    weight = 600 if row.strong else "normal"
    value = f"{signed(row.value, digits)}  [{signed(row.low, digits)}, {signed(row.high, digits)}]"
    if side.left:
        y = top + 20
        label = text(
            0, y - 1, fit(row.label, side.left), font_weight=weight, class_="rt-label"
        ) + text(0, y + 15, fit(row.note, side.left, 12), font_size=12, opacity=0.65)
        spelt = text(width, y + 4, value, text_anchor="end", class_="rt-value", font_weight=weight)
    else:
        y = top + _BELOW
        room = width - len(value) * 7
        note = element("tspan", "  " + escape(fit(row.note, width - 60, 12)), opacity=0.65,
                       font_size=12, font_weight="normal", x=0, dy=15)  # fmt: skip
        label = element(
            "text", escape(fit(row.label, room)), note if row.note else "", x=0, y=top + 12,
            font_weight=weight, class_="rt-label rt-halo",
        )  # fmt: skip
        spelt = text(
            width, top + 12, value, text_anchor="end", class_="rt-value rt-halo",
            font_weight=weight,
        )  # fmt: skip
    mark = _interval(row.value, row.low, row.high, scale, y, colour, strong=row.strong)
    group = element("g", tip(f"{row.label}: {value}"), label, spelt, mark)
    return element("a", group, href=row.link) if row.link else group


def _colour(row: Estimate, reference: float) -> str:
    if row.low > reference:
        return GREEN
    if row.high < reference:
        return VERMILLION
    return BLUE if row.strong else INK


def _interval(
    value: float, low: float, high: float, scale: Scale, y: float, colour: str, *, strong: bool
) -> str:
    """Draw a line from end to end and a point; an end that is not known fades out as dashes."""
    known = math.isfinite(low) and math.isfinite(high)
    left = scale(low if math.isfinite(low) else scale.low)
    right = scale(high if math.isfinite(high) else scale.high)
    parts = [
        line(
            left, y, right, y, stroke=colour, stroke_width=3 if strong else 2,
            stroke_linecap="round", stroke_dasharray=None if known else "2 5",
        )
    ]  # fmt: skip
    if known:
        parts += [line(x, y - 4, x, y + 4, stroke=colour, stroke_width=1.5) for x in (left, right)]
    if math.isfinite(value):
        parts.append(
            element("circle", cx=scale(value), cy=y, r=5.5 if strong else 4.5, fill=colour)
        )
    return "".join(parts)


def _said(rows: Sequence[Estimate], digits: int) -> str:
    return "; ".join(
        f"{row.label}: {signed(row.value, digits)}, interval {signed(row.low, digits)} to "
        f"{signed(row.high, digits)}"
        for row in rows
    )


def whisker(
    value: float,
    low: float | None,
    high: float | None,
    *,
    domain: tuple[float, float],
    reference: float | None = None,
    strong: bool = False,
    width: float = 132,
) -> str:
    """Draw one estimate with its interval, of a text line's height, for a table.

    Args:
        value: the estimate.
        low: where its interval begins, or None.
        high: where it ends, or None.
        domain: the numbers at the left and the right edge: the same for the whole table.
        reference: where a tick stands, as of a baseline.
        strong: draw it as the one that matters.
        width: of the drawing.
    """
    scale = Scale(*domain, 4, width - 4)
    colour = BLUE if strong else INK
    parts = [line(4, 9, width - 4, 9, stroke_opacity=0.12)]
    if reference is not None and math.isfinite(reference):
        x = scale(reference)
        parts.append(line(x, 1, x, 17, stroke=VERMILLION, stroke_width=1.3))
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    if math.isfinite(low) and math.isfinite(high):
        parts.append(
            line(scale(low), 9, scale(high), 9, stroke=colour, stroke_width=2, stroke_opacity=0.55)
        )
    if math.isfinite(value):
        parts.append(element("circle", cx=scale(value), cy=9, r=3.5, fill=colour))
    said = f"{number(value)}, 95 % interval {number(low)} to {number(high)}"
    return figure(width, 18, *parts, title=said, desc="", kind="whisker")
