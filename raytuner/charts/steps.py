"""The best so far, as a study goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from raytuner.charts.svg import (
    BLUE,
    INK,
    VERMILLION,
    Scale,
    element,
    figure,
    line,
    number,
    span,
    text,
    tip,
    x_axis,
    y_axis,
)  # fmt: skip


class Series(NamedTuple):
    """A quantity that keeps its value until it changes.

    Attributes:
        xs, ys: where it changes, and to what; xs grow.
        labels: said where the pointer rests on a change.
        end: up to where the last value holds.
    """

    xs: Sequence[float]
    ys: Sequence[float]
    labels: Sequence[str] = ()
    end: float | None = None


def steps(
    series: Series,
    *,
    x_label: str,
    y_label: str,
    title: str,
    desc: str = "",
    reference: float | None = None,
    reference_label: str = "",
    width: float = 460,
) -> str:
    """Draw a step line, with a reference if there is one.

    Args:
        series: what is drawn.
        x_label: what grows to the right.
        y_label: what grows upwards.
        title: what the chart is.
        desc: what it shows, for those who do not see it.
        reference: a level to compare with.
        reference_label: what that level is.
        width: of the drawing.
    """
    pairs = [
        (float(x), float(y))
        for x, y in zip(series.xs, series.ys, strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    end = max([series.end or 0.0, *(x for x, _ in pairs)], default=1.0)
    height = max(210.0, width * 0.5)
    given = [] if reference is None else [reference]
    x = Scale(0.0, end or 1.0, 54, width - 16)
    y = Scale(*span([p for _, p in pairs], *given), height - 46, 30)
    parts = [
        x_axis(x, height - 46, top=30),
        y_axis(y, 54, right=width - 16),
        text(54, 16, y_label, font_weight=600, font_size=12),
        text(width - 16, height - 8, x_label, text_anchor="end", font_weight=600, font_size=12),
    ]
    if reference is not None and math.isfinite(reference):
        level = y(reference)
        parts += [
            line(54, level, width - 16, level, stroke=VERMILLION, stroke_dasharray="5 4"),
            text(width - 18, level - 6, reference_label, text_anchor="end", font_size=12,
                 class_="rt-halo", fill=VERMILLION),
        ]  # fmt: skip
    parts.append(_path(pairs, x, y, end))
    labels = [*series.labels, *([""] * len(pairs))]
    for (px, py), label in zip(pairs, labels, strict=False):
        parts.append(
            element("circle", tip(label or number(py)), cx=x(px), cy=y(py), r=3.2, fill=BLUE)
        )
    said = desc or (f"From {number(pairs[0][1])} to {number(pairs[-1][1])}." if pairs else "Empty.")
    return figure(width, height, *parts, title=title, desc=said, kind="steps")


def _path(pairs: Sequence[tuple[float, float]], x: Scale, y: Scale, end: float) -> str:
    if not pairs:
        return text((x.start + x.end) / 2, (y.start + y.end) / 2, "nothing yet", fill=INK,
                    text_anchor="middle", opacity=0.6)  # fmt: skip
    d = f"M{x(pairs[0][0]):.1f} {y(pairs[0][1]):.1f}"
    for px, py in pairs[1:]:
        d += f"H{x(px):.1f}V{y(py):.1f}"
    return element("path", d=f"{d}H{x(end):.1f}", fill="none", stroke=BLUE, stroke_width=2)
