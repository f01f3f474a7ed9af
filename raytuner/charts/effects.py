"""What each level of one parameter does to the score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from raytuner.charts.svg import (
    GREEN,
    INK,
    VERMILLION,
    Scale,
    element,
    figure,
    fit,
    line,
    signed,
    span,
    text,
    tip,
    x_axis,
)  # fmt: skip


class Level(NamedTuple):
    """The effect of one value of a parameter.

    Attributes:
        value: as it is spelt.
        effect, low, high: mean paired difference to the mean of all levels, with its interval.
        trials: how many configurations have the value.
        few: too few to lean on; drawn faintly.
    """

    value: str
    effect: float
    low: float
    high: float
    trials: int = 0
    few: bool = False


_ROW, _TOP = 25.0, 10.0


def reach(levels: Sequence[Level]) -> tuple[float, float]:
    """Give the numbers that a chart of these levels must show; 0 is among them.

    Levels that rest on few trials do not count where others are there: their intervals are wide.
    """
    sure = [level for level in levels if not level.few] or levels
    return span([end for level in sure for end in (level.effect, level.low, level.high)], 0.0)


def room(levels: Sequence[Level]) -> float:
    """Give the pixels that the longest spelt value takes."""
    return 14 + 7.2 * max((len(level.value) for level in levels), default=0)


def effects(
    levels: Sequence[Level],
    *,
    title: str,
    desc: str = "",
    domain: tuple[float, float] | None = None,
    label_width: float | None = None,
    width: float = 300,
) -> str:
    """Draw the effect of every level with its interval; right of the line is better.

    Args:
        levels: in the order they are drawn.
        title: the parameter.
        desc: what it shows, for those who do not see it.
        domain: the numbers at the edges; the same for charts that are compared.
        label_width: pixels for the spelt values; the same for charts that are compared.
        width: of the drawing.
    """
    margin = min(width * 0.36, label_width or room(levels))
    scale = Scale(*(domain or reach(levels)), margin + 8, width - 62)
    bottom = _TOP + len(levels) * _ROW
    zero = scale(0.0)
    parts = [
        x_axis(scale, bottom, top=_TOP),
        line(zero, _TOP - 4, zero, bottom, stroke_width=1.2, stroke_dasharray="4 3"),
    ]
    for position, level in enumerate(levels):
        parts.append(_level(level, scale, _TOP + (position + 0.5) * _ROW, margin, width))
    said = "; ".join(
        f"{level.value}: {signed(level.effect)} ({signed(level.low)} to {signed(level.high)})"
        for level in levels
    )
    return figure(width, bottom + 24, *parts, title=title, desc=desc or said, kind="effects")


def _level(level: Level, scale: Scale, y: float, margin: float, width: float) -> str:
    colour = GREEN if level.low > 0 else VERMILLION if level.high < 0 else INK
    said = (
        f"{level.value}: {signed(level.effect)}, 95 % interval {signed(level.low)} to "
        f"{signed(level.high)}, {level.trials} trials{', too few to lean on' if level.few else ''}"
    )
    return element(
        "g",
        tip(said),
        text(margin, y + 4, fit(level.value, margin - 4), text_anchor="end"),
        line(scale(level.low), y, scale(level.high), y, stroke=colour, stroke_width=2.2),
        element("circle", cx=scale(level.effect), cy=y, r=4, fill=colour),
        text(
            width - 2, y + 4, signed(level.effect), text_anchor="end", font_size=12, opacity=0.8,
            class_="rt-value",
        ),
        opacity=0.45 if level.few else None,
    )  # fmt: skip
