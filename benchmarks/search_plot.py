"""Draws what benchmarks/search_efficiency.py has measured as an SVG, one panel a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

from search_replay import NEAR, Outcome, by_method, median_gaps

TITLE = "Gap to the best held-out score of the grid, median over seeds"
WIDTH, HEIGHT = 330, 240
LEFT, TOP, BETWEEN = 46, 40, 26
WORST = 0.2
"""Largest gap that is drawn."""
STYLES = {
    ("random", "none"): ("#888888", ""),
    ("sobol", "none"): ("#888888", "5 3"),
    ("hyperopt", "none"): ("#1f6fb4", ""),
    ("optuna", "none"): ("#2a9d5c", ""),
    ("bayes", "none"): ("#8a4fb5", ""),
    ("random", "asha"): ("#d9822b", ""),
    ("random", "hyperband"): ("#d9822b", "5 3"),
    ("hyperopt", "asha"): ("#1f6fb4", "5 3"),
    ("bohb", "bohb"): ("#c23b3b", ""),
}


def draw(outcomes: Sequence[Outcome]) -> str:
    """Draw how far the best trial so far is from the grid's best held-out score.

    Medians over seeds; both axes logarithmic, gaps below half of `NEAR` at the bottom line.
    """
    grids = list(dict.fromkeys(outcome.task.grid for outcome in outcomes))
    width = LEFT + len(grids) * (WIDTH + BETWEEN)
    legend = TOP + HEIGHT + 52
    size = f'width="{width}" height="{legend + 46}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        f'<rect {size} fill="white"/>',
        f'<text x="{LEFT}" y="16" font-size="13">{TITLE}</text>',
    ]
    for place, grid in enumerate(grids):
        mine = [outcome for outcome in outcomes if outcome.task.grid == grid]
        parts += _panel(grid, mine, LEFT + place * (WIDTH + BETWEEN), labelled=place == 0)
    for place, method in enumerate(by_method(outcomes)):
        x, y = LEFT + place % 5 * 190, legend + place // 5 * 20
        name = " + ".join(part for part in method if part != "none")
        parts.append(_line([(x, y - 4), (x + 26, y - 4)], *STYLES[method]))
        parts.append(f'<text x="{x + 32}" y="{y}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(grid: str, outcomes: Sequence[Outcome], left: int, *, labelled: bool) -> list[str]:
    first = min(outcome.questions for outcome in outcomes)
    last = max(outcome.limit for outcome in outcomes)
    span = math.log(last / first)
    counts = [first * math.exp(span * step / 120) for step in range(121)]

    def place(asked: float, gap: float) -> tuple[float, float]:
        lowest = NEAR / 2
        share = math.log(WORST / max(gap, lowest)) / math.log(WORST / lowest)
        return left + WIDTH * math.log(asked / first) / span, TOP + HEIGHT * share

    parts = [f'<text x="{left}" y="{TOP - 8}" font-weight="bold">{grid}</text>']
    for gap in (0.2, 0.1, 0.05, 0.02, NEAR):
        y = place(first, gap)[1]
        near = gap == NEAR
        parts.append(_line([(left, y), (left + WIDTH, y)], "#333333" if near else "#dddddd", ""))
        if labelled:
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{gap:.0%}</text>')
    for asked in _ticks(first, last):
        x = place(asked, NEAR)[0]
        parts.append(_line([(x, TOP), (x, TOP + HEIGHT)], "#eeeeee", ""))
        parts.append(
            f'<text x="{x:.1f}" y="{TOP + HEIGHT + 15}" text-anchor="middle">{asked:,}</text>'
        )
    parts.append(
        f'<text x="{left + WIDTH / 2}" y="{TOP + HEIGHT + 30}" text-anchor="middle">'
        "question-evaluations</text>"
    )
    for method, found in by_method(outcomes).items():
        gaps = zip(counts, median_gaps(found, counts), strict=True)
        points = [place(asked, gap) for asked, gap in gaps if gap <= WORST]
        parts.append(_line(points, *STYLES[method]))
    return parts


def _ticks(first: float, last: float) -> list[int]:
    """List 1, 2 and 5 times the powers of ten that lie between."""
    powers = range(int(math.log10(first)), int(math.log10(last)) + 1)
    return [n for p in powers for n in (10**p, 2 * 10**p, 5 * 10**p) if first <= n <= last]


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    spelt = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{spelt}" fill="none" stroke="{colour}" stroke-width="1.4"{dashed}/>'
