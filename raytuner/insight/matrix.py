"""Scores as one matrix of trials and questions, and resamples of its questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raytuner.component import ConfigError
from raytuner.proof.split import owners
from raytuner.trial import Trial

if TYPE_CHECKING:
    from raytuner.results import Results

Array = NDArray[np.float64]

FEWEST = 8
"""Common questions below which only complete trials are compared."""


class Matrix(NamedTuple):
    """One metric of trials that answered the same questions.

    Attributes:
        trials: one a row.
        units: one a column.
        values: shape [trials, units], without NaN; in the metric's own direction.
        left_out: scored trials that are not in it.
    """

    trials: list[Trial]
    units: list[str]
    values: Array
    left_out: int = 0


def metric_of(results: Results) -> str:
    """Give the metric that was optimised.

    Raises:
        ConfigError: nothing has been scored, so there is none.
    """
    if results.metric is None:
        raise ConfigError(f"{results.name}: nothing has been scored yet")
    return results.metric


def common(results: Results) -> Matrix:
    """Put together what can be compared fairly: all trials on the questions they share.

    A trial that was stopped early has answered the first questions only. Leaving it out would
    leave the good ones; comparing means over different questions would compare questions. So all
    trials are compared on the questions that all have answered, or, if these are fewer than
    `FEWEST` although the complete trials have more, the complete ones alone.
    """
    metric = metric_of(results)
    scored = [t for t in results.record.current if t.metrics and t.status != "failed"]
    complete = [trial for trial in scored if trial.complete]
    chosen = complete if results.record.curve else scored  # early steps are another matter
    shared = _shared(chosen, metric)
    if shared.sum() < min(FEWEST, whole := _shared(complete, metric).sum()):
        chosen, shared = complete, _shared(complete, metric) if whole else shared
    if not chosen or not shared.any():
        return Matrix([], [], np.empty((0, 0)), len(scored))
    values = np.array([trial.values(metric)[shared] for trial in chosen], dtype=np.float64)
    units = [unit for unit, kept in zip(results.record.units, shared, strict=True) if kept]
    return Matrix(chosen, units, values, len(scored) - len(chosen))


def _shared(trials: Sequence[Trial], metric: str) -> NDArray[np.bool_]:
    """Find the questions for which a metric is known of all trials; shape [units]."""
    if not trials:
        return np.zeros(0, dtype=bool)
    known = np.array([~np.isnan(trial.values(metric)) for trial in trials])
    defined = np.asarray(known.all(axis=0), dtype=bool)
    counted = np.zeros(len(defined), dtype=bool)
    counted[trials[0].counted] = True
    both: NDArray[np.bool_] = np.logical_and(defined, counted)
    return both


def resamples(
    units: Sequence[str], groups: Mapping[str, str], draws: int, seed: int
) -> NDArray[np.int64]:
    """Draw questions with replacement, whole groups at a time (cluster bootstrap).

    Args:
        units: ids of the questions.
        groups: the group of a question; one that is not named is its own.
        draws: how many resamples.
        seed: of the random numbers.

    Returns:
        How often every question was drawn; shape [draws, units].
    """
    named = owners(units, groups)
    position = {name: number for number, name in enumerate(dict.fromkeys(named))}
    member = np.array([position[name] for name in named], dtype=np.int64)
    count = len(position)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), draws)
    return np.asarray(drawn[:, member], dtype=np.int64)


def cluster_count(units: Sequence[str], groups: Mapping[str, str]) -> int:
    """Count the groups that questions come from."""
    return len(set(owners(units, groups)))
