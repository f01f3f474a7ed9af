"""The driver's state of a running study: what to try next, and where results go.

Backends pull jobs from it and push results into it, from any number of threads. It is the only
place that writes the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from raytuner.budget import Budget, Spent
from raytuner.component import RaytunerError
from raytuner.events import ended_event, units_event
from raytuner.goal import Goal
from raytuner.journal import Journal
from raytuner.meter import WorkMeter
from raytuner.objective import Objective, Params, UnitScore
from raytuner.paying.ledger import Ledger
from raytuner.paying.till import gate_of, purse_of
from raytuner.record import Record
from raytuner.schedulers import Full, Judge
from raytuner.search import Proposer
from raytuner.sweeping.course import Course
from raytuner.sweeping.doubling import Doubling
from raytuner.sweeping.finals import KEPT, Aside, Choose, Finals
from raytuner.sweeping.intake import Cleaner, Intake
from raytuner.sweeping.listener import Listener, Silent
from raytuner.sweeping.order import Order
from raytuner.sweeping.rounds import Rounds
from raytuner.sweeping.rungs import Rungs
from raytuner.trial import Trial
from raytuner.worker import Ended, Job, Patience


class Sweep:
    """One session of a study.

    Args:
        objective: what is tuned.
        space: parameters and their domains.
        proposer: gives parameters to try.
        judge: says who goes on to more units; None: everybody.
        learns: whether the proposer goes by what it is told, and so has to be led through the
            record before it goes on.
        journal: where everything is recorded.
        record: what the journal already holds for this study.
        goal: what is optimised, under which limits.
        baseline: parameters of trial 0, tried before anything else.
        budget: when to stop.
        patience: how to retry.
        listener: is told what happens.
        lookahead: how many proposals may be drawn early, to run neighbours that share work.
        choose: names who answers the held-out units once the search is over; None: nobody does.
        settles: see `Course`.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        space: Cleaner,
        proposer: Proposer,
        judge: Judge | None = None,
        learns: bool = False,
        journal: Journal,
        record: Record,
        goal: Goal,
        baseline: Params | None = None,
        budget: Budget | None = None,
        patience: Patience | None = None,
        listener: Listener | None = None,
        lookahead: int = 1,
        choose: Choose | None = None,
        settles: bool = False,
    ) -> None:
        self.objective = objective
        self.record = record
        self.stop_reason: str | None = None
        self.finished = False
        self._journal = journal
        self._budget = budget = budget or Budget()
        self._patience = patience or Patience()
        self._listener = listener or Silent()
        order = Order(objective, 1 if learns else lookahead)
        self._intake = Intake(
            proposer=proposer,
            space=space,
            objective=objective,
            order=order,
            budget=self._budget,
            journal=journal if learns else None,
        )
        units = len(record.units)
        if judge is None and goal.limits:
            judge = Doubling(units)
        self._staged = learns or judge is not None
        self._course = Course(
            objective=objective,
            intake=self._intake,
            order=order,
            rungs=Rungs(judge or Full().start(units, 0), units),
            record=record,
            journal=journal,
            listener=self._listener,
            goal=goal,
            learns=learns,
            staged=self._staged,
            settles=settles,
        )
        self._rounds = Rounds(
            self._course,
            None if choose is None else Finals(record, journal, choose),
            record=record,
            listener=self._listener,
            released=self._release,
        )
        self.handed_out = self._rounds.handed_out
        self._cancel = threading.Event()
        self._ledger = Ledger(journal, self.cancel)
        limited = budget.usd is not None or budget.tokens is not None
        self.purse = purse_of(budget, record, None if journal.folder is None else self._ledger)
        self._aside = Aside(budget.usd, budget.tokens, len(record.held_out))
        self.purse.kept = KEPT if self._rounds.keeps else 0.0
        self.paid = limited or objective.paid()
        self.gate = gate_of(objective, self.purse, self._cancel.is_set, self._listener.waits)
        self._state = threading.Condition()
        self._running: dict[str, Trial] = {}
        self._started = time.monotonic()
        if baseline is not None:
            self._intake.admit(dict(baseline), baseline=True)

    @property
    def goal(self) -> Goal:
        """What is optimised; None until the first result names it."""
        return self._course.goal

    def take(self) -> Job | None:
        """Wait for the next job; None when there will be no more."""
        with self._state:
            while (job := self.poll()) is None and not self.finished:
                self._state.wait(timeout=0.5)
            return job

    def poll(self) -> Job | None:
        """Give the next job; None if there is none now, or, once `finished`, ever."""
        with self._state:
            while not self._over():
                trial = self._rounds.next(self._running)
                if trial is not None:
                    if (job := self._job(trial)) is not None:
                        return job
                elif self._awaited or (self._running and self._rounds.waits(staged=self._staged)):
                    return None
                elif not self._running and self._rounds.go_on():
                    self.stop_reason = self.stop_reason if self._rounds.final else None
                else:
                    self.stop_reason = self.stop_reason or self._intake.short
                    break
            self.finished = True
            self._state.notify_all()
            return None

    @property
    def _awaited(self) -> bool:
        return self._rounds.searching and self._intake.awaited

    def wake(self, change: Callable[[], None] | None = None) -> None:
        """Make a change to the record, and have everybody who waits for a job look again."""
        with self._state:
            if change is not None:
                change()
            self._state.notify_all()

    def reopen(self, trial: Trial) -> Job | None:
        """Give the job of a trial that was handed out before, whatever the budget says by now."""
        with self._state:
            self._rounds.reopen(trial)
            return self._job(trial)

    def _release(self) -> None:
        """Give the finals what was kept for them."""
        self.purse.kept = 0.0

    def _job(self, trial: Trial) -> Job | None:
        """Make the job of a trial; None if all it needs is on record."""
        units = self._rounds.missing(trial)
        if not units:
            self._course.reached(trial)
            return None
        self._running[trial.key] = trial
        self._rounds.begun(trial)
        return Job(trial.key, trial.params, units, self._patience)

    def meter(self) -> WorkMeter:
        """Make the meter of one job."""
        return WorkMeter(self.purse, self._cancel, gate=self.gate)

    def score(self, key: str, scores: Sequence[UnitScore]) -> None:
        """Record unit scores; returns once they are on disk."""
        self._journal.append(units_event(key, scores))
        with self._state:
            trial = self._running[key]
            self.record.add(trial, scores)
            self._aside.add(scores)
            if self._rounds.keeps:
                self.purse.kept = self._aside.share
            self._listener.scored(trial, len(scores))

    def end(self, outcome: Ended) -> None:
        """Record how a job ended; that it is complete, its scores on disk tell already."""
        left = not self._rounds.final and self._running[outcome.key].missing()
        if outcome.status == "complete" and left:
            outcome = replace(outcome, status="paused")
        durable = outcome.status not in {"complete", "paused"}
        self._journal.append(ended_event(outcome), durable=durable)
        with self._state:
            trial = self._running.pop(outcome.key)
            self.record.end(trial, outcome)
            if self._rounds.ended(trial, outcome):
                self.cancel(outcome.reason or "the budget has no room for the next paid call")
            elif outcome.status == "stopped":
                self.stop_reason = self.stop_reason or outcome.reason or "the budget is used"
            self._state.notify_all()

    def cancel(self, reason: str) -> None:
        """Ask every worker to end after the batch it is in."""
        with self._state:
            self.stop_reason = self.stop_reason or reason
            self._cancel.set()
            self._state.notify_all()
        self.gate.wake()

    @property
    def cancelled(self) -> bool:
        """Whether the sweep is ending early."""
        return self._cancel.is_set()

    def spent(self) -> Spent:
        """Sum up what the study has consumed, earlier sessions included, trials aside."""
        seconds = self.record.seconds + time.monotonic() - self._started
        return Spent(seconds=seconds, usd=self.purse.spent, tokens=self.purse.tokens_spent)

    def _over(self) -> bool:
        if self._cancel.is_set():
            return True
        spent = self.spent()
        reason = self._budget.exceeded(spent)
        if reason and self._rounds.more(self._running):  # else no budget has stopped it
            self.cancel(reason)
        elif self._rounds.keeps and self._rounds.searching:
            used = spent._replace(seconds=spent.seconds / (1 - KEPT))
            if (reason := self._budget.exceeded(used)) and self._rounds.more(self._running):
                self.stop_reason = f"{reason}, but for {KEPT:.0%} kept for the verdict"
                self._rounds.end_search()
        return self._cancel.is_set()

    @contextlib.contextmanager
    def session(self, facts: Mapping[str, Any]) -> Iterator[None]:
        """Frame the session in the journal, whatever ends it."""
        self._journal.append({"event": "opened", **facts})
        self.record.begin()
        self._course.catch_up()
        left = (self._budget.seconds or 0) - self.spent().seconds
        alarm = threading.Timer(min(left, threading.TIMEOUT_MAX), self._ring)
        alarm.daemon = True
        if self._budget.seconds:
            alarm.start()
        try:
            yield
        except BaseException as error:
            ended = isinstance(error, KeyboardInterrupt | asyncio.CancelledError)
            self.cancel("interrupted" if ended else str(error) or type(error).__name__)
            self._ledger.close()
            with contextlib.suppress(OSError, RaytunerError):  # what ended it says more
                self._journal.append({"event": "closed", "reason": self.stop_reason})
            raise
        finally:
            alarm.cancel()
            self._ledger.close()
            self.record.seconds, self._started = self.spent().seconds, time.monotonic()
        more = {"settled": self.settled} if self.settled else {}
        self._journal.append({"event": "closed", "reason": self.stop_reason, **more})

    @property
    def settled(self) -> str | None:
        """Why no further trial was worth it, or None."""
        return self._course.settled

    def _ring(self) -> None:
        """End the sweep when its seconds are used, also while every worker is busy."""
        with self._state:
            if self._rounds.more(self._running):
                self.cancel(f"the budget of {self._budget.seconds:g} seconds is used")
