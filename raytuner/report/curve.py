"""How a study got better: the best so far against questions answered and dollars spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from raytuner.component import ConfigError
from raytuner.journal import Event, read
from raytuner.results import Results


class Gain(NamedTuple):
    """A moment at which a study knew something better.

    Attributes:
        questions: answered until then, by all trials together.
        usd: dollars spent until then.
        score: mean metric of the best complete trial.
        trial: its number.
    """

    questions: int
    usd: float
    score: float
    trial: int


class Curve(NamedTuple):
    """The moments, and what the whole study took."""

    gains: list[Gain]
    questions: int
    usd: float


def learning_curve(results: Results) -> Curve:
    """Read when every trial was complete, from the journal; by trial number where there is none."""
    if results.folder is not None:
        try:
            events, _ = read(results.folder / "journal.jsonl")
        except ConfigError:
            events = []
        if events:
            return _from_journal(results, events)
    return _in_order(results)


def _from_journal(results: Results, events: Sequence[Event]) -> Curve:
    scores = {trial.key: results.score(trial) for trial in results.record.current}
    numbers = {trial.key: trial.number for trial in results.record.current}
    wanted = {trial.key: len(trial.units) for trial in results.record.current}
    searched = frozenset(results.record.units)
    seen: dict[str, int] = {}
    questions, usd, mine = 0, 0.0, False
    gains: list[Gain] = []
    for event in events:
        if event["event"] == "opened":
            mine = event["scope"] == results.record.scope
        if event["event"] != "units" or not mine:
            continue
        key, rows = event["key"], event["rows"]
        scored = [row for row in rows if row[1]]
        questions += len(scored)
        usd += sum(row[3][0] for row in rows if len(row) > 3 and row[3])
        seen[key] = seen.get(key, 0) + sum(row[0] in searched for row in scored)
        score = scores.get(key)
        if score is not None and seen[key] >= wanted[key] and _better(results, gains, score):
            gains.append(Gain(questions, usd, score, numbers[key]))
    return Curve(gains, questions, usd)


def _in_order(results: Results) -> Curve:
    questions, usd = 0, 0.0
    gains: list[Gain] = []
    for trial in results.record.current:
        questions += trial.answered
        usd += trial.cost.usd
        score = results.score(trial)
        if score is not None and _better(results, gains, score):
            gains.append(Gain(questions, usd, score, trial.number))
    return Curve(gains, questions, usd)


def _better(results: Results, gains: Sequence[Gain], score: float) -> bool:
    if not gains:
        return True
    return score > gains[-1].score if results.maximise else score < gains[-1].score
