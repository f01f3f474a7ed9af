"""Collects what a report shows from a study's results, once, before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from raytuner.charts.scatter import Point
from raytuner.component import ConfigError, RaytunerError
from raytuner.journal import Event, read
from raytuner.report.figures import (
    Effects,
    Standing,
    Step,
    curve_of,
    effects_of,
    front_of,
    standings_of,
)
from raytuner.report.questions import Question, questions
from raytuner.report.redact import strike
from raytuner.results import Results
from raytuner.trial import Trial

Explain = Callable[[Trial], Sequence[Mapping[str, Any]]]
"""Gives mappings as `raytuner.ports.explanation` describes them, one a question."""


class Leader(NamedTuple):
    """A configuration that is shown side by side with the others."""

    trial: Trial
    role: str


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
        effects: main effects, the most important parameter first.
        front: quality against cost.
        front_label: what the cost is.
        curve: the best so far, whenever a trial became complete.
        standings: every trial that was asked anything; complete ones first, the best first.
        opened: the facts that opened the last session.
        live: whether the page is served while the study runs.
    """

    results: Results
    verdict: Mapping[str, Any] | None
    leaders: list[Leader]
    questions: list[Question]
    explained: Mapping[int, Mapping[str, Mapping[str, Any]]]
    unexplained: str | None
    effects: Effects
    front: list[Point]
    front_label: str
    curve: list[Step]
    standings: list[Standing]
    opened: Event
    live: bool = False

    @property
    def roles(self) -> dict[int, str]:
        """Give the role of every leading trial, by number."""
        return {leader.trial.number: leader.role for leader in self.leaders}

    @property
    def recommended(self) -> int | None:
        """Give the trial that the verdict says to use; None where there is no verdict."""
        return _recommended(self.verdict)

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
    front, label = front_of(results)
    return Report(
        results=results,
        verdict=verdict,
        leaders=leaders,
        questions=questions(results, [leader.trial for leader in leaders]),
        explained=explained,
        unexplained=reason,
        effects=effects_of(results),
        front=front,
        front_label=label,
        curve=curve_of(results),
        standings=standings_of(results),
        opened=_opened(results),
        live=live,
    )


def _verdict(results: Results) -> Mapping[str, Any] | None:
    try:
        found = getattr(results, "verdict", None)
    except ConfigError:  # nothing that could be judged yet
        return None
    return None if found is None else dict(found.to_dict())


def _recommended(verdict: Mapping[str, Any] | None) -> int | None:
    if verdict is None or verdict["status"] == "NONE":
        return None
    number: int | None = verdict.get("recommended")
    return number


_ROLES = {"best": "best in search", "second": "second in search", "cheap": "cheaper alternative"}


def _leaders(results: Results, verdict: Mapping[str, Any] | None) -> list[Leader]:
    by_number = {trial.number: trial for trial in results.record.current}
    roles: dict[int, str] = {}
    if (recommended := _recommended(verdict)) is not None:
        roles[recommended] = "recommended"
    for finalist in (verdict or {}).get("finalists") or ():
        roles.setdefault(finalist["trial"], _ROLES.get(finalist["role"], finalist["role"]))
    standing = results.baseline.number if results.baseline else None
    if not set(roles) - {standing}:  # nothing was compared yet: show what leads
        for trial, role in zip(results.eligible, ("best so far", "second"), strict=False):
            roles.setdefault(trial.number, role)
    if results.baseline is not None:
        number = results.baseline.number
        roles[number] = f"{roles[number]}, as it stands" if number in roles else "as it stands"
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
