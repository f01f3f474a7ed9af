"""What trials have learned, step by step, where they are trained."""

from __future__ import annotations

from raytuner.charts import Curve, curves
from raytuner.charts.svg import element, number
from raytuner.printable import plain, spell_params
from raytuner.report.data import Report
from raytuner.report.html import section
from raytuner.schedule import changes
from raytuner.strike import strike
from raytuner.trial import Trial

MOST = 200
"""Curves that are drawn, the best ones."""


def render(report: Report) -> str:
    """Draw the learning curve of every trial, best and as it stands in colour."""
    results = report.results
    if not results.record.curve or results.metric is None:
        return ""
    shown = [trial for trial in results.ranked if trial.answered][:MOST]
    if not shown:
        return ""
    drawn = [_curve(report, trial) for trial in shown]
    metric = plain(results.metric)
    chart = curves(drawn, x_label="step", y_label=metric, title=f"{metric} after each step")
    forked = any(one.since for one in drawn)
    copies = (
        " A ring marks where a copy went on from its parent's checkpoint under other parameters."
        if forked
        else ""
    )
    return section(
        "training", "Learning curves",
        "One line a trial; the best one is thick, the configuration as it stands is dashed. A line "
        f"that ends early was stopped there.{copies}",
        element("figure", chart),
    )  # fmt: skip


def _curve(report: Report, trial: Trial) -> Curve:
    results = report.results
    since = max(changes(trial.params), default=0)
    role = "standing" if trial.baseline else "best" if trial is results.best else ""
    values = trial.values(results.metric or "").tolist()
    known = [value for value in values if value == value]  # noqa: PLR0124 - NaN differs from itself
    told = number(known[-1], 4) if known else "no score"
    label = f"trial {trial.number}: {told}; {strike(spell_params(trial.params))}"
    return Curve(values, label, role, since)
