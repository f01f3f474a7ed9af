"""Collects what a report shows from a study's results, once, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from raytuner.charts.effects import Level
from raytuner.charts.scatter import Point
from raytuner.component import ConfigError, RaytunerError
from raytuner.insight import curve, importance, pareto
from raytuner.insight.pareto import Direction
from raytuner.journal import Event, read
from raytuner.objective import UNIT_USD
from raytuner.report.questions import Question, questions
from raytuner.report.redact import strike
from raytuner.results import Results
from raytuner.trial import Trial

Explain = Callable[[Trial], Sequence[Mapping[str, Any]]]
"""Gives mappings as `raytuner.explanation` describes them, one a question."""


class Leader(NamedTuple):
    """A configuration that is shown side by side with the others."""

    trial: Trial
    role: str


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


@dataclass(frozen=True)
class Report:
    """Everything that is drawn.

    Attributes:
        results: the study.
        verdict: the verdict as plain values, or None where there is none yet.
        leaders: recommended, finalists and the configuration as it stands.
        questions: all questions, the most telling first.
        explained: by trial number and question, what the configuration did.
        unexplained: why there are no texts, or None.
        knobs: main effects, the most important parameter first.
        front: quality against cost.
        front_label: what the cost is.
        curve: the best so far, whenever a trial became complete.
        standings: every trial that was asked anything; complete ones first, the best first.
        note: what the main effects rest on.
        opened: the facts that opened the last session.
        live: whether the page is served while the study runs.
    """

    results: Results
    verdict: Mapping[str, Any] | None
    leaders: list[Leader]
    questions: list[Question]
    explained: Mapping[int, Mapping[str, Mapping[str, Any]]]
    unexplained: str | None
    knobs: list[Knob]
    front: list[Point]
    front_label: str
    curve: list[Step]
    standings: list[Standing]
    note: str
    opened: Event
    live: bool = False

    @property
    def roles(self) -> dict[int, str]:
        """Give the role of every leading trial, by number."""
        return {leader.trial.number: leader.role for leader in self.leaders}

    @property
    def scored(self) -> list[Trial]:
        """List the complete trials, best first."""
        return [t for t in self.results.ranked if self.results.score(t) is not None]


def collect(
    results: Results,
    explain: Explain | None = None,
    *,
    unexplained: str | None = None,
    live: bool = False,
) -> Report:
    """Collect what a report shows; nothing here fails because of what is missing.

    Args:
        results: the study.
        explain: shows what a trial did with every question.
        unexplained: why there is no such function.
        live: see `Report`.
    """
    verdict = _verdict(results)
    leaders = _leaders(results, verdict)
    explained, reason = _explained(leaders, explain, unexplained)
    front, label = _front(results)
    knobs, note = _knobs(results)
    return Report(
        results=results,
        verdict=verdict,
        leaders=leaders,
        questions=questions(results, [leader.trial for leader in leaders]),
        explained=explained,
        unexplained=reason,
        knobs=knobs,
        front=front,
        front_label=label,
        curve=_curve(results),
        standings=_standings(results),
        note=note,
        opened=_opened(results),
        live=live,
    )


def _verdict(results: Results) -> Mapping[str, Any] | None:
    try:
        found = getattr(results, "verdict", None)
    except ConfigError:  # nothing that could be judged yet
        return None
    return None if found is None else dict(found.to_dict())


_ROLES = {"best": "best in search", "second": "second in search", "cheap": "cheaper alternative"}


def _leaders(results: Results, verdict: Mapping[str, Any] | None) -> list[Leader]:
    by_number = {trial.number: trial for trial in results.record.current}
    roles: dict[int, str] = {}
    if verdict and verdict.get("recommended") is not None:
        roles[verdict["recommended"]] = "recommended"
    for finalist in (verdict or {}).get("finalists") or ():
        roles.setdefault(finalist["trial"], _ROLES.get(finalist["role"], finalist["role"]))
    standing = results.baseline.number if results.baseline else None
    if not set(roles) - {standing}:  # nothing was compared yet: show what leads
        complete = [trial for trial in results.ranked if results.score(trial) is not None]
        for trial, role in zip(complete[:2], ("best so far", "second"), strict=False):
            roles.setdefault(trial.number, role)
    if results.baseline is not None:
        number = results.baseline.number
        roles[number] = "recommended, as it stands" if number in roles else "as it stands"
    return [Leader(by_number[n], role) for n, role in roles.items() if n in by_number]


def _explained(
    leaders: Sequence[Leader], explain: Explain | None, unexplained: str | None
) -> tuple[dict[int, dict[str, Mapping[str, Any]]], str | None]:
    if explain is None:
        return {}, strike(unexplained or "this report was written without the study's texts")
    found: dict[int, dict[str, Mapping[str, Any]]] = {}
    reason = None
    for leader in leaders:
        try:
            rows = explain(leader.trial)
        except (RaytunerError, OSError, LookupError, ValueError, TypeError) as error:
            reason = strike(" ".join(str(error).split())) or type(error).__name__
            continue
        found[leader.trial.number] = {str(row["unit"]): row for row in rows if "unit" in row}
    if not any(found.values()):
        found = {}
        reason = reason or "the study's objective keeps no texts to show"
    return found, reason


def _knobs(results: Results) -> tuple[list[Knob], str]:
    compared = [t for t in results.record.current if t.metrics and t.status != "failed"]
    if results.metric is None or not compared:
        return [], ""
    found = importance(results)
    rows: dict[str, list[Level]] = {}
    for row in found.effects.to_dict("records"):
        level = Level(
            str(row["level"]), float(row["effect"]), float(row["low"]), float(row["high"]),
            int(row["trials"]), few=bool(row["few"]),
        )  # fmt: skip
        rows.setdefault(str(row["parameter"]), []).append(level)
    names = [str(name) for name in found.ranking["parameter"]]
    return [Knob(name, rows[name]) for name in names if len(rows[name]) > 1], found.note


def _front(results: Results) -> tuple[list[Point], str]:
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


def _curve(results: Results) -> list[Step]:
    try:
        table = curve(results)
    except ConfigError:  # in memory, or nothing has been scored yet
        return []
    return [
        Step(int(row["trial"]), float(row["best"]), int(row["questions"]), float(row["usd"]),
             bool(row["improved"]))
        for row in table.to_dict("records") if row["best"] == row["best"]
    ]  # fmt: skip


def _standings(results: Results) -> list[Standing]:
    """Put a figure on every trial that was asked anything, so that all can be compared.

    A trial that was stopped early has answered other questions than the rest, so its own mean
    says little. It gets the mean of a complete trial (the baseline, else the best one) plus the
    paired difference on the questions that both have answered.
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
                found.append(Standing(trial, level + sign * gain.estimate, exact=False))
    sign = -1.0 if results.maximise else 1.0
    return sorted(found, key=lambda s: (not s.exact, sign * s.score, s.trial.key))


def _opened(results: Results) -> Event:
    if results.folder is None:
        return {}
    try:
        events, _ = read(results.folder / "journal.jsonl")
    except ConfigError:
        return {}
    found = [event for event in events if event["event"] == "opened"]
    ends = {"began": events[0].get("t"), "ended": events[-1].get("t")} if events else {}
    return {**found[-1], **ends, "sessions": len(found)} if found else {}
