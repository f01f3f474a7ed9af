"""A family of trials: who descends from whom, generation by generation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from raytuner.charts.svg import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    VERMILLION,
    Scale,
    element,
    figure,
    line,
    number,
    span,
    text,
    tip,
    y_axis,
)  # fmt: skip


class Member(NamedTuple):
    """One trial of a family.

    Attributes:
        name: tells it apart; its parents name it so.
        generation: the column it stands in.
        score: how high it stands; one that is not finite is left out.
        how: what made it.
        parents: names of trials; those that are not drawn are left out.
        line: whether it is an ancestor of the best, or the best itself.
        label: said where the pointer rests on it.
    """

    name: int
    generation: int
    score: float
    how: str = ""
    parents: tuple[int, ...] = ()
    line: bool = False
    label: str = ""


_COLOURS = (BLUE, GREEN, ORANGE)
_LEFT, _TOP, _FOOT = 54, 34, 46
_EDGES = 600
"""Up to how many lines to parents are drawn of those who are no ancestors of the best."""


def family(
    members: Sequence[Member],
    *,
    y_label: str,
    title: str,
    maximise: bool = True,
    width: float = 760,
) -> str:
    """Draw a family tree: a column per generation, a line to each parent.

    The best of every generation are joined by a dashed line; the ancestors of the best are solid.

    Args:
        members: in the order in which they were made.
        y_label: what the score is.
        title: what the chart is.
        maximise: whether a high score is good.
        width: of the drawing.
    """
    drawn = [one for one in members if math.isfinite(one.score)]
    height = max(260.0, width * 0.45)
    y = Scale(*span([one.score for one in drawn]), height - _FOOT, _TOP)
    columns = sorted({one.generation for one in drawn})
    places = _places(drawn, columns, width)
    made = dict.fromkeys(one.how for one in drawn if one.parents)
    colours = {how: _COLOURS[n % len(_COLOURS)] for n, how in enumerate(made)}
    at = {one.name: (places[one.name], y(float(one.score))) for one in drawn}
    parts = [
        _columns(columns, width, height),
        y_axis(y, _LEFT, right=width - 16),
        text(_LEFT, 16, y_label, font_weight=600, font_size=12),
        text(width - 16, height - 8, "generation", text_anchor="end", font_weight=600,
             font_size=12),
        *_edges(drawn, at),
        _leaders(drawn, at, columns, maximise=maximise),
        *(_dot(one, at[one.name], colours) for one in sorted(drawn, key=lambda one: one.line)),
        _legend(colours, width),
    ]  # fmt: skip
    said = "Nobody has a score yet."
    if drawn:
        best = (max if maximise else min)(one.score for one in drawn)
        bred = sum(bool(one.parents) for one in drawn)
        said = (
            f"{len(drawn)} trials in {len(columns)} generations, {bred} with parents; the best "
            f"has {number(best)}."
        )
    return figure(width, height, *parts, title=title, desc=said, kind="family")


def _places(drawn: Sequence[Member], columns: Sequence[int], width: float) -> dict[int, float]:
    """Spread the members of a generation over its column, the oldest at the left."""
    wide = (width - 16 - _LEFT) / max(1, len(columns))
    found: dict[int, float] = {}
    for place, generation in enumerate(columns):
        own = [one.name for one in drawn if one.generation == generation]
        for rank, name in enumerate(own):
            share = (rank + 0.5) / len(own)
            found[name] = _LEFT + wide * (place + 0.08 + 0.84 * share)
    return found


def _columns(columns: Sequence[int], width: float, height: float) -> str:
    wide = (width - 16 - _LEFT) / max(1, len(columns))
    every = max(1, math.ceil(len(columns) * 26 / width))
    parts = []
    for place, generation in enumerate(columns):
        x = _LEFT + wide * place
        if place:
            parts.append(line(x, _TOP - 6, x, height - _FOOT, stroke_opacity=0.13))
        if place % every == 0:
            parts.append(
                text(x + wide / 2, height - _FOOT + 16, generation, text_anchor="middle",
                     font_size=12, opacity=0.7)
            )  # fmt: skip
    return "".join(parts)


def _edges(drawn: Sequence[Member], at: Mapping[int, tuple[float, float]]) -> list[str]:
    pairs = [(one, parent) for one in drawn for parent in one.parents if parent in at]
    ancestors = {one.name for one in drawn if one.line}
    strong = [(o, p) for o, p in pairs if o.line and p in ancestors]
    faint = [(o, p) for o, p in pairs if not (o.line and p in ancestors)][:_EDGES]
    return [
        line(*at[parent], *at[one.name], stroke=colour, stroke_width=wide, stroke_opacity=opacity)
        for some, colour, wide, opacity in ((faint, INK, 0.7, 0.16), (strong, VERMILLION, 1.6, 0.8))
        for one, parent in some
    ]


def _leaders(
    drawn: Sequence[Member],
    at: Mapping[int, tuple[float, float]],
    columns: Sequence[int],
    *,
    maximise: bool,
) -> str:
    """Join the best of every generation."""
    sign = 1 if maximise else -1
    best = [
        max((one for one in drawn if one.generation == column), key=lambda one: sign * one.score)
        for column in columns
    ]
    if len(best) < 2:
        return ""
    path = "L".join(f"{at[one.name][0]:.1f} {at[one.name][1]:.1f}" for one in best)
    return element(
        "path", d=f"M{path}", fill="none", stroke=INK, stroke_opacity=0.5, stroke_dasharray="4 4"
    )


def _dot(one: Member, place: tuple[float, float], colours: Mapping[str, str]) -> str:
    fill = colours.get(one.how, INK) if one.parents else PAPER
    return element(
        "circle", tip(one.label or f"{one.name}: {number(one.score)}"), cx=place[0], cy=place[1],
        r=4.6 if one.line else 3.0, fill=fill, stroke=VERMILLION if one.line else INK,
        stroke_width=1.6 if one.line else 0.8, stroke_opacity=1.0 if one.line else 0.6,
    )  # fmt: skip


def _legend(colours: Mapping[str, str], width: float) -> str:
    parts, x = [], width - 16.0
    for how, colour in reversed(list(colours.items())):
        name = how[:24]
        x -= 7.2 * len(name)
        parts.append(text(x, 16, name, font_size=12))
        parts.append(element("circle", cx=x - 9, cy=12, r=4, fill=colour))
        x -= 28
    return "".join(parts)
