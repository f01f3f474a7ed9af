"""What a journal says: its events written and read back as trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from raytuner.budget import Entry, ledger_spent
from raytuner.events import MISREAD, failure_from, misread, origin_from, unit_score
from raytuner.journal import Event
from raytuner.lineage import Origin
from raytuner.objective import Cost, Params, UnitScore, tupled
from raytuner.proof.looks import Look
from raytuner.score_table import ScoreTable
from raytuner.trial import Trial
from raytuner.worker import Ended

_OF_SESSIONS = frozenset({"opened", "trial", "units", "ended", "look"})
_REPORTS = frozenset({"rung", "dropped"})
_HISTORY = frozenset({"trial", "repeat", "rung", "dropped", "drained", "begun", "made"})


class Step(NamedTuple):
    """What the search or the scheduler took part in.

    Attributes:
        kind: `trial`: proposed; `repeat`: proposed again; `rung`: reported; `dropped`: given up;
            `drained`: the scheduler was made to decide; `begun`, `made`: a proposal in the
            background.
        key: the trial; of what was made, the digest of the point.
        params: what was proposed.
        units: the rung; of what was begun or made, its number.
    """

    kind: str
    key: str
    params: Params
    units: int


class Record:
    """Every trial of one scope that a journal knows, and which of them the study wants now.

    Args:
        study: digest of the study; trials proposed under it are the study's own.
        scope: trials of other scopes are ignored.
        units: ids of the searched units, in evaluation order.
        events: the journal so far.
        held_out: ids of the units that only finalists answer.
        derive: adds to the scores of a unit what follows from them.
        curve: whether the searched units are steps of a training (`Objective.curve`).

    `looks` lists the looks at the held-out units, `spoiled` those that a search has gone by (see
    `past_of`); whoever makes the record says which there have been.
    `work` and `stages` (seconds) sum up the latest session alone. `history` holds the study's
    own proposals and rungs in the order of the journal. `cost` sums up what units have cost, and
    what the search has made in the background; `background` has the work counters of the latter.
    `spent_usd` and `spent_tokens` are what the sessions in `events` have spent, with what was
    set aside for calls under way when one was cut off.
    """

    def __init__(
        self,
        study: str,
        scope: str,
        units: Sequence[str],
        events: Iterable[Event] = (),
        held_out: Sequence[str] = (),
        derive: Callable[[UnitScore], UnitScore] | None = None,
        *,
        curve: bool = False,
    ) -> None:
        self._derive = derive
        self.curve = curve
        self.study = study
        self.scope = scope
        self.units = tuple(units)
        self.held_out = tuple(held_out)
        self.looks: list[Look] = []
        self.spoiled: frozenset[str] = frozenset()
        self.trials: dict[str, Trial] = {}
        self.cost = Cost()
        self.spent_usd = 0.0
        self.spent_tokens = 0
        self.seconds = 0.0
        self.sessions = 0
        self.history: list[Step] = []
        self._positions = {unit: row for row, unit in enumerate(self.units)}
        self._held = {unit: row for row, unit in enumerate(self.held_out)}
        self._numbers: dict[str, int] = {}
        self._taken: set[int] = set()
        self.work: dict[str, int] = {}
        self.stages: dict[str, float] = {}
        self.background: dict[str, int] = {}
        for session in _sessions(events):
            self._replay(session)

    @property
    def asked(self) -> str:
        """What the searched units are: `questions`, or `steps` of a training."""
        return "steps" if self.curve else "questions"

    @property
    def current(self) -> list[Trial]:
        """The study's trials, by number."""
        mine = (self.trials[key] for key in self._numbers)
        return sorted(mine, key=lambda trial: trial.number)

    def begin(self) -> None:
        """Begin a session."""
        self.work, self.stages = {}, {}

    def known(self, key: str) -> Trial | None:
        """Give a trial if it is the study's own already."""
        return self.trials[key] if key in self._numbers else None

    def open(
        self,
        key: str,
        params: Params,
        *,
        number: int,
        baseline: bool,
        origin: Origin | None = None,
    ) -> Trial:
        """Give the trial of a proposal, known or new, and make it the study's own.

        A new trial gets `number`, or the next free one if another trial has it.
        """
        trial = self._trial(key, params)
        if key not in self._numbers:
            self._numbers[key] = max(self._taken) + 1 if number in self._taken else number
            self._taken.add(self._numbers[key])
        trial.number = self._numbers[key]
        trial.params = dict(params)
        trial.baseline = trial.baseline or baseline
        if trial.origin is None and origin is not None:  # of one proposed again the first counts
            trial.origin = self._counted(origin)
        trial.status = "complete" if trial.complete else "stopped"
        return trial

    def look(self, keys: Iterable[str]) -> None:
        """Note which trials are compared on the held-out units; the same ones are one look."""
        looked = frozenset(keys)
        if looked not in self.looks:
            self.looks.append(looked)

    def _counted(self, origin: Origin) -> Origin:
        """Count the generation of a trial whose search does not."""
        if origin.generation >= 0:
            return origin
        known = [self.trials[key].origin for key in origin.parents if key in self.trials]
        ages = [parent.generation if parent else 0 for parent in known]
        return origin._replace(generation=1 + max(ages) if ages else 0)

    def _trial(self, key: str, params: Params) -> Trial:
        if key not in self.trials:
            held = ScoreTable(self.held_out)
            self.trials[key] = Trial(key, dict(params), self.units, held=held, curve=self.curve)
        return self.trials[key]

    def add(self, trial: Trial, scores: Sequence[UnitScore]) -> None:
        """Add unit scores to a trial."""
        full = scores if self._derive is None else list(map(self._derive, scores))
        trial.record(full, self._positions, self._held)
        if trial.complete:  # also if no end of its job is on record
            trial.status, trial.failure, trial.reason = "complete", None, None
        for score in scores:
            self.cost = self.cost.plus(score.cost)

    def made(self, cost: Cost, counts: Mapping[str, int]) -> None:
        """Add what the search has spent in the background."""
        self.cost = self.cost.plus(cost)
        for name, amount in counts.items():
            self.work[name] = self.work.get(name, 0) + amount
            self.background[name] = self.background.get(name, 0) + amount

    def withdraw(self, trial: Trial, units: Iterable[str]) -> None:
        """Forget scores that were entered wrongly; what they have cost stays spent."""
        trial.forget(units, self._positions)
        trial.held.forget(units, self._held)
        trial.status = "complete" if trial.complete else "stopped"

    def end(self, trial: Trial, outcome: Ended) -> None:
        """Note how a job ended; a later job of the same trial overrides."""
        trial.status = "complete" if not trial.missing() else outcome.status
        trial.failure = None if trial.status == "complete" else outcome.failure
        trial.reason = outcome.reason if trial.status == "pruned" else None
        trial.facts.update(outcome.facts)
        for name, amount in outcome.counts.items():
            trial.counts[name] = trial.counts.get(name, 0) + amount
            self.work[name] = self.work.get(name, 0) + amount
        for name, seconds in outcome.stages.items():
            trial.stages[name] = trial.stages.get(name, 0.0) + seconds
            self.stages[name] = self.stages.get(name, 0.0) + seconds

    def _replay(self, session: Sequence[Event]) -> None:
        """Take in a session; what cannot be understood is a `JournalError` that names the line."""
        self.begin()
        opened, at = session[0], 0
        before, entries = self.cost, list[Entry]()
        try:
            if opened["event"] != "opened":
                raise ValueError("it stands before any session")
            facts = {name: opened[name] for name in ("study", "scope", "units", "t")}
            for at, event in enumerate(session):  # noqa: B007 - where it ended is told below
                self._event(event, facts, entries)
            self.seconds += max(0.0, session[at]["t"] - facts["t"])
        except MISREAD as error:
            raise misread(session, at, error) from error
        if "warm_start" in opened:  # an earlier study has paid for it
            self.cost = before
            return
        self._account(before, entries)
        self.sessions += 1

    def _event(self, event: Event, opened: Event, entries: list[Entry]) -> None:
        """Take in an event of a session, and put what it says of money into `entries`."""
        kind = event["event"]
        if kind == "money":
            entries += [Entry(*row[: len(Entry._fields)]) for row in event.get("rows", ())]
        elif kind == "units" and opened["scope"] != self.scope:
            for row in event["rows"]:
                self.cost = self.cost.plus(unit_score(row).cost)
        elif kind == "look":  # whoever counts looks will read these
            frozenset((*event["keys"], *event["units"]))
        elif opened["scope"] == self.scope:
            self._take(event, mine=opened["study"] == self.study)

    def _take(self, event: Event, *, mine: bool) -> None:
        """Take in an event of a session whose trials compare with the study's own."""
        kind = event["event"]
        if kind == "units":
            self.add(self.trials[event["key"]], [unit_score(row) for row in event["rows"]])
        elif kind == "trial":
            self._known(event, mine=mine)
        elif kind == "ended":
            self._over(event)
        elif kind == "made":
            self.made(Cost(*event.get("cost", ())), event.get("counts", {}))
        elif kind == "withdrawn":
            self.withdraw(self.trials[event["key"]], event["units"])
        if mine and kind in _HISTORY:
            if kind in _REPORTS and event["key"] not in self._numbers:
                raise KeyError(event["key"])
            self.history.append(_step(event))

    def _account(self, before: Cost, entries: Sequence[Entry]) -> None:
        """Add what a session has spent; its ledger has all, but not every session has one."""
        usd, tokens = ledger_spent(entries)
        units = self.cost.tokens_in + self.cost.tokens_out
        units -= before.tokens_in + before.tokens_out
        self.spent_usd += max(self.cost.usd - before.usd, usd)
        self.spent_tokens += max(units, tokens)

    def _known(self, event: Event, *, mine: bool) -> None:
        key, params = event["key"], plain(event["params"])
        if mine:
            self.open(
                key,
                params,
                number=event["number"],
                baseline=event["baseline"],
                origin=origin_from(event),
            )
        else:
            trial = self._trial(key, params)
            trial.status = "complete" if trial.complete else "stopped"

    def _over(self, event: Event) -> None:
        fields = {name: event[name] for name in ("key", "status", "seconds", "counts", "stages")}
        failure, reason = failure_from(event["failure"]), event.get("reason")
        ended = Ended(**fields, failure=failure, reason=reason, facts=event.get("facts", {}))
        self.end(self.trials[event["key"]], ended)


def _step(event: Event) -> Step:
    params = plain(event.get("params", {}))
    if event["event"] in {"begun", "made"}:
        return Step(event["event"], event.get("point", ""), params, event["number"])
    return Step(event["event"], event.get("key", ""), params, event.get("units", 0))


def plain(values: Mapping[str, Any]) -> Params:
    """Give lists back as the tuples they were."""
    return {name: tupled(value) for name, value in values.items()}


def _sessions(events: Iterable[Event]) -> Iterator[list[Event]]:
    session: list[Event] = []
    for event in events:
        if event["event"] == "opened" and session:
            yield session
            session = []
        if session or event["event"] in _OF_SESSIONS:
            session.append(event)
    if session:
        yield session
