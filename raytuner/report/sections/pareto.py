"""Quality against what it costs."""

from __future__ import annotations

from raytuner.charts import scatter
from raytuner.charts.svg import number
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import both, dollars, paragraph, section, table


def render(report: Report) -> str:
    """Draw the front, where the study measured what quality costs."""
    if not report.front:
        return ""
    metric = plain(report.results.metric or "quality")
    title = f"{metric} against {report.front_label}"
    wide, narrow = (
        scatter(report.front, x_label=report.front_label, y_label=metric, title=title, width=width)
        for width in (820, 400)
    )
    spell = dollars if "dollar" in report.front_label else number
    front = sorted((p for p in report.front if p.front), key=lambda p: p.x)
    rows = [
        [f"trial {p.trial}", number(p.y, 4), spell(p.x), "firm" if p.firm else "may be luck"]
        for p in front
    ]
    return section(
        "pareto", "What quality costs",
        "Points on the line are beaten by none in both. A filled point stays on the line in at "
        "least half of the resamples of the questions; an open one may owe its place to luck. "
        "The diamond is the configuration as it stands.",
        both(wide, narrow),
        table(["on the line", metric, report.front_label, "how sure"], rows, caption="The front"),
        paragraph(""),
    )  # fmt: skip
