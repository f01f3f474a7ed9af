"""Two parameters at a time."""

from __future__ import annotations

from itertools import combinations

from raytuner.charts import heatmap
from raytuner.charts.svg import element, escape
from raytuner.printable import plain
from raytuner.report.data import Report
from raytuner.report.html import section
from raytuner.report.levels import Levels, levels

MOST = 6
"""Parameters whose pairs are drawn, the most important ones."""


def render(report: Report) -> str:
    """Draw the two most important parameters, and the other pairs below them."""
    names = [name for name in _order(report) if _varies(report, name)][:MOST]
    pairs = list(combinations(names, 2))
    if not pairs or not report.standings:
        return ""
    found = {
        name: levels([one.trial.params.get(name) for one in report.standings]) for name in names
    }
    charts = [_chart(report, pair, found) for pair in pairs]
    others = ""
    if charts[1:]:
        summary = element("summary", f"{len(charts) - 1} other pairs")
        others = element(
            "details", summary, element("div", *charts[1:], class_="multiples"), class_="pairs"
        )
    return section(
        "heatmap", "Two at a time",
        "Mean score of all configurations that share two values; the strongest shade is the best. "
        "A pattern that is not the sum of its margins is an interaction.",
        element("div", charts[0], class_="stage"), others, estimated(report),
    )  # fmt: skip


def estimated(report: Report) -> str:
    """Say how configurations count that have not answered everything."""
    count = sum(not one.exact for one in report.standings)
    if not count:
        return ""
    said = (
        f"{count} of {len(report.standings)} configurations were stopped early. They count with "
        "an estimate: how they differ from the configuration as it stands on the questions that "
        "both have answered."
    )
    return element("p", said, class_="caption")


def _order(report: Report) -> list[str]:
    known = [knob.name for knob in report.effects.knobs if knob.name in report.results.parameters]
    return [*known, *(name for name in report.results.parameters if name not in known)]


def _varies(report: Report, name: str) -> bool:
    return len({repr(one.trial.params.get(name)) for one in report.standings}) > 1


def _chart(report: Report, pair: tuple[str, str], found: dict[str, Levels]) -> str:
    # Few levels go down, many go across: wide tables read better than tall ones.
    row, column = sorted(pair, key=lambda name: len(found[name].labels))
    rows, columns = found[row], found[column]
    sums = [[0.0] * len(columns.labels) for _ in rows.labels]
    counts = [[0] * len(columns.labels) for _ in rows.labels]
    for one, r, c in zip(report.standings, rows.places, columns.places, strict=True):
        if r is not None and c is not None:
            sums[r][c] += one.score
            counts[r][c] += 1
    values = [
        [total / n if n else None for total, n in zip(line, ns, strict=True)]
        for line, ns in zip(sums, counts, strict=True)
    ]
    title = f"{plain(row)} and {plain(column)}"
    drawn = heatmap(
        rows.labels, columns.labels, values, row_name=plain(row), column_name=plain(column),
        counts=counts, maximise=report.results.maximise, title=title,
    )  # fmt: skip
    return element("figure", drawn, data_pair=title, aria_label=escape(title))
