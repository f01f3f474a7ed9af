"""How fast a study found what it found: the best so far against questions, dollars and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raytuner.component import ConfigError
from raytuner.events import unit_score
from raytuner.insight.matrix import metric_of
from raytuner.journal import Event, read
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.results import Results

COLUMNS = ("trial", "score", "best", "improved", "questions", "usd", "seconds")


def opened(results: Results) -> Mapping[str, Any]:
    """Give the facts that the latest session was opened with; empty if it ran in memory."""
    if results.folder is None:
        return {}
    events, _ = read(results.folder / "journal.jsonl")
    found = [event for event in events if event["event"] == "opened"]
    return found[-1] if found else {}


def curve(results: Results) -> pd.DataFrame:
    """Trace the best mean so far, one row for every trial that became complete, in that order.

    Columns:
        trial, score: which one it was, and its mean over the searched questions.
        best: the best of these so far that spends no more on a question than it may.
        improved: whether this trial made it better.
        questions, usd: answered and spent on answers until then, by all trials together.
        seconds: of the sessions until then; the time between sessions does not count.

    Raises:
        ConfigError: the run is in memory only, or nothing has been scored yet.
    """
    import pandas as pd

    metric = metric_of(results)
    if results.folder is None:
        raise ConfigError(
            f"{results.name}: a curve is read from the journal of a run folder; this study ran in "
            "memory"
        )
    events, _ = read(results.folder / "journal.jsonl")
    trace = _Trace(results, metric)
    for event in events:
        trace.take(event)
    return pd.DataFrame(trace.rows, columns=list(COLUMNS))


class _Trace:
    """Replays a journal, event by event.

    Args:
        results: the run.
        metric: what is traced.
    """

    def __init__(self, results: Results, metric: str) -> None:
        self.rows: list[dict[str, Any]] = []
        self._results, self._metric = results, metric
        self._scope, self._study = results.record.scope, results.record.study
        self._units: Sequence[str] = results.record.units
        self._positions = {unit: row for row, unit in enumerate(self._units)}
        self._numbers = {trial.key: trial.number for trial in results.record.current}
        self._trials: dict[str, Trial] = {}
        self._own: set[str] = set()
        self._done: set[str] = set()
        self._session: Event = {}
        self._seconds = self._before = self._usd = 0.0
        self._questions = 0
        self._best: float | None = None

    def take(self, event: Event) -> None:
        """Take in one event."""
        if event["event"] == "opened":
            self._session, self._before = event, self._seconds
        if not self._session:
            return
        self._seconds = max(self._seconds, self._before + event["t"] - self._session["t"])
        if self._session["scope"] != self._scope:
            return
        if event["event"] == "trial":
            key = event["key"]
            made = Trial(key, event["params"], self._units, curve=self._results.record.curve)
            self._trials.setdefault(key, made)
            if self._session["study"] == self._study:
                self._own.add(key)
                self._complete(key)
        elif event["event"] == "units":
            self._answered(event)

    def _answered(self, event: Event) -> None:
        scores = [unit_score(row) for row in event["rows"]]
        self._usd += sum(score.cost.usd for score in scores)
        self._questions += sum(score.failure is None for score in scores)
        trial = self._trials.get(event["key"])
        if trial is not None:
            trial.record(map(self._results.goal.derived, scores), self._positions)
            self._complete(trial.key)

    def _complete(self, key: str) -> None:
        """Add a row if this trial has just got its last score."""
        trial = self._trials[key]
        if key in self._done or key not in self._own:
            return
        score = trial.mean(self._metric)
        if score is None:
            return
        self._done.add(key)
        improved = self._results.broken(trial) is None and self._better(score)
        if improved:
            self._best = score
        self.rows.append(
            {
                "trial": self._numbers.get(key, -1), "score": score, "best": self._best,
                "improved": improved, "questions": self._questions, "usd": self._usd,
                "seconds": round(self._seconds, 3),
            }
        )  # fmt: skip

    def _better(self, score: float) -> bool:
        if self._best is None:
            return True
        return score > self._best if self._results.maximise else score < self._best
