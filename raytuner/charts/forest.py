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


_ROW = 50.0


def forest(
    rows: Sequence[Estimate],
    *,
    title: str,
    desc: str = "",
    reference: float = 0.0,
    better: str = "better",
    worse: str = "worse",
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
        width: of the drawing.
    """
    ends = [end for row in rows for end in (row.value, row.low, row.high)]
    low, high = span(ends, reference)
    scale = Scale(low, high, 8, width - 8)
    bottom = 26 + len(rows) * _ROW
    zero = scale(reference)
    parts = [
        x_axis(scale, bottom, top=26),
        line(zero, 20, zero, bottom, stroke_width=1.2, stroke_dasharray="4 3"),
    ]
    if zero < width * 0.75:
        parts.append(text(zero + 7, 14, f"{better} →", font_size=12, opacity=0.75))
    if zero > width * 0.25:
        label = f"← {worse}"
        parts.append(text(zero - 7, 14, label, text_anchor="end", font_size=12, opacity=0.75))
    for position, row in enumerate(rows):
        parts.append(_row(row, scale, 26 + position * _ROW, width, reference))
    return figure(
        width, bottom + 24, *parts, title=title, desc=desc or _said(rows), kind="forest",
        linked=any(row.link for row in rows),
    )  # fmt: skip


def _row(row: Estimate, scale: Scale, top: float, width: float, reference: float) -> str:
    colour = _colour(row, reference)
    y = top + 34
    value = f"{signed(row.value)}  [{signed(row.low)}, {signed(row.high)}]"
    room = width - 16 - len(value) * 7
    spare = max(0.0, room - len(row.label) * 7.2 - 10)
    note = element("tspan", "  " + fit(row.note, spare), font_weight="normal", opacity=0.65)
    label = element(
        "text", _fitted(row.label, room), note if row.note and spare > 60 else "",
        x=8, y=top + 19, font_weight=600 if row.strong else "normal", class_="rt-label",
    )  # fmt: skip
    spelt = text(
        width - 8, top + 19, value, text_anchor="end", class_="rt-value",
        font_weight=600 if row.strong else "normal",
    )  # fmt: skip
    mark = _interval(row.value, row.low, row.high, scale, y, colour, strong=row.strong)
    group = element("g", tip(f"{row.label}: {value}"), label, spelt, mark)
    return element("a", group, href=row.link) if row.link else group


def _fitted(content: str, width: float) -> str:
    """Cut a label to a width, and escape it."""
    return escape(fit(content, width))


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


def _said(rows: Sequence[Estimate]) -> str:
    return "; ".join(
        f"{row.label}: {signed(row.value)}, interval {signed(row.low)} to {signed(row.high)}"
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
