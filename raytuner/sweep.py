"""The driver's state of a running study: what to try next, and where results go.

Backends pull jobs from it and push results into it, from any number of threads. It is the only
place that writes the journal.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from raytuner.budget import Budget, Purse, Spent
from raytuner.component import ConfigError, digest
from raytuner.journal import Journal
from raytuner.meter import WorkMeter
from raytuner.objective import Failure, Objective, Params, UnitScore, Value
from raytuner.order import Order
from raytuner.record import Record, ended_event, trial_event, units_event
from raytuner.search import Exhausted, Proposer
from raytuner.trial import Trial
from raytuner.worker import Ended, Job, Patience


class Listener(Protocol):
    """Is told what happens, to show it. Must return fast."""

    def started(self, trial: Trial) -> None:
        """A trial begins."""

    def scored(self, trial: Trial, units: int) -> None:
        """Some units of a trial are on record."""

    def ended(self, trial: Trial) -> None:
        """A trial has ended (also when all of it was known before)."""


class Cleaner(Protocol):
    """The one thing a sweep wants of a space."""

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Clean a proposal: plain values, snapped, inactive parameters dropped."""


class Silent:
    """Shows nothing."""

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def scored(self, trial: Trial, units: int) -> None:
        """Show nothing."""

    def ended(self, trial: Trial) -> None:
        """Show nothing."""


class Sweep:
    """One session of a study.

    Args:
        objective: what is tuned.
        space: parameters and their domains.
        proposer: gives parameters to try.
        journal: where everything is recorded.
        record: what the journal already holds for this study.
        metric: name of the metric that is optimised; None takes the first one reported.
        baseline: parameters of trial 0, tried before anything else.
        budget: when to stop.
        patience: how to retry.
        listener: is told what happens.
        lookahead: how many proposals may be drawn early, to run neighbours that share work.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        space: Cleaner,
        proposer: Proposer,
        journal: Journal,
        record: Record,
        metric: str | None,
        baseline: Params | None = None,
        budget: Budget | None = None,
        patience: Patience | None = None,
        listener: Listener | None = None,
        lookahead: int = 1,
    ) -> None:
        self.objective = objective
        self.record = record
        self.metric = metric
        self.stop_reason: str | None = None
        self.purse = Purse((budget or Budget()).usd, record.cost.usd)
        self._space = space
        self._proposer = proposer
        self._journal = journal
        self._budget = budget or Budget()
        self._patience = patience or Patience()
        self._listener = listener or Silent()
        self._baseline = dict(baseline) if baseline is not None else None
        self._order = Order(objective, lookahead)
        self._units = tuple(objective.units())
        self._cancel = threading.Event()
        self._state = threading.Condition()
        self._running: dict[str, Trial] = {}
        self._seen: dict[str, list[Params]] = {}
        self._proposed = 0
        self._exhausted = False
        self._started = time.monotonic()

    # ---- pulled by backends

    def take(self) -> Job | None:
        """Wait for the next job; None when there will be no more."""
        with self._state:
            while True:
                if self._over():
                    self._state.notify_all()
                    return None
                trial = self._next()
                if trial is not None:
                    self._running[trial.key] = trial
                    self._listener.started(trial)
                    return Job(trial.key, trial.params, tuple(trial.missing()), self._patience)
                if not self._running and self._exhausted:
                    self._state.notify_all()
                    return None
                self._state.wait(timeout=0.5)

    def meter(self) -> WorkMeter:
        """Make the meter of one job."""
        return WorkMeter(self.purse, self._cancel)

    def score(self, key: str, scores: Sequence[UnitScore]) -> None:
        """Record unit scores; returns once they are on disk."""
        self._journal.append(units_event(key, scores))
        with self._state:
            trial = self._running[key]
            self.record.add(trial, scores)
            self._listener.scored(trial, len(scores))

    def end(self, outcome: Ended) -> None:
        """Record how a job ended."""
        self._journal.append(ended_event(outcome))
        with self._state:
            trial = self._running.pop(outcome.key)
            self.record.end(trial, outcome)
            self._close(trial)
            self._state.notify_all()

    def cancel(self, reason: str) -> None:
        """Ask every worker to end after the batch it is in."""
        with self._state:
            self.stop_reason = self.stop_reason or reason
            self._cancel.set()
            self._state.notify_all()

    @property
    def cancelled(self) -> bool:
        """Whether the sweep is ending early."""
        return self._cancel.is_set()

    def spent(self) -> Spent:
        """Sum up what the study has consumed, earlier sessions included."""
        seconds = self.record.seconds + time.monotonic() - self._started
        return Spent(self._proposed, seconds, self.purse.spent)

    # ---- what to try next

    def _over(self) -> bool:
        if self._cancel.is_set():
            return True
        reason = self._budget.exceeded(self.spent())
        if reason and not self._exhausted_quietly():
            self.stop_reason = reason
            if "trials" not in reason:
                self._cancel.set()
            return True
        return False

    def _exhausted_quietly(self) -> bool:
        """Tell whether the search had nothing left anyway, so that no budget stopped it."""
        if self._exhausted or self._order.waiting:
            return self._exhausted and not self._order.waiting
        self._fill()
        return self._exhausted and not self._order.waiting

    def _next(self) -> Trial | None:
        """Propose until something needs work; None if nothing does at the moment."""
        if self._baseline is not None:
            baseline, self._baseline = self._baseline, None
            trial = self._open(baseline, baseline=True)
            if trial is not None:
                return trial
        while True:
            self._fill()
            params = self._order.pop()
            if params is None:
                return None
            trial = self._open(params)
            if trial is not None:
                return trial
            if self._over():
                return None

    def _fill(self) -> None:
        while not self._exhausted and self._order.wants_more:
            try:
                proposal = self._proposer.ask()
            except Exhausted:
                self._exhausted = True
                return
            if proposal is None:
                return
            self._order.push(self._space.active(proposal))

    def _open(self, params: Params, *, baseline: bool = False) -> Trial | None:
        """Put a proposal on record; give its trial if there is anything left to evaluate."""
        try:
            key = self.objective.key(params)
        except ConfigError as error:
            self._refuse(params, error)
            return None
        if key in self._seen:
            self._again(key, params)
            return None
        self._seen[key] = [params]
        self._proposed += not baseline
        trial = self.record.open(key, params, self._units, baseline=baseline)
        self._journal.append(trial_event(trial))
        if trial.missing():
            trial.status = "running"
            trial.failure = None
            return trial
        trial.status = "complete"
        self._close(trial)
        return None

    def _refuse(self, params: Params, error: ConfigError) -> None:
        """Record a configuration that cannot run, as a failure; nothing was evaluated."""
        key = digest("refused", params)
        self._seen[key] = [params]
        self._proposed += 1
        trial = self.record.open(key, params, self._units, baseline=False)
        outcome = Ended(key, "failed", 0.0, Failure("config", str(error)))
        self._journal.append(trial_event(trial), ended_event(outcome))
        self.record.end(trial, outcome)
        self._close(trial)

    def _again(self, key: str, params: Params) -> None:
        """Answer a repeated proposal from what is known, now or when its twin has ended."""
        if key in self._running:
            self._seen[key].append(params)
        else:
            self._proposer.tell(params, self._value(self.record.trials[key]))

    def _close(self, trial: Trial) -> None:
        self._order.ended(trial.params)
        value = self._value(trial)
        for params in self._seen[trial.key]:
            self._proposer.tell(params, value)
        self._listener.ended(trial)

    def _value(self, trial: Trial) -> float | None:
        """Give what a search maximises; None for a trial without a full score."""
        if self.metric is None and trial.metrics:
            self.metric = trial.metrics[0]
        mean = trial.mean(self.metric) if self.metric else None
        if mean is None or self.metric is None:
            return None
        return mean if self.objective.maximise(self.metric) else -mean

    @contextlib.contextmanager
    def session(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Frame the session in the journal, whatever ends it."""
        self._journal.append({"event": "opened", **facts})
        self.record.work, self.record.stages = {}, {}
        try:
            yield
        finally:
            self._journal.append({"event": "closed", "reason": self.stop_reason})
