"""Ratings as the metric of a study: the strength of a configuration at the time of asking.

A strength is one number for all questions, and changes with every judgement. So the journal does
not hold it; whoever opens the run computes it anew, for the first question only: one number is no
evidence on every question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from raytuner.component import digest
from raytuner.objective import UnitScore
from raytuner.rating.ballots import Ballot, read_all
from raytuner.rating.pairing import strengths
from raytuner.record import Record
from raytuner.trial import Trial

RATING = "rating"
"""The metric that nobody enters: it is computed from blind comparisons (`raytuner rate`)."""
ANSWER = "answer"
"""Key in a unit's notes: what the configuration answered, for those who rate it."""


def by_hand(opened: Mapping[str, Any]) -> bool:
    """Tell from the event that opens a session whether people evaluate its study."""
    objective = (opened.get("config") or {}).get("objective")
    kind = objective.get("kind") if isinstance(objective, Mapping) else objective
    return kind == "manual"


def rated(opened: Mapping[str, Any]) -> bool:
    """Tell from the event that opens a session whether its study goes by ratings."""
    return opened.get("metric") == RATING and by_hand(opened)


def unrated(score: UnitScore, first: str) -> UnitScore:
    """Give an answer that nobody has rated yet the average strength, on the first question."""
    if score.unit != first or score.failure is not None or RATING in score.scores:
        return score
    return score._replace(scores={**score.scores, RATING: 0.0})


def fill(record: Record, folder: Path | None) -> None:
    """Put the strengths of all that is answered into a record, as judgements have them by now.

    Raises:
        ConfigError: a file of ratings was damaged or edited.
    """
    trials = {trial.key: trial for trial in record.trials.values() if trial.complete}
    ballots = [] if folder is None else standing(read_all(folder), trials, record.scope)
    keys = sorted(trials)
    known = strengths(keys, ballots)
    for key, value in zip(keys, known.values, strict=True):
        trials[key].put(0, RATING, float(value))


def standing(ballots: Iterable[Ballot], trials: Mapping[str, Trial], scope: str) -> list[Ballot]:
    """List the judgements that still hold: of these trials, on the answers they have now."""

    def holds(ballot: Ballot) -> bool:
        sides = zip((ballot.left, ballot.right), ballot.answers, strict=True)
        return ballot.scope == scope and all(
            key in trials and told_digest(trials[key], ballot.unit) in {None, answer}
            for key, answer in sides
        )

    return [ballot for ballot in ballots if holds(ballot)]


def told_answer(trial: Trial, unit: str) -> str | None:
    """Give the answer that came with a result, or None."""
    notes = trial.notes.get(unit) or {}
    answer = notes.get(ANSWER)
    return answer if isinstance(answer, str) else None


def told_digest(trial: Trial, unit: str) -> str | None:
    """Digest the answer that came with a result; None if there is none."""
    answer = told_answer(trial, unit)
    return None if answer is None else digest(answer)
