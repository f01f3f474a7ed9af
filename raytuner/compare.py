"""Compares a configuration of one run with one of another, on the questions both have answered."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from raytuner.component import ConfigError
from raytuner.export import chosen
from raytuner.objective import UNIT_USD
from raytuner.printable import spell_params
from raytuner.proof.split import owners
from raytuner.proof.words import amount, interval
from raytuner.results import Results
from raytuner.trial import Trial
from raytuner.verdict import FEWEST_QUESTIONS, Compared, Verdict, alpha_of, decide


@dataclass(frozen=True)
class Comparison:
    """Whether run B has something better than run A.

    Attributes:
        verdict: of A's trial (column 0, what stands) and B's (column 1).
        standing, challenger: the trials.
        notes: what was compared on, and what could not be.
    """

    verdict: Verdict
    standing: Trial
    challenger: Trial
    notes: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """Say it for people."""
        return [
            f"A, trial {self.standing.number}: {spell_params(self.standing.params)}",
            f"B, trial {self.challenger.number}: {spell_params(self.challenger.params)}",
            *self.notes,
            self.sentence,
        ]

    @property
    def sentence(self) -> str:
        """How B's trial does against A's, and how sure that is."""
        verdict, told = self.verdict, self.verdict.leader
        a, b = f"A's trial {self.standing.number}", f"B's trial {self.challenger.number}"
        if told is None:
            return f"NO VERDICT on {b} against {a}: {verdict.reason}."
        return (
            f"{verdict.status}: {b} against {a}: {amount(verdict, told.gain)} on "
            f"{verdict.questions.held_out} questions ({self._interval(told)})."
        )

    def _interval(self, told: Compared) -> str:
        """Give the interval, or say why there is none."""
        if math.isfinite(told.low) and math.isfinite(told.high):
            return interval(self.verdict, told)
        if self.verdict.questions.groups < 2:
            return "no interval: all of them come from one document (group), and it takes two"
        return "no interval"

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {
            **self.verdict.to_dict(),
            "sentence": self.sentence,
            "a": {"trial": self.standing.number, "params": dict(self.standing.params)},
            "b": {"trial": self.challenger.number, "params": dict(self.challenger.params)},
            "notes": list(self.notes),
        }


class _Side:
    """One run's trial, and its scores on questions that had no part in choosing it."""

    def __init__(self, results: Results, number: int | None, name: str) -> None:
        self.trial = chosen(
            results, number, f"--trial-{name.lower()}", f"run {name} has nothing to compare"
        )
        alone = len(results.record.trials) == 1 or self.trial.baseline
        parts = (self.trial, self.trial.held) if alone else (self.trial.held,)
        self.unseen = {
            unit: float(value)
            for part in parts
            for unit, value in zip(part.units, results.oriented(part), strict=True)
            if not np.isnan(value) and (alone or unit not in results.record.spoiled)
        }
        self.all = (*results.record.units, *results.record.held_out)
        self.contents = results.contents
        self._name, self._record, self._alone = name, results.record, alone

    def same(self, other: _Side, unit: str) -> bool:
        """Tell whether a question is the same in both runs."""
        mine, its = self.contents.get(unit), other.contents.get(unit)
        return mine == its or not (mine and its)

    @property
    def nothing(self) -> str | None:
        """Why the trial has no answer that could count; None if it has one."""
        if self.unseen:
            return None
        if self._alone:
            return f"trial {self.trial.number} of run {self._name} has answered no question"
        if not self._record.held_out:
            return (
                f"no questions of run {self._name} were held out, and a verdict needs at least "
                f"{FEWEST_QUESTIONS}"
            )
        if self.trial.held.answered:
            return f"an earlier search has gone by the held-out questions of run {self._name}"
        have = [str(t.number) for t in self._record.current if t.held.answered]
        return (
            f"trial {self.trial.number} of run {self._name} has not answered the held-out "
            f"questions: {_listed(have)}"
        )


def compare(
    a: Results, b: Results, trial_a: int | None = None, trial_b: int | None = None
) -> Comparison:
    """Say whether a configuration of `b` is better than one of `a`.

    Questions count if they have the same id and content in both runs, both trials have an answer
    to them, and none of them had a part in choosing a trial: a trial that was chosen among
    others is judged by the held-out questions of its run alone.

    Args:
        a: the run of what stands.
        b: the run of what may replace it.
        trial_a: of `a`; default: what it recommends, else its best.
        trial_b: the same of `b`.

    Raises:
        ConfigError: no such trial, other metrics, or no common question.
    """
    if a.metric != b.metric or a.maximise != b.maximise:
        raise ConfigError(
            f"the runs optimise different metrics, {a.metric!r} and {b.metric!r}; compare runs "
            "of one metric"
        )
    standing, challenger = _Side(a, trial_a, "A"), _Side(b, trial_b, "B")
    shared = [unit for unit in standing.all if unit in challenger.all]
    changed = [unit for unit in shared if not standing.same(challenger, unit)]
    if len(shared) == len(changed):
        raise ConfigError(
            f"the runs share no question ({len(standing.all)} in A, {len(challenger.all)} in B"
            + (f", {len(changed)} of one id that say something else)" if changed else ")")
        )
    fair = [
        unit
        for unit in shared
        if unit in standing.unseen and unit in challenger.unseen and unit not in set(changed)
    ]
    table = np.array([[standing.unseen[unit], challenger.unseen[unit]] for unit in fair])
    verdict = decide(
        a.metric or "score",
        np.empty((0, 2)),
        [standing.trial.number, challenger.trial.number],
        0,
        [(1, "best")],
        table if fair else None,
        maximise=a.maximise,
        held_groups=owners(fair, a.groups) if fair else None,
        costs=[side.trial.mean(UNIT_USD) for side in (standing, challenger)],
        alpha=_alpha(a, b, challenger.trial),
        margin=a.trust.margin,
    )
    if not fair:
        none = "no question that had no part in choosing either trial has an answer of both"
        verdict = replace(verdict, reason=standing.nothing or challenger.nothing or none)
    return Comparison(
        verdict, standing.trial, challenger.trial, _notes(standing, challenger, changed, fair)
    )


def _listed(numbers: Sequence[str]) -> str:
    """Say which trials have answered them."""
    if not numbers:
        return "no trial has"
    if len(numbers) == 1:
        return f"only trial {numbers[0]} has"
    return f"only trials {', '.join(numbers[:-1])} and {numbers[-1]} have"


def _alpha(a: Results, b: Results, challenger: Trial) -> float:
    """Give the threshold: a finalist has been picked among others on these very questions."""
    looks = max(len(a.record.looks), len(b.record.looks), 1)
    rivals = 1 if challenger.baseline else max(1, len(b.compared) - 1)
    return alpha_of(looks, a.trust.alpha) / rivals


def _notes(a: _Side, b: _Side, changed: list[str], fair: list[str]) -> tuple[str, ...]:
    notes = []
    only_a = sum(unit not in b.all for unit in a.all)
    only_b = sum(unit not in a.all for unit in b.all)
    if only_a or only_b or changed:
        notes.append(
            f"Compared on common questions only: {only_a} are in A alone, {only_b} in B alone"
            + (f", {len(changed)} say something else in B." if changed else ".")
        )
    chosen = len(set(a.all) & set(b.all)) - len(changed) - len(fair)
    if chosen > 0:
        notes.append(
            f"{chosen} common questions had a part in choosing a trial, or have no answer of "
            "both, and do not count."
        )
    return tuple(notes)
