"""A study's outcome as tables: trials, scores per question, the best, and how sure that is."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from raytuner.events import run_events
from raytuner.goal import Goal, recorded_goal
from raytuner.insight.views import Insight
from raytuner.judging.finalists import Field, field_of, finalists
from raytuner.judging.trust import Trust
from raytuner.limits import Limits
from raytuner.proof.confidence import Interval, mean_interval
from raytuner.proof.looks import past_of
from raytuner.proof.reach import Reach, reach_of
from raytuner.rating.scoring import fill, rated
from raytuner.record import Record
from raytuner.score_table import Scored
from raytuner.tables import parquet_ready, score_table, trial_table
from raytuner.trial import Trial, distance

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.verdict import Verdict

_SHOWN = 60
"""Trials that a notebook shows, as pandas does."""
_COVERED = 0.9
"""Share of the questions that anybody has the metric for, and the best one must have it."""


class Results(Insight):
    """What a study has found, while it runs or after.

    Args:
        record: trials read from the journal.
        goal: what was optimised, under which limits.
        parameters: names of the tuned parameters.
        name: name of the study.
        folder: its run folder, or None.
        stop_reason: why the last session ended early, or None.
        settled: why no further trial was worth it, or None.
        closed: whether the last session has ended, as far as the journal says.
        groups: the group (source document) of every question.
        trust: what counts as proof.
        contents: a digest of what every question asks and expects, where that is known.
    """

    def __init__(
        self,
        record: Record,
        *,
        goal: Goal,
        parameters: Sequence[str] = (),
        name: str = "study",
        folder: Path | None = None,
        stop_reason: str | None = None,
        settled: str | None = None,
        closed: bool = True,
        groups: Mapping[str, str] | None = None,
        trust: Trust | None = None,
        contents: Mapping[str, str] | None = None,
    ) -> None:
        self.record = record
        self.goal = goal
        self.metric = goal.name
        self.maximise = goal.maximise
        self.parameters = tuple(parameters)
        self.name = name
        self.folder = folder
        self.stop_reason = stop_reason
        self.settled = settled
        self.closed = closed
        self._limits = Limits(goal.limits)
        self.groups = groups or {}
        self.trust = trust or Trust()
        self.contents = contents or {}

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Read a run folder, also while a driver writes it.

        Raises:
            ConfigError: no journal there, or a damaged one.
        """
        folder = Path(folder)
        events, last = run_events(folder)
        units, searched = last["units"], last.get("search", len(last["units"]))
        config = last.get("config") or {}
        goal = recorded_goal(last, config)
        parts = units[:searched], events, units[searched:]
        curve = last.get("curve", False)
        record = Record(last["study"], last["scope"], *parts, goal.derived, curve=curve)
        contents = dict(zip(units, last.get("contents") or (), strict=False))
        past = past_of(events, record.study, record.scope, record.held_out, contents)
        record.looks, record.spoiled = past
        if rated(last):
            fill(record, folder)
        reason = events[-1].get("reason") if events[-1]["event"] == "closed" else None
        return cls(
            record,
            goal=goal if goal.metrics else _first(record, goal),
            parameters=last["parameters"],
            name=last["name"],
            folder=folder,
            stop_reason=reason,
            settled=events[-1].get("settled"),
            closed=events[-1]["event"] == "closed",
            groups=dict(zip(units, map(str, last.get("groups") or units), strict=True)),
            trust=Trust.model_validate(config.get("verdict") or {}),
            contents=contents,
        )

    # ---- trials

    @cached_property
    def ranked(self) -> list[Trial]:
        """All trials: complete ones best first, then those that got furthest.

        Ties go to what is closest to the configuration as it stands, then by key.
        """
        complete = [trial for trial in self.record.current if self.score(trial) is not None]
        sign = -1.0 if self.maximise else 1.0
        standing = self.baseline
        away = {t.key: distance(t, standing) if standing else (0, 0.0) for t in complete}
        complete.sort(key=lambda t: (sign * (self.score(t) or 0.0), away[t.key], t.key))
        rest = [trial for trial in self.record.current if self.score(trial) is None]
        rest.sort(key=lambda trial: -trial.answered)
        return complete + rest

    def score(self, trial: Trial) -> float | None:
        """Give a trial's mean metric; None while a unit is missing, so no failure is a gain."""
        return trial.mean(self.metric) if self.metric else None

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best mean, or None. A lead, not a proof."""
        return next(iter(self.eligible), None)

    @property
    def eligible(self) -> list[Trial]:
        """List the complete trials that keep to the limits, best first.

        The metric may be defined for a part of the questions. A trial that has it on clearly
        fewer of them than others is out: its mean is one of other questions.
        """
        kept = [t for t in self.ranked if self.score(t) is not None and self.broken(t) is None]
        defined = {t.key: int((~np.isnan(self.oriented(t))).sum()) for t in kept}
        least = _COVERED * max(defined.values(), default=0)
        return [trial for trial in kept if defined[trial.key] >= least]

    def broken(self, trial: Trial) -> str | None:
        """Say which limit a complete trial breaks, so that it cannot be the best; or None."""
        return self._limits.broken(trial)

    @property
    def no_best(self) -> str:
        """Why there is no best trial, where there is none."""
        scored = any(self.score(trial) is not None for trial in self.record.current)
        return "no trial keeps to the limits" if scored else "no trial is complete yet"

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
        values = (a.values(self.metric) - b.values(self.metric))[a.counted]
        values = values[~np.isnan(values)]
        if not len(values):
            return None
        return mean_interval(values if self.maximise else -values, self.reach.width)

    @cached_property
    def reach(self) -> Reach:
        """How far scores of the optimised metric reach, over all trials and questions."""
        tables = [table for trial in self.record.current for table in (trial, trial.held)]
        return reach_of(table.values(self.metric or "") for table in tables)

    def contenders(self) -> list[Trial]:
        """List the trials that the questions asked cannot tell apart from the best one."""
        best = self.best
        if best is None:
            return []
        others = self.eligible[1:]
        return [t for t in others if (d := self.difference(best, t)) is None or d.low <= 0]

    # ---- the verdict

    def oriented(self, table: Scored) -> NDArray[np.float64]:
        """Give the optimised metric of every question so that higher is better."""
        values = table.values(self.metric or "")[table.counted]
        return values if self.maximise else -values

    @cached_property
    def field(self) -> Field:
        """The trials that can be compared, as one table."""
        trials = self.eligible
        standing = self.baseline
        if standing is not None and standing not in trials and self.score(standing) is not None:
            trials = [*trials, standing]
        return field_of(trials, self.oriented, self.groups)

    @property
    def compared(self) -> list[Trial]:
        """The configuration as it stands, if it is complete, then the finalists."""
        if self.field.base is None:
            return []
        chosen = [finalist.trial for finalist in finalists(self.field)]
        return [self.field.trials[self.field.base], *chosen]

    @cached_property
    def verdict(self) -> Verdict:
        """Whether anything that was tried is really better than what stood before."""
        from raytuner.judging.ruling import verdict_of

        return verdict_of(self)

    @property
    def recommended(self) -> Trial | None:
        """The trial that the verdict says to use; None where there is no verdict."""
        number = None if self.verdict.status == "NONE" else self.verdict.recommended
        return next((t for t in self.record.current if t.number == number), None)

    # ---- tables

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, best first: parameters, means, interval, work, how it ended."""
        return trial_table(self)

    @property
    def scores(self) -> pd.DataFrame:
        """Long form: columns trial, unit, metric, score, part (`searched` or `held out`)."""
        return score_table(self)

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics, the optimised one first."""
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
        totals = dict(self.record.background)
        for trial in self.record.current:
            for name, amount in trial.counts.items():
                totals[name] = totals.get(name, 0) + amount
        return dict(sorted(totals.items()))

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds spent in every stage of the latest session, most first."""
        return dict(sorted(self.record.stages.items(), key=lambda item: -item[1]))

    def _repr_html_(self) -> str:
        """Show the verdict and the trials in a notebook; of many trials, the ends of the table."""
        table = self.trials.drop(columns=["key"], errors="ignore")
        shown = table.to_html(escape=True, max_rows=_SHOWN)
        return f"<p><b>{html.escape(self.verdict.sentence)}</b></p>\n{shown}"


def _first(record: Record, goal: Goal) -> Goal:
    reported = next((trial.metrics for trial in record.current if trial.metrics), ())
    return replace(goal, metrics=tuple(reported[:1]))
