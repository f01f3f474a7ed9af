"""What every parameter does to the score."""

from __future__ import annotations

from raytuner.charts import Part, bars, effects
from raytuner.charts.effects import reach, room
from raytuner.charts.svg import element, escape, number
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import section
from raytuner.terminal.summary import dead_knobs

MOST = 24


def render(report: Report) -> str:
    """Draw the main effects, one small chart a parameter, all on one scale."""
    knobs = [knob for knob in report.effects.knobs[:MOST] if knob.levels]
    if not knobs:
        return ""
    domain = reach([level for knob in knobs for level in knob.levels])
    width = max(room(knob.levels) for knob in knobs)
    charts = [
        element(
            "figure",
            element("figcaption", escape(plain(knob.name))),
            effects(
                knob.levels, title=f"Effect of {plain(knob.name)}", domain=domain, label_width=width
            ),
        )
        for knob in knobs
    ]
    dead = ", ".join(map(plain, dead_knobs(report.results)))
    few = any(level.few for knob in knobs for level in knob.levels)
    notes = [
        report.effects.note,
        "Faint values rest on too few configurations to lean on." if few else "",
        f"No effect on any score: {dead}." if dead else "",
    ]
    said = " ".join(filter(None, notes))
    return section(
        "effects", "What matters",
        "How much better or worse each value does than the others, everything else being equal: "
        f"{_compared(report)}. All charts share one "
        f"scale; the parameter that matters most comes first.{_thin(report)}",
        element("div", *charts, class_="multiples"),
        _model(report),
        element("p", escape(plain(said)), class_="caption") if said else "",
    )  # fmt: skip


def _compared(report: Report) -> str:
    if report.results.record.curve:
        return "mean difference after the last step"
    return "mean paired difference over questions, with its 95 % interval"


def _thin(report: Report) -> str:
    """Warn where a race has left few questions that all trials share."""
    total, shared = len(report.results.record.units), report.effects.shared
    if shared is None or 2 * shared >= total or report.results.record.curve:
        return ""
    return (
        f" Beware: most trials were stopped early, so this rests on {shared} of {total} questions; "
        "run with scheduler: none to see more."
    )


def _model(report: Report) -> str:
    """Draw what a random forest thinks, where it can be believed."""
    found = report.effects
    if not found.model or found.r2 is None:
        return ""
    rows = sorted(found.model, key=lambda row: -row[1])[:MOST]
    parts = [Part(plain(name), share, f"{share:.0%}".replace("%", " %")) for name, share in rows]
    title = "A second opinion: share of importance by a random forest"
    r2 = number(found.r2, 2)
    said = f"It explains {r2} of the variance of trials it has not seen (out-of-bag R²)."
    drawn = bars(parts, title=title, width=420)
    return element(
        "figure", element("figcaption", title), drawn, element("p", said, class_="caption"),
        class_="model",
    )  # fmt: skip
