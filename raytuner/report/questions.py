"""What each question says of the configurations: how hard it is, how well it parts them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from raytuner.results import Results
from raytuner.trial import Trial


class Question(NamedTuple):
    """One question over all trials.

    Attributes:
        unit: its id.
        held_out: only finalists have answered it.
        mean: of the metric over the trials that answered it; None if none did.
        spread: standard deviation over these trials: how well it tells them apart.
        answers: how many trials answered it.
        scores: the metric of every leading configuration, None where it has none.
    """

    unit: str
    held_out: bool
    mean: float | None
    spread: float
    answers: int
    scores: tuple[float | None, ...]


def questions(results: Results, leaders: Sequence[Trial]) -> list[Question]:
    """List all questions, those first that tell configurations apart best, then the hardest.

    Questions of both parts are listed; held-out ones are known of the leading trials alone.
    """
    if results.metric is None:
        return []
    trials = results.record.current
    searched = _table([trial.values(results.metric) for trial in trials], len(results.record.units))
    held = _table(
        [trial.held.values(results.metric) for trial in trials if len(trial.held.table)],
        len(results.record.held_out),
    )
    found = []
    if not results.record.curve:
        found = _rows(results.record.units, searched, [t.values(results.metric) for t in leaders])
    if len(held):
        values = [t.held.values(results.metric) for t in leaders]
        found += _rows(results.record.held_out, held, values, held_out=True)
    sign = 1.0 if results.maximise else -1.0
    return sorted(
        found,
        key=lambda q: (-round(q.spread, 9), sign * (q.mean if q.mean is not None else 0.0), q.unit),
    )


def _table(columns: Sequence[np.ndarray], units: int) -> np.ndarray:
    """Give scores as [trials, units]; no row where nothing is known."""
    return np.array(columns).reshape(-1, units) if columns and units else np.empty((0, units))


def _rows(
    units: Sequence[str],
    table: np.ndarray,
    leaders: Sequence[np.ndarray],
    *,
    held_out: bool = False,
) -> list[Question]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a question that nobody answered
        means = np.nanmean(table, axis=0) if len(table) else np.full(len(units), np.nan)
        spreads = np.nanstd(table, axis=0) if len(table) else np.zeros(len(units))
    counts = (~np.isnan(table)).sum(axis=0) if len(table) else np.zeros(len(units), int)
    return [
        Question(
            unit,
            held_out,
            _known(means[row]),
            float(np.nan_to_num(spreads[row])),
            int(counts[row]),
            tuple(_known(v[row]) if row < len(v) else None for v in leaders),
        )
        for row, unit in enumerate(units)
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
