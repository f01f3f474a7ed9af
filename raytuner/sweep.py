"""The driver's state of a running study: what to try next, and where results go.

Backends pull jobs from it and push results into it, from any number of threads. It is the only
place that writes the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from raytuner.budget import Budget, Purse, Spent
from raytuner.component import ConfigError, RaytunerError, digest, nearest
from raytuner.journal import Journal
from raytuner.listener import Listener, Silent
from raytuner.meter import WorkMeter
from raytuner.objective import Failure, Objective, Params, UnitScore, Value
from raytuner.order import Order, Proposal
from raytuner.record import Record, ended_event, trial_event, units_event
from raytuner.search import Exhausted, Proposer
from raytuner.trial import Trial
from raytuner.worker import Ended, Job, Patience

_REPEATS = 1_000
"""Proposals in a row that bring nothing new; then there is nothing new."""


class Cleaner(Protocol):
    """The one thing a sweep wants of a space."""

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Clean a proposal: plain values, snapped, inactive parameters dropped."""


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
        self._order = Order(objective, lookahead)
        self._units = tuple(objective.units())
        self._cancel = threading.Event()
        self._state = threading.Condition()
        self._running: dict[str, Trial] = {}
        self._seen: dict[str, list[Params]] = {}
        self._ended: set[str] = set()
        self._proposed = 0
        self._short: str | None = None
        self._exhausted = False
        self._started = time.monotonic()
        if baseline is not None:
            self._admit(dict(baseline), baseline=True)

    # ---- pulled by backends

    def take(self) -> Job | None:
        """Wait for the next job; None when there will be no more."""
        with self._state:
            while True:
                if self._over():
                    return None
                trial = self._next()
                if trial is not None:
                    self._running[trial.key] = trial
                    self._listener.started(trial)
                    return Job(trial.key, trial.params, tuple(trial.missing()), self._patience)
                if self._exhausted and not self._order.waiting:
                    self.stop_reason = self.stop_reason or self._short
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
        """Record how a job ended; that it is complete, its scores on disk tell already."""
        self._journal.append(ended_event(outcome), durable=outcome.status != "complete")
        with self._state:
            trial = self._running.pop(outcome.key)
            self.record.end(trial, outcome)
            if outcome.status == "stopped" and not self.cancelled:
                self.cancel("the budget has no room for the next paid call")
            self._order.ended(trial.params)
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
        """Sum up what the study has consumed, earlier sessions included, trials aside."""
        seconds = self.record.seconds + time.monotonic() - self._started
        return Spent(seconds=seconds, usd=self.purse.spent)

    # ---- what to try next

    def _over(self) -> bool:
        if self._cancel.is_set():
            return True
        reason = self._budget.exceeded(self.spent())
        if reason and not self._exhausted_quietly():
            self.cancel(reason)
        return self._cancel.is_set()

    def _exhausted_quietly(self) -> bool:
        """Tell whether nothing new was left to try anyway, so that no budget stopped it."""
        self._fill()
        return self._exhausted and not self._order.waiting

    def _next(self) -> Trial | None:
        """Take proposals until one needs work; None if nothing does at the moment."""
        while True:
            self._fill()
            proposal = self._order.pop()
            if proposal is None:
                return None
            trial = self._open(proposal)
            if trial is not None:
                return trial
            if self._over():
                return None

    def _fill(self) -> None:
        repeats = 0
        while not self._exhausted and self._order.wants_more:
            try:
                point = self._proposer.ask()
            except Exhausted:
                self._exhausted = True
                return
            if point is None:
                return
            repeats = 0 if self._admit(self._space.active(point)) else repeats + 1
            if repeats == _REPEATS:
                self._exhausted = not self._running
                return

    def _admit(self, params: Params, *, baseline: bool = False) -> bool:
        """Queue a proposal, if it is new; a repeated one is answered from what is known."""
        refused = ""
        try:
            key = self.objective.key(params)
        except ConfigError as error:
            key, refused = digest("refused", params), str(error)
        if key in self._ended:
            self._proposer.tell(params, self._value(self.record.trials[key]))
            return False
        if key in self._seen:
            self._seen[key].append(params)
            return False
        # The first proposals count, not the first to run, which depends on who waits for whom.
        self._short = self._budget.exceeded(Spent(trials=self._proposed))
        if self._short and not baseline:
            self._exhausted = True
            return True
        self._proposed += not baseline
        self._order.push(Proposal(key, params, len(self._seen), baseline, refused))
        self._seen[key] = [params]
        return True

    def _open(self, proposal: Proposal) -> Trial | None:
        """Put a proposal on record; give its trial if there is anything left to evaluate."""
        key, known = proposal.key, self.record.known(proposal.key)
        trial = self.record.open(
            key, proposal.params, number=proposal.number, baseline=proposal.baseline
        )
        if known is None or trial.missing():
            self._journal.append(trial_event(trial), durable=False)
        if proposal.refused:
            outcome = Ended(key, "failed", 0.0, Failure("config", proposal.refused))
            self._journal.append(ended_event(outcome))
            self.record.end(trial, outcome)
        elif trial.missing():
            trial.status = "running"
            trial.failure = None
            return trial
        else:
            trial.status = "complete"
            self._order.ended(trial.params)
        self._close(trial)
        return None

    def _close(self, trial: Trial) -> None:
        self._ended.add(trial.key)
        self._check_metric(trial)
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

    def _check_metric(self, trial: Trial) -> None:
        """Say after the first trial, not after the last, that nothing measures the metric."""
        if trial.status == "complete" and self.metric and self.metric not in trial.metrics:
            raise ConfigError(
                f"metric: {self.metric!r} is not measured; the objective reports: "
                f"{', '.join(trial.metrics)}.{nearest(self.metric, trial.metrics)}",
                ("metric",),
            )

    @contextlib.contextmanager
    def session(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Frame the session in the journal, whatever ends it."""
        self._journal.append({"event": "opened", **facts})
        self.record.begin()
        left = (self._budget.seconds or 0) - self.spent().seconds
        alarm = threading.Timer(min(left, threading.TIMEOUT_MAX), self._ring)
        alarm.daemon = True
        if self._budget.seconds:
            alarm.start()
        try:
            yield
        except BaseException as error:
            self.cancel(_reason(error))
            with contextlib.suppress(OSError, RaytunerError):  # what ended it says more
                self._journal.append({"event": "closed", "reason": self.stop_reason})
            raise
        finally:
            alarm.cancel()
        self._journal.append({"event": "closed", "reason": self.stop_reason})

    def _ring(self) -> None:
        """End the sweep when its seconds are used, also while every worker is busy."""
        with self._state:
            if self._running or not self._exhausted_quietly():
                self.cancel(f"the budget of {self._budget.seconds:g} seconds is used")


def _reason(error: BaseException) -> str:
    interrupted = isinstance(error, KeyboardInterrupt | asyncio.CancelledError)
    return "interrupted" if interrupted else str(error) or type(error).__name__
