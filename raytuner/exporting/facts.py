"""What a tracker is told of a run: plain values, the same for every tracker, without secrets."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raytuner import __version__
from raytuner.component import ConfigError, digest
from raytuner.journal import read
from raytuner.trial import Trial

if TYPE_CHECKING:
    from raytuner.results import Results

Row = tuple[str, str, str, float]
"""Question, part, metric, score."""
ROW_NAMES = ("question", "part", "metric", "score")

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$", re.IGNORECASE)
_SHORTEST_SECRET = 8
_HIDDEN = "***"


@dataclass(frozen=True)
class TrialFacts:
    """One trial.

    Attributes:
        key: its identity within the run.
        number: its number within the study.
        name: what a tracker shows.
        params: its parameters, plain JSON values.
        metrics: numbers by name: means of metrics, dollars, seconds, questions answered.
        tags: texts by name: status, and why it ended.
        scores: every score, by question.
        done: whether anything more is expected.
        failed: whether it ended without all its scores.
    """

    key: str
    number: int
    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    scores: Sequence[Row]
    done: bool
    failed: bool

    @property
    def state(self) -> str:
        """Identify all that is said: equal states need not be sent again."""
        own = (dict(self.params), dict(self.metrics), dict(self.tags), list(self.scores))
        return digest("exported trial", *own)


@dataclass(frozen=True)
class RunFacts:
    """One run folder.

    Attributes:
        id: stays with the journal, wherever it is copied.
        name: of the study.
        params: what the study is about.
        metrics: the outcome in numbers.
        tags: the outcome in words, the verdict among them.
        trials: in the order they were proposed.
        started: in seconds since the epoch.
    """

    id: str
    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    trials: Sequence[TrialFacts]
    started: float

    @property
    def state(self) -> str:
        """Identify all that is said of the run itself.

        But for the seconds: running a finished study once more adds some, and nothing else.
        """
        told = {name: value for name, value in self.metrics.items() if name != "seconds"}
        own = (dict(self.params), told, dict(self.tags))
        return digest("exported run", *own, [trial.state for trial in self.trials])


def run_facts(results: Results) -> RunFacts:
    """Collect what there is to say.

    Raises:
        ConfigError: the study ran in memory, or has no trial yet.
    """
    if results.folder is None:
        raise ConfigError(f"{results.name}: ran in memory; only a run folder can be exported")
    events, _ = read(results.folder / "journal.jsonl")
    trials = results.record.current
    if not trials or not events:
        raise ConfigError(f"{results.name}: nothing to export, there is no trial yet")
    first = events[0]
    hide = Scrub(os.environ)
    verdict = results.verdict
    metrics = {
        "trials": float(len(trials)),
        "usd": float(results.record.spent_usd),
        "seconds": round(float(results.record.seconds), 3),
    }
    best = results.best
    if best is not None and results.metric is not None:
        metrics[f"best {results.metric}"] = float(results.score(best) or 0.0)
    tags = {
        "study": results.name,
        "verdict": str(verdict.status),
        "verdict.sentence": hide.text(verdict.sentence),
        "stopped": hide.text(results.stop_reason or ""),
        "version": __version__,
    }
    params = {
        "metric": results.metric,
        "maximise": results.maximise,
        "parameters": list(results.parameters),
        "questions": len(results.record.units),
    }
    return RunFacts(
        id=digest("run folder", first.get("study"), first.get("scope"), first["t"]),
        name=results.name,
        params=params,
        metrics=metrics,
        tags={name: text for name, text in tags.items() if text},
        trials=[_trial(trial, results, hide) for trial in trials],
        started=float(first["t"]),
    )


class Scrub:
    """Takes secrets out of what leaves: the values of variables that are named like one.

    Args:
        environment: variables and their values.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        found = {
            value
            for name, value in environment.items()
            if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
        }
        self._secrets = sorted(found, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Take them out of a text."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def value(self, value: Any) -> Any:
        """Take them out of a parameter's value; tuples become lists."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def spelt(value: Any) -> str:
    """Spell a value for trackers that know texts only: texts as they are, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _trial(trial: Trial, results: Results, hide: Scrub) -> TrialFacts:
    means = {name: trial.mean(name) for name in trial.metrics}
    metrics = {name: mean for name, mean in means.items() if mean is not None}
    for name in trial.held.metrics:
        held = trial.held.mean(name)
        if held is not None:
            metrics[f"held out {name}"] = held
    own = {
        "usd": float(trial.cost.usd),
        "seconds": round(float(trial.seconds), 3),
        "answered": float(trial.answered),
    }
    tags = {"status": str(trial.status), "reason": hide.text(trial.reason or "")}
    if trial.failure is not None:
        tags["failure"] = hide.text(f"{trial.failure.kind}: {trial.failure.message}")
    if trial.baseline:
        tags["baseline"] = "true"
    if results.verdict.recommended == trial.number:
        tags["recommended"] = "true"
    return TrialFacts(
        key=trial.key,
        number=trial.number,
        name=f"trial {trial.number}",
        params={name: hide.value(value) for name, value in trial.params.items()},
        metrics={**own, **metrics},
        tags={name: text for name, text in tags.items() if text},
        scores=_scores(trial),
        done=trial.status in {"complete", "pruned", "failed"},
        failed=trial.status == "failed",
    )


def _scores(trial: Trial) -> list[Row]:
    """List every score of a trial, question by question."""
    rows: list[Row] = []
    for table, part in ((trial, "searched"), (trial.held, "held out")):
        columns = {metric: table.values(metric).tolist() for metric in table.metrics}
        rows += [
            (unit, part, metric, values[row])
            for row, unit in enumerate(table.units if columns else ())
            for metric, values in columns.items()
            if not math.isnan(values[row])
        ]
    return rows
