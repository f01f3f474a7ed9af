"""Quality against what it costs, with the trials that no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from raytuner.charts.svg import (
    BLUE,
    INK,
    PAPER,
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


class Point(NamedTuple):
    """One trial.

    Attributes:
        trial: its number.
        x, y: what it costs, and how good it is.
        front: no other trial is better in one and at least equal in the other.
        firm: and that holds for most other samples of questions too.
        label: said where the pointer rests.
        baseline: the one that others are compared with.
    """

    trial: int
    x: float
    y: float
    front: bool = False
    firm: bool = False
    label: str = ""
    baseline: bool = False


def scatter(
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    title: str,
    desc: str = "",
    width: float = 640,
) -> str:
    """Draw trials as points, and their front as steps; firm ones filled, others open.

    Args:
        points: trials; those without finite numbers are left out.
        x_label: what grows to the right.
        y_label: what grows upwards.
        title: what the chart is.
        desc: what it shows, for those who do not see it.
        width: of the drawing.
    """
    drawn = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    height = max(240.0, width * 0.5)
    x = Scale(*span([p.x for p in drawn]), 58, width - 16)
    y = Scale(*span([p.y for p in drawn]), height - 46, 30)
    front = sorted((p for p in drawn if p.front), key=lambda p: (p.x, p.y))
    parts = [
        x_axis(x, height - 46, top=30),
        y_axis(y, 58, right=width - 16),
        text(58, 16, y_label, font_weight=600, font_size=12),
        text(width - 16, height - 8, x_label, text_anchor="end", font_weight=600, font_size=12),
        _path(front, x, y),
        *(_point(p, x, y) for p in sorted(drawn, key=lambda p: (p.front, p.baseline))),
    ]
    said = desc or "On the front: " + "; ".join(
        f"trial {p.trial}: {number(p.y)} at {number(p.x)}" for p in front
    )
    return figure(width, height, *parts, title=title, desc=said, kind="scatter", linked=True)


def _path(front: Sequence[Point], x: Scale, y: Scale) -> str:
    """Join the front by steps: between two points, the quality of the cheaper one is had."""
    if len(front) < 2:
        return ""
    d = f"M{x(front[0].x):.1f} {y(front[0].y):.1f}"
    for p in front[1:]:
        d += f"H{x(p.x):.1f}V{y(p.y):.1f}"
    return element("path", d=d, fill="none", stroke=BLUE, stroke_width=1.6, stroke_opacity=0.7)


def _point(p: Point, x: Scale, y: Scale) -> str:
    cx, cy = x(p.x), y(p.y)
    said = p.label or f"trial {p.trial}: {number(p.y)} at {number(p.x)}"
    if p.baseline:
        mark = element(
            "rect", x=cx - 5, y=cy - 5, width=10, height=10, fill=PAPER, stroke=INK,
            stroke_width=2, transform=f"rotate(45 {cx:.1f} {cy:.1f})",
        )  # fmt: skip
    elif p.front:
        mark = element(
            "circle", cx=cx, cy=cy, r=5.5, stroke=BLUE, stroke_width=2,
            fill=BLUE if p.firm else PAPER,
        )  # fmt: skip
    else:
        mark = element("circle", cx=cx, cy=cy, r=3.5, fill=INK, fill_opacity=0.35)
    label = text(cx + 9, cy - 7, p.trial, font_size=12) if p.front else ""
    return element("a", tip(said), mark, label, href=f"#trial-{p.trial}", data_trial=p.trial)
