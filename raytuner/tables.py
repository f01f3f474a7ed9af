"""A study's outcome as pandas tables: one row a trial, and one row a score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytuner.latency import latency_of
from raytuner.proof.confidence import Interval, mean_interval
from raytuner.score_table import Scored
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.results import Results

COLUMNS = (
    "trial", "status", "low", "high", "answered", "baseline", "seconds", "usd", "failure", "key",
)  # fmt: skip
"""Columns of the trial table beside parameters and metrics."""


def trial_table(results: Results) -> pd.DataFrame:
    """Give one row a trial, best first: parameters, means, interval, work, how it ended."""
    import pandas as pd

    metrics = results.metrics
    table = pd.DataFrame([_row(results, trial, metrics) for trial in results.ranked])
    for name, measured in _measures(results).items():
        if name not in table.columns:  # a metric or a parameter may have the name
            table.insert(list(table.columns).index("seconds"), name, measured)
    for name, descended in _lineage(results).items():
        if name not in table.columns:
            table.insert(list(table.columns).index("seconds"), name, descended)
    for name in results.parameters:
        values = [trial.params.get(name) for trial in results.ranked]
        if None in values:  # pandas would turn integers beside a gap into floats
            table[name] = pd.Series(values, dtype=object)
    return table


def score_table(results: Results) -> pd.DataFrame:
    """Give one row per trial, unit and metric: columns trial, unit, metric, score, part."""
    import pandas as pd

    parts = []
    for trial in results.record.current:
        parts += [
            (*_long(trial.number, table), part)
            for table, part in ((trial, "searched"), (trial.held, "held out"))
            if table.metrics
        ]
    names = ("trial", "unit", "metric", "score")
    frames = [
        pd.DataFrame({**dict(zip(names, columns, strict=True)), "part": part})
        for *columns, part in parts
    ]
    if not frames:
        return pd.DataFrame({name: np.empty(0) for name in (*names, "part")})
    return pd.concat(frames, ignore_index=True)


def _row(results: Results, trial: Trial, metrics: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"trial": trial.number, "status": trial.status}
    row.update({name: trial.params.get(name) for name in results.parameters})
    row.update({m: trial.mean(m) for m in metrics if m not in row})
    interval = interval_of(results, trial)
    row["low"], row["high"] = (interval.low, interval.high) if interval else (None, None)
    row["answered"] = trial.answered
    row["baseline"] = trial.baseline
    row.setdefault("seconds", round(trial.seconds, 3))  # a metric may have the name
    row.setdefault("usd", trial.cost.usd)
    row["failure"] = trial.reason or (results.broken(trial) if trial.complete else None)
    if trial.failure:
        row["failure"] = f"{trial.failure.kind}: {trial.failure.message}"
    row["key"] = trial.key
    return row


def interval_of(results: Results, trial: Trial) -> Interval | None:
    """Estimate a complete trial's mean metric; None of a curve, whose last step alone counts."""
    values = trial.values(results.metric)[trial.counted] if results.metric else np.empty(0)
    values = values[~np.isnan(values)]
    whole = len(values) > trial.curve and not trial.missing()
    return mean_interval(values, results.reach.width) if whole else None


def _measures(results: Results) -> dict[str, list[float | None]]:
    """Give what whole trials measure, where any does: latency, size of the index, ..."""
    found: dict[str, list[float | None]] = {}
    waits = [latency_of(trial) for trial in results.ranked]
    if any(waits):
        found["latency_p50"] = [wait and wait.p50 for wait in waits]
        found["latency_p95"] = [wait and wait.p95 for wait in waits]
    for name in dict.fromkeys(name for trial in results.ranked for name in trial.facts):
        found[name] = [trial.facts.get(name) for trial in results.ranked]
    return found


def _lineage(results: Results) -> dict[str, pd.Series[Any]]:
    """Give where trials descend from, where a search says so: parents by number."""
    import pandas as pd

    origins = [trial.origin for trial in results.ranked]
    if not any(origins):
        return {}
    numbers = {trial.key: trial.number for trial in results.record.current}
    columns: dict[str, list[Any]] = {
        "generation": [one.generation if one else None for one in origins],
        "how": [one.how if one else None for one in origins],
        "parents": [
            [numbers[key] for key in one.parents if key in numbers] if one else None
            for one in origins
        ],
    }
    if any(one.note for one in origins if one):
        columns["note"] = [one.note if one and one.note else None for one in origins]
    # objects: pandas would turn integers beside a gap into floats
    return {name: pd.Series(values, dtype=object) for name, values in columns.items()}


def _long(number: int, table: Scored) -> tuple[NDArray[Any], ...]:
    """Give trial, unit, metric and score of every score, metric by metric."""
    columns, rows = np.nonzero(~np.isnan(table.table.T))
    units = np.array(table.units, dtype=object)[rows]
    metrics = np.array(table.metrics, dtype=object)[columns]
    return np.full(len(rows), number), units, metrics, table.table[rows, columns]


def parquet_ready(table: pd.DataFrame) -> pd.DataFrame:
    """Spell mixed-type parameter columns as JSON; Arrow wants one type a column."""
    ready = table.copy()
    for name in ready.columns:
        kinds = {type(value) for value in ready[name] if value is not None and value == value}  # noqa: PLR0124
        if len(kinds) > 1 or tuple in kinds or list in kinds:
            ready[name] = [json.dumps(value) for value in ready[name]]
    return ready
