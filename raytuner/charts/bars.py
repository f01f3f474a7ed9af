"""Amounts as horizontal bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from raytuner.charts.svg import BLUE, ORANGE, element, figure, fit, line, text, tip


class Part(NamedTuple):
    """One bar.

    Attributes:
        label: what it is an amount of.
        amount: its length.
        spelt: the amount, for people.
        rest: a second amount, drawn after the first in another tone.
    """

    label: str
    amount: float
    spelt: str
    rest: float = 0.0


_ROW = 28.0


def bars(parts: Sequence[Part], *, title: str, desc: str = "", width: float = 460) -> str:
    """Draw amounts as bars, one below the other.

    Args:
        parts: from the top; an amount that is not finite has no bar.
        title: what the chart is.
        desc: what it shows, for those who do not see it.
        width: of the drawing.
    """
    left = min(width * 0.34, 16 + 7.0 * max((len(part.label) for part in parts), default=0))
    right = 12 + 6.8 * max((len(part.spelt) for part in parts), default=0)
    most = max((_finite(p.amount) + _finite(p.rest) for p in parts), default=0.0) or 1.0
    room = width - left - right
    drawn = [line(left, 0, left, len(parts) * _ROW, stroke_opacity=0.4)]
    for position, part in enumerate(parts):
        y = position * _ROW
        first = _finite(part.amount) / most * room
        second = _finite(part.rest) / most * room
        drawn.append(
            element(
                "g",
                tip(f"{part.label}: {part.spelt}"),
                text(left - 8, y + 18, fit(part.label, left - 8), text_anchor="end"),
                element("rect", x=left, y=y + 6, width=first, height=16, fill=BLUE, rx=1),
                element("rect", x=left + first, y=y + 6, width=second, height=16, fill=ORANGE,
                        rx=1) if second else "",
                text(left + first + second + 8, y + 18, part.spelt, class_="rt-value"),
            )
        )  # fmt: skip
    said = desc or "; ".join(f"{part.label}: {part.spelt}" for part in parts)
    return figure(width, len(parts) * _ROW, *drawn, title=title, desc=said, kind="bars")


def _finite(amount: float) -> float:
    return amount if math.isfinite(amount) and amount > 0 else 0.0
