"""Who meets on the held-out questions, and what the meeting says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from raytuner.objective import UNIT_USD
from raytuner.proof.choosing import choose_finalists
from raytuner.proof.split import owners
from raytuner.score_table import Scored
from raytuner.trial import Trial

_LEADERS = 64
"""Trials among which finalists are looked for; a question that one of them has no value for is
left out of the comparison, so that they had better be few."""


class Finalist(NamedTuple):
    """A trial that was chosen to be compared with the configuration as it stands."""

    trial: Trial
    role: str


class Field(NamedTuple):
    """The trials of a study that can be compared, as one table.

    Attributes:
        trials: complete ones, best first, with the configuration as it stands wherever it ranks.
        base: the row of the latter among them, or None.
        scores: higher is better; shape [searched questions, trials], without NaN.
        groups: of the questions that are left.
        costs: dollars a question, None where that is not measured.
    """

    trials: list[Trial]
    base: int | None
    scores: NDArray[np.float64]
    groups: list[str]
    costs: list[float | None]


def field_of(
    trials: Sequence[Trial],
    values: Callable[[Scored], NDArray[np.float64]],
    groups: Mapping[str, str],
) -> Field:
    """Line up trials, best first.

    Args:
        trials: complete on the searched questions, best first.
        values: what counts of a table, per question; higher is better.
        groups: the group of every question.
    """
    base = next((trial for trial in trials if trial.baseline), None)
    leaders = list(trials[:_LEADERS])
    if base is not None and base not in leaders:
        leaders.append(base)
    if not leaders:
        return Field([], None, np.empty((0, 0)), [], [])
    table = np.column_stack([values(trial) for trial in leaders])
    whole = ~np.isnan(table).any(axis=1)
    return Field(
        leaders,
        None if base is None else leaders.index(base),
        table[whole],
        owners(np.array(leaders[0].units)[leaders[0].counted][whole].tolist(), groups),
        [trial.mean(UNIT_USD) for trial in leaders],
    )


def finalists(field: Field) -> list[Finalist]:
    """Choose at most three trials to meet the configuration as it stands; see `verdict`."""
    if field.base is None or not len(field.scores):
        return []
    chosen = choose_finalists(field.scores, field.base, field.costs, field.groups)
    return [Finalist(field.trials[column], role) for column, role in chosen]
