"""All trials, best first, with intervals; a script may sort what stands here."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from raytuner.charts.forest import whisker
from raytuner.charts.svg import element, escape, number, signed, span
from raytuner.objective import COSTS
from raytuner.printable import plain
from raytuner.proof.confidence import Interval
from raytuner.report.data import Report
from raytuner.report.html import dollars, scroller, seconds, section, spelt
from raytuner.report.redact import strike
from raytuner.results import Results
from raytuner.tables import interval_of
from raytuner.trial import Trial

MOST = 2_000
"""Rows that are written; the others are in `trials.parquet`."""
_FIRST = 15
"""Rows that a script leaves open at first."""


class _Column(NamedTuple):
    name: str
    value: Callable[[Trial], Any]
    spelt: Callable[[Any], str]
    numeric: bool = True
    long: bool = False


_ASKED = (
    "Every configuration, best first, on the questions that were searched. The point is the mean "
    "over questions, the bar its 95 % interval; the upright line is the configuration as it "
    "stands. Bars that overlap widely are not told apart. What was stopped early has an estimate "
    "(≈) from the questions it shares with the configuration as it stands."
)
_TRAINED = "Every configuration, best first, as it was after its last step."


def render(report: Report) -> str:
    """Write the table of trials."""
    results = report.results
    standings = {one.trial.number: one for one in report.standings}
    others = [trial for trial in results.ranked if trial.number not in standings]
    order = [*(one.trial for one in report.standings), *others]
    trials = order[:MOST]
    if not trials:
        return ""
    columns = _columns(report)
    intervals = [_interval(results, trial) for trial in trials]
    estimates = [standings[t.number].score if t.number in standings else None for t in trials]
    domain = span([end for i in intervals if i for end in (i.low, i.high, i.estimate)])
    reference = results.score(results.baseline) if results.baseline else None
    head = [
        element("th", "#", scope="col", class_="n", data_kind="n"),
        element("th", "trial", scope="col", data_kind="n"),
        element("th", escape(plain(results.metric or "score")), scope="col", class_="n",
                data_kind="n"),
        element("th", "95 % interval", scope="col", class_="fixed"),
        *(element("th", _breakable(c.name), scope="col", class_="n" if c.numeric else None,
                  data_kind="n" if c.numeric else "t") for c in columns),
    ]  # fmt: skip
    rows = [
        _row(report, rank, trial, interval, columns, domain, reference, estimate)
        for rank, (trial, interval, estimate) in enumerate(
            zip(trials, intervals, estimates, strict=True), start=1
        )
    ]
    shown = element(
        "table",
        element("caption", "All trials, best first", class_="unseen"),
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="leaderboard",
        data_first=_FIRST,
    )
    more = ""
    if len(order) > MOST:
        more = f"{len(order) - MOST:,} more trials are in trials.parquet."
    return section(
        "leaderboard", "Leaderboard",
        _TRAINED if report.results.record.curve else _ASKED,
        scroller(shown, "Leaderboard"),
        element("p", escape(more), class_="caption") if more else "",
        class_="full",
    )  # fmt: skip


def _interval(results: Results, trial: Trial) -> Interval | None:
    found = interval_of(results, trial)
    if found is None:
        return None
    return Interval(found.estimate, *results.reach.shown(found.low, found.high))


def _columns(report: Report) -> list[_Column]:
    results = report.results
    trials, baseline = results.record.current, results.baseline
    columns: list[_Column] = []
    if baseline is not None and results.score(baseline) is not None:
        base = baseline

        def gain(trial: Trial) -> float | None:
            difference = results.difference(trial, base) if trial is not base else None
            return None if difference is None else difference.estimate

        columns.append(_Column("against trial " + str(base.number), gain, signed))
    columns += [_parameter(report, name) for name in results.parameters]
    told = {results.metric, *COSTS}
    others = dict.fromkeys(m for t in trials for m in t.metrics if m not in told)
    columns += [_Column(plain(m), partial(_mean, m), number) for m in list(others)[:3]]
    if any(trial.cost.usd for trial in trials):
        columns.append(_Column("$ a question", _usd, lambda v: "–" if v is None else dollars(v)))
    columns.append(_Column("time", lambda trial: trial.seconds, seconds))
    if any(trial.status != "complete" or results.broken(trial) for trial in trials):
        long = bool(results.failed or any(map(results.broken, trials)))
        columns.append(_Column("status", partial(_status, results), str, numeric=False, long=long))
    return columns


def _mean(metric: str, trial: Trial) -> float | None:
    return trial.mean(metric)


def _parameter(report: Report, name: str) -> _Column:
    values = [trial.params.get(name) for trial in report.results.record.current]
    numeric = all(
        v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values
    )
    return _Column(
        plain(name),
        lambda trial: trial.params.get(name),
        lambda value: "–" if value is None else strike(spelt(value)),
        numeric=numeric,
        long=any(isinstance(v, str) and len(v) > 20 for v in values),
    )


def _usd(trial: Trial) -> float | None:
    answered = trial.answered + trial.held.answered
    return trial.cost.usd / answered if answered else None


def _status(results: Results, trial: Trial) -> str:
    broken = results.broken(trial)
    if broken and trial.status == "complete":
        return strike(plain(f"over a limit: {broken}"))[:160]
    if trial.status == "failed" and trial.failure is not None:
        return strike(plain(f"failed: {trial.failure.message}"))[:160]
    if trial.status in {"pruned", "paused", "stopped", "running"}:
        return f"{trial.status} at {trial.answered}"
    return trial.status


def _row(
    report: Report,
    rank: int,
    trial: Trial,
    interval: Interval | None,
    columns: list[_Column],
    domain: tuple[float, float],
    reference: float | None,
    estimate: float | None,
) -> str:
    role = report.roles.get(trial.number)
    badge = element("span", escape(role), class_="role") if role else ""
    score = report.results.score(trial)
    picture = ""
    if interval is not None:
        picture = whisker(
            interval.estimate, _finite(interval.low), _finite(interval.high),
            domain=domain, reference=reference, strong=role is not None,
        )  # fmt: skip
    shown = number(score, 4)
    if score is None and estimate is not None:
        shown = f"≈ {number(estimate, 2)}"
    cells = [
        element("td", str(rank) if score is not None else "", class_="n", data_v=rank),
        element(
            "th", element("a", f"{trial.number}", href=f"#trial-{trial.number}"), badge,
            scope="row", data_v=trial.number,
        ),
        element(
            "td", escape(shown), class_="n score" if score is not None else "n about",
            data_v=_sortable(estimate),
        ),
        element("td", picture, class_="fixed"),
    ]  # fmt: skip
    for column in columns:
        value = column.value(trial)
        kind = "n" if column.numeric else "long" if column.long else None
        cells.append(
            element("td", escape(column.spelt(value)), class_=kind, data_v=_sortable(value))
        )
    kind = "baseline" if trial.baseline else "leader" if role else None
    return element("tr", *cells, id=f"trial-{trial.number}", class_=kind, data_trial=trial.number)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sortable(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return repr(value) if isinstance(value, int | float) else strike(plain(value))[:80]


def _breakable(name: str) -> str:
    """Let a dotted name break after its dots."""
    return escape(name).replace(".", ".<wbr>")
