"""What raters see of a configuration: what it answered, or else what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.component import ConfigError, digest
from raytuner.explaining import explaining
from raytuner.journal import read
from raytuner.rating.scoring import by_hand, told_answer
from raytuner.results import Results
from raytuner.trial import Trial

MOST = 8
"""Configurations that are rated unless they are named: pairs grow with the square."""


class Answer(NamedTuple):
    """One answer to one question.

    Attributes:
        question, reference: empty where they are not known.
        text: what the configuration answered.
    """

    question: str
    reference: str
    text: str

    @property
    def digest(self) -> str:
        """Identify the text."""
        return digest(self.text)


class Answers:
    """The answers of a run's configurations: those entered with results, or from the objective.

    Args:
        results: of a run folder.
    """

    def __init__(self, results: Results) -> None:
        self._shown = explaining(results)
        self._entered = results.folder is not None and _by_hand(results.folder)

    @property
    def reason(self) -> str | None:
        """Why the objective shows nothing, or None."""
        return self._shown.reason

    def units(self, trial: Trial) -> list[str]:
        """List the questions that a trial may have an answer to, in evaluation order."""
        told = [unit for unit in trial.units if told_answer(trial, unit) is not None]
        if told or self._entered or self._shown.explain is None:
            return told
        missing = set(trial.missing())
        return [unit for unit in trial.units if unit not in missing]

    def of(self, trial: Trial, unit: str) -> Answer | None:
        """Give an answer; None if there is none to show. Nothing is paid for."""
        shown: Mapping[str, Any] = {}
        if self._shown.explain is not None:
            shown = next(iter(self._shown.explain(trial, [unit])), {})
        text = told_answer(trial, unit)
        if text is None:
            text = shown.get("answer") or _passages(shown.get("retrieved") or ())
        if not text:
            return None
        return Answer(str(shown.get("question", "")), str(shown.get("reference", "")), str(text))


def _by_hand(folder: Path) -> bool:
    """Tell whether answers come with results, and from nowhere else."""
    events, _ = read(folder / "journal.jsonl")
    return any(by_hand(event) for event in events if event["event"] == "opened")


def _passages(found: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(f"[{one['document']}] {one['text']}" for one in found)


def rated_trials(results: Results, answers: Answers, numbers: Sequence[int] = ()) -> list[Trial]:
    """Choose the configurations that are rated.

    Args:
        results: of the run.
        answers: they need some.
        numbers: of the trials; none: those a study goes by ratings of, or else the best, and
            the configuration as it stands.

    Raises:
        ConfigError: fewer than two have answers to a question in common.
    """
    by_number = {trial.number: trial for trial in results.record.current}
    for number in numbers:
        if number not in by_number:
            raise ConfigError(f"there is no trial {number} in this run: {_known(by_number)}")
    chosen = [by_number[number] for number in dict.fromkeys(numbers)]
    if not chosen:
        ranked = [trial for trial in results.ranked if answers.units(trial)]
        chosen = ranked[:MOST]
        if results.goal.name == "rating":
            chosen = ranked
        elif results.baseline in ranked and results.baseline not in chosen:
            chosen = [*chosen, results.baseline]
    usable = [trial for trial in chosen if answers.units(trial)]
    if len(usable) < 2:
        why = f": {answers.reason}" if answers.reason else ""
        raise ConfigError(
            f"there are no two configurations with answers to compare{why}; enter answers by "
            "`raytuner tell ... --answers FILE`, or rate a run whose objective shows its own"
        )
    return usable


def _known(trials: Mapping[int, Trial]) -> str:
    return f"they are 0 to {max(trials)}" if trials else "nothing has been tried yet"
