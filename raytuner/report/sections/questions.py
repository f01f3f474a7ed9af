"""Every question: what was asked, where the answer stands, what each configuration made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raytuner.charts.svg import RAMP, element, escape, number, step_of
from raytuner.printable import plain
from raytuner.report.data import Leader, Report
from raytuner.report.html import anchor, section
from raytuner.report.passages import MOST_TEXT, Budget, passages, texts
from raytuner.report.questions import Question
from raytuner.report.redact import strike

MOST = 5_000
"""Questions that are listed; the others are in `scores.parquet`."""
_LONGEST_ANSWER = 4_000
_FIRST = 40
"""Questions that a script leaves open at first."""


def render(report: Report) -> str:
    """List the questions, the most telling first; each unfolds."""
    if not report.questions:
        return ""
    shown = report.questions[:MOST]
    budget = Budget(MOST_TEXT)
    reach = _reach(report)
    rows = [_question(report, question, budget, reach) for question in shown]
    notes = []
    if report.unexplained:
        notes.append(f"Scores only: {report.unexplained}.")
    if budget.refused:
        notes.append(
            f"The texts of {budget.refused} questions were left out to keep this file small; "
            "their scores are here, and all scores are in scores.parquet."
        )
    if len(report.questions) > MOST:
        notes.append(f"{len(report.questions) - MOST:,} more are in scores.parquet.")
    legend = "".join(
        element("li", element("b", escape(_key(position))), " ", escape(_name(leader)))
        for position, leader in enumerate(report.leaders)
    )
    return section(
        "questions", "Question by question",
        "The questions that tell configurations apart come first, the hardest ones before the "
        "easy ones; those that all configurations answer alike come last. Open one to see what "
        "each leading configuration found and said.",
        element("ul", legend, class_="legend"),
        *(element("p", escape(note), class_="caption") for note in notes),
        element("div", *rows, class_="questions", data_count=len(rows), data_first=_FIRST),
        class_="full",
    )  # fmt: skip


def _key(position: int) -> str:
    return chr(ord("A") + position)


def _name(leader: Leader) -> str:
    return f"trial {leader.trial.number}, {leader.role}"


def _reach(report: Report) -> tuple[float, float]:
    known = [s for q in report.questions for s in (*q.scores, q.mean) if s is not None]
    return (min(0.0, *known), max(1.0, *known)) if known else (0.0, 1.0)


def _question(
    report: Report, question: Question, budget: Budget, reach: tuple[float, float]
) -> str:
    found = {
        leader.trial.number: report.explained.get(leader.trial.number, {}).get(question.unit, {})
        for leader in report.leaders
    }
    first = next((one for one in found.values() if one), {})
    fits = budget.take(text for one in found.values() for text in texts(one))
    asked = strike(plain(first.get("question") or "")) if fits else ""
    scores = "".join(
        _score(report, _key(position), leader, value, reach)
        for position, (leader, value) in enumerate(
            zip(report.leaders, question.scores, strict=True)
        )
    )
    facts = f"mean {number(question.mean, 2)} · spread {number(question.spread, 2)}"
    summary = element(
        "summary",
        element("span", escape(plain(question.unit)), class_="unit"),
        element("span", escape(asked or ("" if fits else "text left out")), class_="asked"),
        element("span", scores, class_="scores"),
        element(
            "span", element("em", "held out") if question.held_out else "", escape(facts),
            class_="stats",
        ),
    )  # fmt: skip
    sides = [
        _side(report, leader, question, found[leader.trial.number] if fits else {}, _key(position))
        for position, leader in enumerate(report.leaders)
    ]
    return element(
        "details", summary, _gold(first) if fits else "",
        element("div", *sides, class_="sides", data_sides=len(sides)),
        id=anchor("q", question.unit), data_unit=plain(question.unit),
        data_mean=question.mean if question.mean is None else f"{question.mean:.6f}",
        data_spread=f"{question.spread:.6f}", data_differs="" if _differs(question) else None,
    )  # fmt: skip


def _differs(question: Question) -> bool:
    return len({score for score in question.scores if score is not None}) > 1


def _score(
    report: Report, key: str, leader: Leader, value: float | None, reach: tuple[float, float]
) -> str:
    share = 0.0 if value is None else (value - reach[0]) / (reach[1] - reach[0] or 1.0)
    good = share if report.results.maximise else 1 - share
    said = f"{_name(leader)}: {number(value)}"
    box = element(
        "rect", x=1, y=1, width=12, height=12, rx=2,
        fill="none" if value is None else RAMP[step_of(good)],
        stroke="currentColor", stroke_opacity=0.35,
    )  # fmt: skip
    drawn = element("svg", box, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true")
    return element(
        "span", element("b", key), drawn, escape(number(value, 2)), class_="mini", title=said
    )


def _gold(one: Mapping[str, Any]) -> str:
    """Show the question in full, the answer that was hoped for, and where it stands."""
    parts = []
    if one.get("question"):
        parts.append(element("p", escape(strike(str(one["question"]))), class_="wording"))
    if one.get("reference"):
        said = strike(str(one["reference"])[:_LONGEST_ANSWER])
        parts.append(element("h4", "Reference answer") + element("p", escape(said), class_="text"))
    if one.get("evidence"):
        parts.append(element("h4", "Gold evidence") + passages(one["evidence"]))
    return element("div", *parts, class_="gold") if parts else ""


def _side(
    report: Report, leader: Leader, question: Question, one: Mapping[str, Any], key: str
) -> str:
    trial = leader.trial
    link = element("a", f"trial {trial.number}", href=f"#trial-{trial.number}")
    head = element("h4", element("b", key), " ", link, escape(f", {leader.role}"))
    parts = [head, _scores(report, leader, question)]
    if one.get("missing"):
        parts.append(element("p", escape(strike(str(one["missing"]))), class_="caption"))
    if "answer" in one:
        said = strike(str(one["answer"])[:_LONGEST_ANSWER])
        parts.append(element("h5", "Answer") + element("p", escape(said), class_="text"))
    if "retrieved" in one:
        parts.append(element("h5", "Retrieved") + passages(one["retrieved"]))
    return element("article", *parts)


def _scores(report: Report, leader: Leader, question: Question) -> str:
    trial = leader.trial
    part = trial.held if question.held_out else trial
    failure = part.failures.get(question.unit)
    if failure is not None:
        said = strike(plain(f"failed: {failure.kind}: {failure.message}"))
        return element("p", escape(said), class_="caption")
    row = list(part.units).index(question.unit) if question.unit in part.units else None
    if row is None or row >= len(part.table):
        return element("p", "not asked", class_="caption")
    order = sorted(range(len(part.metrics)), key=lambda m: part.metrics[m] != report.results.metric)
    pairs = "".join(
        element("dt", escape(plain(part.metrics[m])))
        + element("dd", escape(number(float(part.table[row, m]))))
        for m in order
    )
    return element("dl", pairs, class_="values")
