"""All trials at once, as lines through their parameters."""

from __future__ import annotations

from raytuner.charts import Axis, Line, parallel
from raytuner.charts.svg import element, number, tick_label, ticks
from raytuner.printable import plain, spell_params
from raytuner.report.data import Report
from raytuner.report.html import scroller, section
from raytuner.report.levels import levels
from raytuner.report.redact import strike
from raytuner.report.sections.heatmap import estimated

MOST = 9
"""Parameters that are shown, the most important ones."""


def render(report: Report) -> str:
    """Draw parallel coordinates; a script lets the reader choose among the lines."""
    results, standings = report.results, report.standings
    trials = [one.trial for one in standings]
    names = [name for name in _order(report) if _varies(report, name)][:MOST]
    if len(trials) < 2 or not names:
        return ""
    scores = [one.score for one in standings]
    low, high = min(scores), max(scores)
    reach = high - low or 1.0
    found = [levels([trial.params.get(name) for trial in trials], 14) for name in names]
    axes = []
    for name, level in zip(names, found, strict=True):
        labels, places = [mark[0] for mark in level.marks], [mark[1] for mark in level.marks]
        even = len(level.marks) == len(level.labels) and level.labels == labels
        spread = min(0.09, 0.4 / max(1, len(labels) - 1)) if even else 0.0
        axes.append(Axis(plain(name), labels, places, spread))
    marks = ticks(low, high, 5)
    axes.append(
        Axis(plain(results.metric or "score"), [tick_label(m) for m in marks],
             [(m - low) / reach for m in marks])
    )  # fmt: skip
    lines = []
    for row, (trial, score, exact) in enumerate(standings):
        share = (score - low) / reach
        said = strike(spell_params(trial.params))
        places_ = [level.shares[row] for level in found]
        lines.append(
            Line(
                trial.number, [*places_, share], share if results.maximise else 1 - share,
                f"trial {trial.number}: {number(score, 4) if exact else about(score)}; {said}",
                strong=trial.number == report.recommended, baseline=trial.baseline, faint=not exact,
            )
        )  # fmt: skip
    title = "Parallel coordinates of all trials"
    drawn = parallel(axes, lines, title=title, width=max(880, 130 * len(axes)))
    return section(
        "parallel", "Every trial",
        "One line a configuration, from its values to its score; the stronger a line, the better. "
        "The dashed one is the configuration as it stands. Drag along an axis, or choose a value "
        "by click or Enter, to see which configurations pass there.",
        scroller(drawn, title), element("p", class_="caption", id="brushed", aria_live="polite"),
        estimated(report),
    )  # fmt: skip


def about(score: float) -> str:
    """Spell an estimate."""
    return f"about {number(score, 2)}"


def _order(report: Report) -> list[str]:
    known = [knob.name for knob in report.effects.knobs if knob.name in report.results.parameters]
    kept = set(known)
    return [*known, *(name for name in report.results.parameters if name not in kept)]


def _varies(report: Report, name: str) -> bool:
    return (
        len({repr(trial.params.get(name)) for trial in [one.trial for one in report.standings]}) > 1
    )
