"""How scores change from step to step: one line a trial."""

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
    number,
    span,
    text,
    tip,
    x_axis,
    y_axis,
)  # fmt: skip


class Curve(NamedTuple):
    """One line.

    Attributes:
        ys: the value after step 1, 2, ...; what is not finite ends the line.
        label: said where the pointer rests on it.
        role: `best`, `standing`, or empty for any other.
        since: step after which the line is its own; before that it is its parent's.
    """

    ys: Sequence[float]
    label: str
    role: str = ""
    since: int = 0


_LOOKS = {
    "best": {"stroke": BLUE, "stroke_width": 2.6},
    "standing": {"stroke": VERMILLION, "stroke_width": 2, "stroke_dasharray": "5 4"},
    "": {"stroke": INK, "stroke_width": 1.1, "stroke_opacity": 0.38},
}


def curves(
    lines: Sequence[Curve], *, x_label: str, y_label: str, title: str, width: float = 760
) -> str:
    """Draw learning curves; the ones with a role lie on top.

    Args:
        lines: of any length.
        x_label: what a step is.
        y_label: what is learned.
        title: what the chart is.
        width: of the drawing.
    """
    height = max(240.0, width * 0.42)
    most = max((len(one.ys) for one in lines), default=1)
    known = [y for one in lines for y in one.ys if math.isfinite(y)]
    x = Scale(1.0, max(2.0, float(most)), 54, width - 16)
    y = Scale(*span(known), height - 46, 30)
    ordered = sorted(lines, key=lambda one: ("", "standing", "best").index(one.role))
    parts = [
        x_axis(x, height - 46, top=30),
        y_axis(y, 54, right=width - 16),
        text(54, 16, y_label, font_weight=600, font_size=12),
        text(width - 16, height - 8, x_label, text_anchor="end", font_weight=600, font_size=12),
        *(_line(one, x, y) for one in ordered),
    ]
    low, high = (number(min(known)), number(max(known))) if known else ("–", "–")
    said = f"{len(lines)} trials, from {low} to {high}."
    return figure(width, height, *parts, title=title, desc=said, kind="curves")


def _line(one: Curve, x: Scale, y: Scale) -> str:
    points = []
    for step, value in enumerate(one.ys, start=1):
        if not math.isfinite(value):
            break
        if step >= one.since:
            points.append((x(float(step)), y(float(value))))
    if not points:
        return ""
    last = element("circle", cx=points[-1][0], cy=points[-1][1], r=2.6, fill=INK, opacity=0.5)
    path = "".join(
        f"{'L' if place else 'M'}{px:.1f} {py:.1f}" for place, (px, py) in enumerate(points)
    )
    looks: dict[str, object] = {**_LOOKS[one.role]}
    start = ""
    if one.since:
        start = element("circle", cx=points[0][0], cy=points[0][1], r=2.6, fill="none", **looks)
    drawn = element("path", d=path, fill="none", **looks)
    return element("g", tip(one.label), drawn, start, last)
