"""A study's outcome as tables: trials, scores per question, the best, and how sure that is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from raytuner.component import ConfigError
from raytuner.inference_budget import too_dear
from raytuner.journal import read
from raytuner.record import Record
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd


COLUMNS = (
    "trial", "status", "low", "high", "answered", "baseline", "seconds", "usd", "failure", "key",
)  # fmt: skip
"""Columns of the trial table beside parameters and metrics."""


class Interval(NamedTuple):
    """An estimate with its two-sided 95 % confidence interval."""

    estimate: float
    low: float
    high: float


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Estimate a mean over questions with a Student t interval.

    Args:
        values: one number per question, without NaN; shape [questions].

    The standard error never falls below 1 / (4 n): n equal answers are not proof of a
    variance of zero.
    """
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, -math.inf, math.inf)
    from scipy.special import stdtrit

    error = max(float(values.std(ddof=1)) / math.sqrt(n), 1 / (4 * n))
    half = float(stdtrit(n - 1, 0.975)) * error
    return Interval(mean, mean - half, mean + half)


class Results:
    """What a study has found, while it runs or after.

    Args:
        record: trials read from the journal.
        metric: what was optimised.
        maximise: whether more of it is better.
        parameters: names of the tuned parameters.
        name: name of the study.
        folder: its run folder, or None.
        stop_reason: why the last session ended early, or None.
        usd_per_question: the most that a trial may spend on a question to be the best.
    """

    def __init__(
        self,
        record: Record,
        *,
        metric: str | None,
        maximise: bool = True,
        parameters: Sequence[str] = (),
        name: str = "study",
        folder: Path | None = None,
        stop_reason: str | None = None,
        usd_per_question: float | None = None,
    ) -> None:
        self.record = record
        self.metric = metric
        self.maximise = maximise
        self.parameters = tuple(parameters)
        self.name = name
        self.folder = folder
        self.stop_reason = stop_reason
        self.usd_per_question = usd_per_question

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Read a run folder, also while a driver writes it.

        Raises:
            ConfigError: no journal there, or a damaged one.
        """
        folder = Path(folder)
        events, _ = read(folder / "journal.jsonl")
        opened = [event for event in events if event["event"] == "opened"]
        if not opened:
            raise ConfigError(f"{folder}: no run here (journal.jsonl is missing or empty)")
        last = opened[-1]
        record = Record(last["study"], last["scope"], last["units"], events)
        reason = events[-1].get("reason") if events[-1]["event"] == "closed" else None
        return cls(
            record,
            metric=last["metric"] or _first_metric(record),
            maximise=last["maximise"],
            parameters=last["parameters"],
            name=last["name"],
            folder=folder,
            stop_reason=reason,
            usd_per_question=last.get("config", {}).get("budget", {}).get("usd_per_question"),
        )

    # ---- trials

    @cached_property
    def ranked(self) -> list[Trial]:
        """All trials: complete ones best first (ties by key), then the others by number."""
        complete = [trial for trial in self.record.current if self.score(trial) is not None]
        sign = -1.0 if self.maximise else 1.0
        complete.sort(key=lambda trial: (sign * (self.score(trial) or 0.0), trial.key))
        rest = [trial for trial in self.record.current if self.score(trial) is None]
        return complete + rest

    def score(self, trial: Trial) -> float | None:
        """Give a trial's mean metric; None while a unit is missing, so no failure is a gain."""
        return trial.mean(self.metric) if self.metric else None

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best mean, or None. A lead, not a proof."""
        return next(iter(self._eligible()), None)

    def _eligible(self) -> list[Trial]:
        """List the complete trials that do not spend too much, best first."""
        dear, limit = too_dear, self.usd_per_question
        return [t for t in self.ranked if self.score(t) is not None and not dear(t, limit)]

    @property
    def baseline(self) -> Trial | None:
        """Trial 0: the configuration as it stood."""
        return next((trial for trial in self.record.current if trial.baseline), None)

    @property
    def failed(self) -> list[Trial]:
        """Trials that ended without all their scores."""
        return [trial for trial in self.record.current if trial.status == "failed"]

    @property
    def pruned(self) -> list[Trial]:
        """Trials that were stopped after a part of the units, or still wait at a rung."""
        return [trial for trial in self.record.current if trial.status in {"pruned", "paused"}]

    def difference(self, a: Trial, b: Trial) -> Interval | None:
        """Estimate how much better `a` is than `b`, paired over the questions both answered."""
        if self.metric is None:
            return None
        values = a.values(self.metric) - b.values(self.metric)
        values = values[~np.isnan(values)]
        if not len(values):
            return None
        return mean_interval(values if self.maximise else -values)

    def contenders(self) -> list[Trial]:
        """List the trials that the questions asked cannot tell apart from the best one."""
        best = self.best
        if best is None:
            return []
        others = self._eligible()[1:]
        return [t for t in others if (d := self.difference(best, t)) is None or d.low <= 0]

    # ---- tables

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, best first: parameters, means, interval, work, how it ended."""
        import pandas as pd

        metrics = self._metrics()
        table = pd.DataFrame([self._row(trial, metrics) for trial in self.ranked])
        for name in self.parameters:
            values = [trial.params.get(name) for trial in self.ranked]
            if None in values:  # pandas would turn integers beside a gap into floats
                table[name] = pd.Series(values, dtype=object)
        return table

    @property
    def scores(self) -> pd.DataFrame:
        """Long form, one row per trial, unit and metric: columns trial, unit, metric, score."""
        import pandas as pd

        parts = [_long(trial) for trial in self.record.current if trial.metrics]
        columns = zip(*parts, strict=True) if parts else ((np.empty(0),),) * 4
        joined = (np.concatenate(column) for column in columns)
        return pd.DataFrame(dict(zip(("trial", "unit", "metric", "score"), joined, strict=True)))

    def _row(self, trial: Trial, metrics: Sequence[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"trial": trial.number, "status": trial.status}
        row.update({name: trial.params.get(name) for name in self.parameters})
        row.update({m: trial.mean(m) for m in metrics if m not in row})
        values = trial.values(self.metric) if self.metric else np.empty(0)
        values = values[~np.isnan(values)]
        interval = mean_interval(values) if len(values) and not trial.missing() else None
        row["low"], row["high"] = (interval.low, interval.high) if interval else (None, None)
        row["answered"] = len(trial.units) - len(trial.missing())
        row["baseline"] = trial.baseline
        row.setdefault("seconds", round(trial.seconds, 3))  # a metric may have the name
        row.setdefault("usd", trial.cost.usd)
        row["failure"] = trial.reason
        if trial.failure:
            row["failure"] = f"{trial.failure.kind}: {trial.failure.message}"
        row["key"] = trial.key
        return row

    def _metrics(self) -> list[str]:
        names = dict.fromkeys(m for trial in self.record.current for m in trial.metrics)
        return sorted(names, key=lambda name: name != self.metric)

    def save(self) -> None:
        """Write `trials.parquet` and `scores.parquet` into the run folder."""
        if self.folder is None:
            return
        for name, table in (("trials", self.trials), ("scores", self.scores)):
            partial = self.folder / f".{name}.parquet.partial"
            parquet_ready(table).to_parquet(partial, index=False)
            partial.replace(self.folder / f"{name}.parquet")

    @property
    def work(self) -> dict[str, int]:
        """Work counters of the latest session (texts embedded, artifacts built, ...)."""
        return dict(sorted(self.record.work.items()))

    @property
    def total_work(self) -> dict[str, int]:
        """Work counters of all sessions together."""
        totals: dict[str, int] = {}
        for trial in self.record.current:
            for name, amount in trial.counts.items():
                totals[name] = totals.get(name, 0) + amount
        return dict(sorted(totals.items()))

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent in every stage of the latest session, most first."""
        return dict(sorted(self.record.stages.items(), key=lambda item: -item[1]))

    def _repr_html_(self) -> str:
        return str(self.trials.drop(columns=["key"], errors="ignore").to_html(escape=True))


def _long(trial: Trial) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]:
    """Give trial, unit, metric and score of every score, metric by metric."""
    columns, rows = np.nonzero(~np.isnan(trial.table.T))
    units = np.array(trial.units, dtype=object)[rows]
    metrics = np.array(trial.metrics, dtype=object)[columns]
    return np.full(len(rows), trial.number), units, metrics, trial.table[rows, columns]


def parquet_ready(table: pd.DataFrame) -> pd.DataFrame:
    """Spell mixed-type parameter columns as JSON; Arrow wants one type a column."""
    ready = table.copy()
    for name in ready.columns:
        kinds = {type(value) for value in ready[name] if value is not None and value == value}  # noqa: PLR0124
        if len(kinds) > 1 or tuple in kinds or list in kinds:
            ready[name] = [json.dumps(value) for value in ready[name]]
    return ready


def _first_metric(record: Record) -> str | None:
    return next((t.metrics[0] for t in record.current if t.metrics), None)
