"""The figures behind the charts: effects, the front, the learning curve, how trials stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from raytuner.charts.effects import Level
from raytuner.charts.scatter import Point
from raytuner.component import ConfigError
from raytuner.insight import curve, importance, pareto
from raytuner.insight.matrix import common
from raytuner.insight.pareto import Direction
from raytuner.objective import UNIT_USD
from raytuner.results import Results
from raytuner.trial import Trial

_COSTS = {
    UNIT_USD: "dollars per question",
    "latency_p95": "seconds to an answer, 95th percentile",
    "latency_p50": "seconds to an answer, median",
}
"""What quality is drawn against, the first one that was measured."""


class Standing(NamedTuple):
    """How good a trial is.

    Attributes:
        trial: any that was asked anything.
        score: its mean metric, or the estimate of it.
        exact: whether it has answered all questions; else it is an estimate.
    """

    trial: Trial
    score: float
    exact: bool


class Step(NamedTuple):
    """A trial that became complete, and the best there was then."""

    trial: int
    best: float
    questions: int
    usd: float
    improved: bool


class Knob(NamedTuple):
    """A parameter with the effects of its values."""

    name: str
    levels: list[Level]


class Effects(NamedTuple):
    """What parameters do.

    Attributes:
        knobs: main effects, the most important parameter first.
        note: what they rest on.
        model: a random forest's opinion, as shares of all importance; empty where it cannot be
            believed.
        shared: questions that all of them share; None if unknown.
        r2: how much of unseen trials the forest explains, out of bag.
    """

    knobs: Sequence[Knob] = ()
    note: str = ""
    model: Sequence[tuple[str, float]] = ()
    r2: float | None = None
    shared: int | None = None


def effects_of(results: Results) -> Effects:
    """Estimate what every value of every parameter does."""
    compared = [t for t in results.record.current if t.metrics and t.status != "failed"]
    if results.metric is None or not compared:
        return Effects()
    found = importance(results)
    rows: dict[str, list[Level]] = {}
    for row in found.effects.to_dict("records"):
        level = Level(
            str(row["level"]), float(row["effect"]), float(row["low"]), float(row["high"]),
            int(row["trials"]), few=bool(row["few"]),
        )  # fmt: skip
        rows.setdefault(str(row["parameter"]), []).append(level)
    names = [str(name) for name in found.ranking["parameter"]]
    knobs = [Knob(name, rows[name]) for name in names if len(rows[name]) > 1]
    model = [] if found.model is None else [
        (str(row["parameter"]), float(row["share"])) for row in found.model.to_dict("records")
    ]  # fmt: skip
    return Effects(knobs, found.note, model, found.r2, len(common(results).units))


def front_of(results: Results) -> tuple[list[Point], str]:
    """Give quality against what the study weighs it with: else dollars, else waiting."""
    if results.metric is None:
        return [], ""
    own: Direction = "max" if results.maximise else "min"
    goal = results.goal
    wanted = {name: name for name in goal.metrics[1:2] if goal.pareto and name not in _COSTS}
    for name, label in {**wanted, **_COSTS}.items():
        way: Direction = "max" if name in wanted and name not in goal.lower else "min"
        try:
            table = pareto(results, {results.metric: own, name: way})
        except ConfigError:  # not measured
            continue
        if table[name].nunique() > 1:
            return _points(results, table.to_dict("records"), name), label
    return [], ""


def _points(results: Results, rows: Sequence[Mapping[Any, Any]], cost: str) -> list[Point]:
    baseline = results.baseline.number if results.baseline else None
    metric = results.metric or ""
    return [
        Point(int(row["trial"]), float(row[cost]), float(row[metric]), bool(row["on_front"]),
              bool(row["firm"]), baseline=row["trial"] == baseline)
        for row in rows
    ]  # fmt: skip


def curve_of(results: Results) -> list[Step]:
    """Trace the best so far; nothing where there is no journal to read it from."""
    try:
        table = curve(results)
    except ConfigError:  # in memory, or nothing has been scored yet
        return []
    return [
        Step(int(row["trial"]), float(row["best"]), int(row["questions"]), float(row["usd"]),
             bool(row["improved"]))
        for row in table.to_dict("records")
        if row["best"] is not None and row["best"] == row["best"]
    ]  # fmt: skip


def standings_of(results: Results) -> list[Standing]:
    """Put a figure on every trial that was asked anything, so that all can be compared.

    A trial that was stopped early has answered other questions than the rest, so its own mean
    says little. It gets the mean of a complete trial (the baseline, else the best one) plus the
    paired difference on the questions that both have answered, within what scores can be.
    """
    found, standing = [], results.baseline
    if standing is None or results.score(standing) is None:
        standing = results.best
    level = None if standing is None else results.score(standing)
    for trial in results.record.current:
        score = results.score(trial)
        if score is not None:
            found.append(Standing(trial, score, exact=True))
        elif standing is not None and level is not None and trial.answered:
            gain = results.difference(trial, standing)
            if gain is not None:
                sign = 1.0 if results.maximise else -1.0
                estimate = results.reach.nearest(level + sign * gain.estimate)
                found.append(Standing(trial, estimate, exact=False))
    sign = -1.0 if results.maximise else 1.0
    return sorted(found, key=lambda s: (not s.exact, sign * s.score, s.trial.key))
