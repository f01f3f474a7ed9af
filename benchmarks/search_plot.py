"""Draws what benchmarks/search_efficiency.py has measured as an SVG, one column a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search_methods import OURS, RANDOM, TUNER
from search_outcome import NEAR, Outcome, by_grid, by_method, median

TITLE = (
    "Gap of what is recommended to the best of the grid on held-out questions, median over seeds"
)
WIDTH, HEIGHT = 250, 190
LEFT, TOP, BETWEEN, BELOW = 46, 40, 26, 58
WORST = 0.2
"""Largest gap that is drawn."""
FIRST = 0.01
"""Smallest share that is drawn, of evaluations or dollars."""
STYLES = {
    RANDOM: ("#888888", ""),
    "hyperopt+none": ("#1f6fb4", ""),
    TUNER: ("#1f6fb4", "5 3"),
    "bohb+bohb": ("#c23b3b", ""),
    "optuna+none": ("#2a9d5c", ""),
    "greedy+none": ("#d9822b", ""),
    "greedy+race": ("#d9822b", "5 3"),
    "grid+race": ("#888888", "5 3"),
    "bayes+race*": ("#8a4fb5", "5 3"),
    OURS: ("#000000", ""),
}
OTHER = ("#bbbb33", "2 2")
AXES = (("asked", "evaluations"), ("usd", "dollars"))


def draw(outcomes: Sequence[Outcome]) -> str:
    """Draw how far what is recommended is from the best, by evaluations and by dollars.

    Medians over seeds, shares of what the whole grid takes; all axes logarithmic, gaps below half
    of `NEAR` at the bottom line.
    """
    grids = by_grid(outcomes)
    width = LEFT + max(3, len(grids)) * (WIDTH + BETWEEN)
    legend = TOP + len(AXES) * (HEIGHT + BELOW)
    methods = list(by_method(outcomes))
    size = f'width="{width}" height="{legend + 20 * -(-len(methods) // 5)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        f'<rect {size} fill="white"/>',
        f'<text x="{LEFT}" y="16" font-size="13">{TITLE}</text>',
    ]
    for across, (grid, mine) in enumerate(grids.items()):
        for down, (by, name) in enumerate(AXES):
            corner = LEFT + across * (WIDTH + BETWEEN), TOP + down * (HEIGHT + BELOW)
            parts += _panel(mine, by, f"{grid}, by {name}", corner, labelled=across == 0)
    for place, method in enumerate(methods):
        x, y = LEFT + place % 5 * 170, legend + place // 5 * 20
        name = method.replace("+none", "").replace("+", " + ").rstrip("*")
        parts.append(_line([(x, y - 4), (x + 26, y - 4)], *STYLES.get(method, OTHER)))
        parts.append(f'<text x="{x + 32}" y="{y}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(
    outcomes: Sequence[Outcome], by: str, title: str, corner: tuple[float, float], *, labelled: bool
) -> list[str]:
    left, top = corner
    last = max(_spent(outcome, by) for outcome in outcomes)
    span = math.log(max(last, 2 * FIRST) / FIRST)
    shares = [FIRST * math.exp(span * step / 100) for step in range(101)]

    def place(share: float, gap: float) -> tuple[float, float]:
        lowest = NEAR / 2
        depth = math.log(WORST / max(gap, lowest)) / math.log(WORST / lowest)
        return left + WIDTH * math.log(share / FIRST) / span, top + HEIGHT * depth

    parts = [f'<text x="{left}" y="{top - 6}" font-weight="bold">{title}</text>']
    for gap in (0.2, 0.1, 0.05, 0.02, NEAR):
        y = place(FIRST, gap)[1]
        near = gap == NEAR
        parts.append(_line([(left, y), (left + WIDTH, y)], "#333333" if near else "#dddddd", ""))
        if labelled:
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{gap:.0%}</text>')
    for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5):
        if share <= last:
            x = place(share, NEAR)[0]
            parts.append(_line([(x, top), (x, top + HEIGHT)], "#eeeeee", ""))
            parts.append(
                f'<text x="{x:.1f}" y="{top + HEIGHT + 15}" text-anchor="middle">{share:.0%}</text>'
            )
    parts.append(
        f'<text x="{left + WIDTH / 2}" y="{top + HEIGHT + 30}" text-anchor="middle">'
        f"share of the grid&#8217;s {dict(AXES)[by]}</text>"
    )
    for method, mine in by_method(outcomes).items():
        gaps = [(share, _gap(mine, share, by)) for share in shares]
        points = [place(share, gap) for share, gap in gaps if gap <= WORST]
        parts.append(_line(points, *STYLES.get(method, OTHER)))
    return parts


def _whole(outcome: Outcome, by: str) -> float:
    return outcome.truth.usd if by == "usd" else outcome.truth.evaluations


def _spent(outcome: Outcome, by: str) -> float:
    return float(getattr(outcome, by)) / _whole(outcome, by)


def _gap(outcomes: Sequence[Outcome], share: float, by: str) -> float:
    return median(outcome.gap(share * _whole(outcome, by), by=by) for outcome in outcomes)


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    spelt = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{spelt}" fill="none" stroke="{colour}" stroke-width="1.4"{dashed}/>'
