"""Every trial as a line through its parameters to its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from raytuner.charts.svg import BLUE, INK, RAMP, element, figure, fit, line, step_of, text, tip


class Axis(NamedTuple):
    """One parameter, or the score.

    Attributes:
        name: said above it.
        labels: of the marks on it, from the bottom.
        positions: of the marks, between 0 (bottom) and 1 (top).
        spread: lines that meet at one mark are fanned out by so much, the better ones above.
    """

    name: str
    labels: Sequence[str]
    positions: Sequence[float]
    spread: float = 0.0


class Line(NamedTuple):
    """One trial.

    Attributes:
        trial: its number.
        positions: where it meets every axis, between 0 and 1; None where it has no value.
        share: how good it is among all, between 0 (worst) and 1 (best).
        label: said where the pointer rests.
        strong: draw it as the one that matters.
        baseline: draw it as the one that others are compared with.
        faint: its score is an estimate; drawn thinner.
    """

    trial: int
    positions: Sequence[float | None]
    share: float
    label: str = ""
    strong: bool = False
    baseline: bool = False
    faint: bool = False


_TOP, _HEIGHT = 52.0, 260.0


def parallel(
    axes: Sequence[Axis],
    lines: Sequence[Line],
    *,
    title: str,
    desc: str = "",
    width: float = 960,
) -> str:
    """Draw parallel coordinates; worst lines first, so that the good ones lie on top.

    Args:
        axes: from the left; the last one is the score.
        lines: the trials.
        title: what the chart is.
        desc: what it shows, for those who do not see it.
        width: of the drawing.
    """
    side = 78.0
    gap = (width - 2 * side) / max(1, len(axes) - 1)
    xs = [side + position * gap for position in range(len(axes))]
    order = sorted(lines, key=lambda one: (one.strong, one.baseline, not one.faint, one.share))
    drawn = "".join(_line(one, axes, xs) for one in order)
    marks = "".join(
        _axis(axis, xs[p], gap, number=p, last=p == len(axes) - 1) for p, axis in enumerate(axes)
    )
    said = desc or f"{len(lines)} trials over {', '.join(axis.name for axis in axes)}."
    content = (element("g", drawn, class_="rt-lines", fill="none"), marks)
    return figure(
        width, _TOP + _HEIGHT + 26, *content, title=title, desc=said, kind="parallel", linked=True
    )


def _y(position: float) -> float:
    return _TOP + (1 - min(1.0, max(0.0, position))) * _HEIGHT


def _line(one: Line, axes: Sequence[Axis], xs: Sequence[float]) -> str:
    share = min(1.0, max(0.0, one.share)) if math.isfinite(one.share) else 0.5
    points = [
        (x, _y(p) - (share - 0.5) * axis.spread * _HEIGHT)
        for axis, x, p in zip(axes, xs, one.positions, strict=True)
        if p is not None and math.isfinite(p)
    ]
    colour = BLUE if one.strong else RAMP[step_of(one.share)]
    where = " ".join(
        "-" if p is None or not math.isfinite(p) else f"{p:.4f}" for p in one.positions
    )
    return element(
        "path",
        tip(one.label or f"trial {one.trial}"),
        d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else "M0 0",
        stroke=INK if one.baseline else colour,
        stroke_width=2.6 if one.strong else 2 if one.baseline else 0.8 if one.faint else 1.2,
        stroke_dasharray="5 4" if one.baseline else None,
        stroke_opacity=1 if one.strong or one.baseline else 0.75,
        data_trial=one.trial,
        data_at=where,
        class_="rt-line",
    )


def _half_step(positions: Sequence[float]) -> float:
    """Give half the distance of marks: what lies nearer to one of them than to the others."""
    order = sorted(positions)
    steps = [b - a for a, b in pairwise(order) if b > a]
    return min(steps) / 2 if steps else 0.05


def _axis(axis: Axis, x: float, gap: float, *, number: int, last: bool) -> str:
    reach = 0.004 if axis.spread else _half_step(axis.positions)
    parts = [
        text(x, 18 + 15 * (number % 2 if gap < 100 else 0), fit(axis.name, gap * 1.3 - 8),
             text_anchor="middle", font_weight=600, font_size=12),
        line(x, _TOP, x, _TOP + _HEIGHT, stroke_width=1.2, stroke_opacity=0.5),
    ]  # fmt: skip
    for label, position in zip(axis.labels, axis.positions, strict=True):
        y = _y(position)
        parts.append(line(x - 3, y, x + 3, y, stroke_opacity=0.6))
        shift = 8 if last else -8
        spelt = text(
            x + shift, y + 4, fit(label, 64 if last else gap * 0.55, 12),
            text_anchor="start" if last else "end", font_size=12, class_="rt-level rt-halo",
            data_axis=number, data_position=f"{position:.4f}",
            data_reach=f"{reach:.4f}",
        )  # fmt: skip
        parts.append(spelt)
    return element(
        "g", *parts, class_="rt-axis", data_axis=number, data_name=axis.name,
        data_x=x, data_top=_TOP, data_height=_HEIGHT,
    )  # fmt: skip
