"""What every parameter does to the score."""

from __future__ import annotations

from raytuner.charts import effects
from raytuner.charts.effects import reach, room
from raytuner.charts.svg import element, escape
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import section
from raytuner.summary import dead_knobs

MOST = 24


def render(report: Report) -> str:
    """Draw the main effects, one small chart a parameter, all on one scale."""
    knobs = [knob for knob in report.knobs[:MOST] if knob.levels]
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
        report.note,
        "Faint values rest on too few configurations to lean on." if few else "",
        f"No effect on any score: {dead}." if dead else "",
    ]
    said = " ".join(filter(None, notes))
    return section(
        "effects", "What matters",
        "How much better or worse each value does than the others, everything else being equal: "
        "mean paired difference over questions, with its 95 % interval. All charts share one "
        "scale; the parameter that matters most comes first.",
        element("div", *charts, class_="multiples"),
        element("p", escape(plain(said)), class_="caption") if said else "",
    )  # fmt: skip
