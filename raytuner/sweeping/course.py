"""The course of every trial of a sweep: proposed, from rung to rung, complete or ended early.

Knows nothing of workers, threads, time or money: the sweep calls it under its lock.
"""

from __future__ import annotations

from collections.abc import Sequence

from raytuner.component import ConfigError, nearest
from raytuner.events import drained_event, ended_event, rung_event, trial_event
from raytuner.goal import Goal
from raytuner.journal import Event, Journal
from raytuner.limits import Limits
from raytuner.objective import Failure, Objective
from raytuner.record import Record, Step
from raytuner.sweeping.intake import Intake, refused_key
from raytuner.sweeping.listener import Listener
from raytuner.sweeping.order import Order, Proposal
from raytuner.sweeping.rungs import Rungs
from raytuner.trial import Trial
from raytuner.worker import Ended, facts_of


class Course:
    """Says which trial goes on next, and tells search and scheduler what became of each.

    Args:
        objective: what is tuned.
        intake: draws proposals.
        order: whose preparation is done is told to it.
        rungs: how far every trial is to go.
        record: what is known of every trial.
        journal: where proposals, rungs and early ends are recorded.
        listener: is told of trials that end.
        goal: what is optimised, under which limits.
        learns: whether the search goes by what it is told.
        staged: whether trials go from rung to rung, or the search learns; then the order of
            reports is recorded, and repeated to both when the study is resumed.
        settles: whether proposals come by chance and without end, so that the scheduler may say
            when no further one is worth it; `settled` has its reason then.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        intake: Intake,
        order: Order,
        rungs: Rungs,
        record: Record,
        journal: Journal,
        listener: Listener,
        goal: Goal,
        learns: bool,
        staged: bool,
        settles: bool = False,
    ) -> None:
        self.goal = goal
        self.settled: str | None = None
        self._settles = settles
        self._objective = objective
        self._intake = intake
        self._order = order
        self._rungs = rungs
        self._record = record
        self._journal = journal
        self._listener = listener
        self._staged = staged
        self._limits = Limits(goal.limits)
        self._units = len(record.units)
        self._unrecorded: list[Event] = []
        if staged:
            self._recall(again=not learns)

    def catch_up(self) -> None:
        """Record early ends; those that a session was cut off before, once the next one is open."""
        if self._unrecorded:
            self._journal.append(*self._unrecorded, durable=False)
            self._unrecorded = []

    # ---- which trial is next

    def next(self, running: dict[str, Trial]) -> Trial | None:
        """Give a trial that may go on now, perhaps one that has all it needs on record."""
        ready = (key for key in self._rungs.ready if key not in running)
        key = next(ready, None)
        if key is not None:
            return self._record.trials[key]
        while True:
            self._fill(running)
            proposal = self._order.pop()
            if proposal is None:
                return None
            trial = self._open(proposal)
            if not proposal.refused:
                return trial

    def _fill(self, running: dict[str, Trial]) -> None:
        """Draw proposals, unless the scheduler says that no further one is worth it."""
        if self._settles and not self._intake.exhausted and (why := self._rungs.settled()):
            self.settled, self._intake.exhausted = why, True
        self._intake.fill(running=bool(running))

    def handed_out(self) -> list[Trial]:
        """List the trials on their way that have not answered all they are to by the next rung."""
        return [t for key in self._rungs.ready if self.missing(t := self._record.trials[key])]

    def missing(self, trial: Trial) -> tuple[str, ...]:
        """List the units that a trial has to answer to reach its next rung."""
        return tuple(trial.missing(self._rungs.target(trial.key)))

    @property
    def drawn(self) -> bool:
        """Whether no proposal waits, and none will come."""
        return self._intake.empty

    def over(self, running: dict[str, Trial]) -> bool:
        """Tell whether nothing is left to begin or to go on with."""
        self._fill(running)
        ready = set(self._rungs.ready).difference(running)
        return self._intake.empty and not ready and not self._rungs.paused

    def drain(self) -> bool:
        """Have the scheduler decide now that nothing runs; tell whether anything came of it.

        That is recorded where more proposals may follow, which have then to find things the same
        in the next session; at the end of a search it is simply done again.
        """
        going, stopped = self._rungs.drain()
        if self._staged and going and not self.drawn:
            self._journal.append(drained_event(), durable=False)
        self._prune(stopped)
        return going or bool(stopped)

    def _open(self, proposal: Proposal) -> Trial:
        """Put a proposal on record, and on its way."""
        key, known = proposal.key, self._record.known(proposal.key)
        trial = self._record.open(
            key,
            proposal.params,
            number=proposal.number,
            baseline=proposal.baseline,
            origin=proposal.origin,
        )
        self._rungs.enter(key, judged=not trial.baseline)
        if proposal.refused:
            outcome = Ended(key, "failed", 0.0, Failure("config", proposal.refused))
            self._journal.append(trial_event(trial), ended_event(outcome))
            self._record.end(trial, outcome)
            self.failed(trial)
        elif known is None or trial.missing():
            self._journal.append(trial_event(trial), durable=False)
        return trial

    # ---- what became of a trial

    def reached(self, trial: Trial) -> None:
        """Tell search and scheduler that a trial has answered what it was to."""
        units = self._rungs.target(trial.key)
        if self._staged:
            self._journal.append(rung_event(trial.key, units), durable=False)
        self._report(trial, units)

    def failed(self, trial: Trial, *, known: bool = False) -> None:
        """Tell search and scheduler that a trial cannot go on."""
        self._intake.tell(trial.key, None, None, ended=True)
        self._listener.ended(trial)
        self._prune(self._rungs.dropped(trial.key), known=known)

    def stopped(self, trial: Trial) -> None:
        """Take in that the session ends before a trial does; it goes on in the next one."""
        self._listener.ended(trial)

    def _report(self, trial: Trial, units: int, *, known: bool = False) -> None:
        self._order.ended(trial.params)
        score = self._score(trial, units)
        values = self.goal.values(trial, units)
        self._intake.observe(trial.key, self._record.units[:units], values)
        if units < self._units:
            if not trial.baseline and (reason := self._limits.look(trial, units)):
                self._rule_out(trial, reason, known=known)
                return
            if not known and trial.status not in {"complete", "pruned"}:
                trial.status = "paused"
            self._intake.tell(trial.key, score, units, ended=False)
        else:
            trial.status = "complete"
            self._check_metric(trial)
            self._recover_facts(trial)
            broken = self._limits.broken(trial)
            self._intake.tell(trial.key, None if broken else score, None, ended=True)
            self._listener.ended(trial)
            if broken and not trial.baseline:  # it cannot win, so nobody loses against it
                self._prune(self._rungs.dropped(trial.key), known=known)
                return
        stopped = self._rungs.reached(trial.key, score, values)
        self._prune(stopped, known=known)

    def _recover_facts(self, trial: Trial) -> None:
        """Ask for figures that a limit needs, and that a session was cut off before recording."""
        limited = {limit.measure for limit in self._limits.limits}
        if trial.facts or limited.isdisjoint(self._objective.fact_names):
            return
        trial.facts.update(facts_of(self._objective, trial.params))
        if trial.facts:
            outcome = Ended(trial.key, "complete", 0.0, facts=dict(trial.facts))
            self._unrecorded.append(ended_event(outcome))

    def _rule_out(self, trial: Trial, reason: str, *, known: bool) -> None:
        """End a trial that breaks a limit; to the search it is one that cannot be used."""
        if trial.status not in {"complete", "pruned"}:
            trial.status, trial.failure, trial.reason = "pruned", None, reason
            self._unrecorded.append(ended_event(Ended(trial.key, "pruned", 0.0, reason=reason)))
        self._intake.tell(trial.key, None, None, ended=True)
        self._listener.ended(trial)
        self._prune(self._rungs.dropped(trial.key), known=known)

    def _prune(self, keys: Sequence[str], *, known: bool = False) -> None:
        """End trials that the scheduler has stopped; before a session is open, all are `known`."""
        for key in keys:
            trial = self._record.trials[key]
            units = self._rungs.target(key)
            if trial.status not in {"complete", "pruned"}:
                trial.status, trial.failure, trial.reason = "pruned", None, None
                self._unrecorded.append(ended_event(Ended(key, "pruned", 0.0)))
            self._intake.tell(key, self._score(trial, units), units, ended=True)
            self._listener.ended(trial)
        if not known:
            self.catch_up()

    def _recall(self, *, again: bool) -> None:
        """Lead search and scheduler through what is on record, as it happened."""
        for step in self._record.history:
            if step.kind == "begun":
                self._intake.recall_making(step.units, None)
            elif step.kind == "made":
                self._intake.recall_making(step.units, step.key)
            elif step.kind == "drained":
                self._prune(self._rungs.drain()[1], known=True)
            else:
                self._recall_trial(step, again=again)

    def _recall_trial(self, step: Step, *, again: bool) -> None:
        kind, key, params, units = step
        trial = self._record.trials[key]
        if kind == "repeat":
            self._intake.recall(key, params, again=again)
        elif kind == "dropped":
            if trial.missing():  # else it has got its scores after all
                self.failed(trial, known=True)
        elif kind == "rung":
            if units == self._rungs.target(key) and not trial.missing(units):
                self._report(trial, units, known=True)
        elif key not in self._rungs:
            self._intake.recall(key, params, baseline=trial.baseline, again=again)
            self._rungs.enter(key, judged=not trial.baseline)
            if key == refused_key(params):
                self.failed(trial, known=True)

    def _score(self, trial: Trial, units: int) -> float | None:
        """Give what a search maximises, over the first units; None without a full score there."""
        self.goal = self.goal.settled(trial.metrics, self._objective)
        return self.goal.score(trial, units)

    def _check_metric(self, trial: Trial) -> None:
        """Say after the first trial, not after the last, that nothing measures the metric."""
        lacking = self.goal.lacking(trial.metrics)
        if lacking is None:
            return
        measured = any(self.goal.lacking(t.metrics) is None for t in self._record.current)
        if not measured:  # else it is this trial alone that has none
            raise ConfigError(
                f"metric: {lacking!r} is not measured; the objective reports: "
                f"{', '.join(trial.metrics)}.{nearest(lacking, trial.metrics)}",
                ("metric",),
            )
