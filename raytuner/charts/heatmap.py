"""The mean score of every pair of levels of two parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from raytuner.charts.svg import (
    RAMP,
    RAMP_INK,
    element,
    figure,
    fit,
    number,
    step_of,
    text,
    tip,
)  # fmt: skip


def heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    row_name: str,
    column_name: str,
    title: str,
    desc: str = "",
    counts: Sequence[Sequence[int]] | None = None,
    maximise: bool = True,
    width: float = 560,
) -> str:
    """Draw a table whose cells are shaded by their value; the strongest shade is the best.

    Args:
        rows: levels of the first parameter.
        columns: levels of the second one.
        values: shape [rows, columns]; None or NaN where there is nothing.
        row_name: the first parameter.
        column_name: the second one.
        title: what the chart is.
        desc: what it shows, for those who do not see it.
        counts: trials behind every cell.
        maximise: whether a larger value is better.
        width: of the drawing.
    """
    left = min(150.0, 20 + 7.4 * max((len(row) for row in rows), default=0))
    cell = (width - left - 2) / max(1, len(columns))
    height = min(44.0, max(26.0, cell * 0.5))
    top = 46.0
    known = [v for row in values for v in row if v is not None and math.isfinite(v)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    best = (max(known) if maximise else min(known)) if known else None
    parts = [
        text(0, 14, fit(f"{row_name} ↓", width / 2 - 8), font_weight=600),
        text(width, 14, fit(f"{column_name} →", width / 2 - 8), font_weight=600, text_anchor="end"),
    ]
    for c, column in enumerate(columns):
        x = left + (c + 0.5) * cell
        parts.append(text(x, 38, fit(column, cell - 4), text_anchor="middle", font_size=12))
    for r, row in enumerate(rows):
        y = top + r * height
        label = fit(row, left - 14)
        parts.append(text(left - 8, y + height / 2 + 4, label, text_anchor="end", font_size=12))
        for c, column in enumerate(columns):
            value = values[r][c]
            count = counts[r][c] if counts else None
            said = f"{row_name} = {row}, {column_name} = {column}: {number(value)}"
            said += "" if count is None else f" ({count} trials)"
            share = _share(value, low, high, maximise=maximise)
            parts.append(
                _cell(left + c * cell, y, cell, height, value, share, said, best=value == best)
            )
    total = top + len(rows) * height + 4
    said = desc or f"Best cell {number(best)}; from {number(low)} to {number(high)}."
    return figure(width, total, *parts, title=title, desc=said, kind="heatmap")


def _share(value: float | None, low: float, high: float, *, maximise: bool) -> float:
    if value is None or not math.isfinite(value) or high <= low:
        return 0.5
    share = (value - low) / (high - low)
    return share if maximise else 1 - share


def _cell(
    x: float,
    y: float,
    width: float,
    height: float,
    value: float | None,
    share: float,
    said: str,
    *,
    best: bool,
) -> str:
    if value is None or not math.isfinite(value):
        empty = element(
            "rect", x=x + 1, y=y + 1, width=width - 2, height=height - 2, rx=2, fill="none",
            stroke="currentColor", stroke_opacity=0.15, stroke_dasharray="3 3",
        )  # fmt: skip
        return element("g", tip(said), empty)
    step = step_of(share)
    rect = element(
        "rect", x=x + 1, y=y + 1, width=width - 2, height=height - 2, rx=2, fill=RAMP[step],
    )  # fmt: skip
    label = text(
        x + width / 2, y + height / 2 + 4, number(value, 3 if width > 46 else 2),
        text_anchor="middle", fill=RAMP_INK[step], font_size=13 if width > 46 else 11,
        font_weight=700 if best else "normal", class_="rt-value",
    )  # fmt: skip
    return element("g", tip(said), rect, label)
