"""What a journal says: its events written and read back as trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from raytuner.budget import Entry, ledger_spent
from raytuner.journal import SCHEMA, Event
from raytuner.objective import Cost, Failure, Params, UnitScore
from raytuner.trial import Trial
from raytuner.worker import Ended


class Step(NamedTuple):
    """What the search or the scheduler took part in.

    Attributes:
        kind: `trial`: proposed; `repeat`: proposed again; `rung`: reported.
        key: the trial.
        params: what was proposed.
        units: the rung.
    """

    kind: str
    key: str
    params: Params
    units: int


def opened_facts(study: str, scope: str, units: Sequence[str], **more: Any) -> dict[str, Any]:
    """Spell the facts that open a session.

    Args:
        study: digest of everything that decides which trials belong to the study.
        scope: identity of data and metrics; scores of other scopes do not compare.
        units: unit ids in evaluation order.
        more: names and versions for readers.
    """
    return {"schema": SCHEMA, "study": study, "scope": scope, "units": list(units), **more}


def trial_event(trial: Trial) -> Event:
    """Spell a proposal."""
    return {
        "event": "trial",
        "key": trial.key,
        "number": trial.number,
        "params": dict(trial.params),
        "baseline": trial.baseline,
    }


def repeat_event(key: str, params: Params) -> Event:
    """Spell a proposal that computes the same as an earlier one."""
    return {"event": "repeat", "key": key, "params": dict(params)}


def units_event(key: str, scores: Sequence[UnitScore]) -> Event:
    """Spell unit scores: rows of [unit, scores, seconds, cost?, failure?, notes?]."""
    return {"event": "units", "key": key, "rows": [_row(score) for score in scores]}


def rung_event(key: str, units: int) -> Event:
    """Spell that a trial has reported its first `units` units to the search and the scheduler."""
    return {"event": "rung", "key": key, "units": units}


def ended_event(outcome: Ended) -> Event:
    """Spell the end of a job."""
    facts = asdict(outcome)
    if outcome.reason is None:
        del facts["reason"]
    return {"event": "ended", **facts}


def money_event(entries: Sequence[Entry]) -> Event:
    """Spell reservations and settlements: rows of [ticket, usd, tokens, settled]."""
    return {"event": "money", "rows": [list(entry) for entry in entries]}


def _row(score: UnitScore) -> list[Any]:
    row = [
        score.unit,
        dict(score.scores),
        round(score.seconds, 6),
        list(score.cost) if any(score.cost) else None,
        asdict(score.failure) if score.failure else None,
        score.notes or None,
    ]
    while row[-1] is None:
        row.pop()
    return row


def _score(row: Sequence[Any]) -> UnitScore:
    padded = [*row, *([None] * (6 - len(row)))]
    unit, scores, seconds, cost, failure, notes = padded[:6]
    return UnitScore(
        unit,
        scores,
        Cost(*cost[: len(Cost())]) if cost else Cost(),
        seconds,
        _failure(failure),
        notes,
    )


def _failure(facts: Mapping[str, Any] | None) -> Failure | None:
    return Failure(facts["kind"], facts["message"], facts["retryable"]) if facts else None


class Record:
    """Every trial of one scope that a journal knows, and which of them the study wants now.

    Args:
        study: digest of the study; trials proposed under it are the study's own.
        scope: trials of other scopes are ignored.
        units: unit ids in evaluation order.
        events: the journal so far.

    `work` and `stages` (seconds) sum up the latest session alone. `history` holds the study's
    own proposals and rungs in the order of the journal. `cost` sums up what units have cost;
    `spent_usd` and `spent_tokens` are what the sessions in `events` have spent, with what was
    set aside for calls under way when one was cut off.
    """

    def __init__(
        self, study: str, scope: str, units: Sequence[str], events: Iterable[Event] = ()
    ) -> None:
        self.study = study
        self.scope = scope
        self.units = tuple(units)
        self.trials: dict[str, Trial] = {}
        self.cost = Cost()
        self.spent_usd = 0.0
        self.spent_tokens = 0
        self.seconds = 0.0
        self.sessions = 0
        self.history: list[Step] = []
        self._positions = {unit: row for row, unit in enumerate(self.units)}
        self._numbers: dict[str, int] = {}
        self._taken: set[int] = set()
        self.work: dict[str, int] = {}
        self.stages: dict[str, float] = {}
        for session in _sessions(events):
            self._replay(session)

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

    def open(self, key: str, params: Params, *, number: int, baseline: bool) -> Trial:
        """Give the trial of a proposal, known or new, and make it the study's own.

        A new trial gets `number`, or the next free one if another trial has it.
        """
        trial = self.trials.setdefault(key, Trial(key, dict(params), self.units))
        if key not in self._numbers:
            self._numbers[key] = max(self._taken) + 1 if number in self._taken else number
            self._taken.add(self._numbers[key])
        trial.number = self._numbers[key]
        trial.params = dict(params)
        trial.baseline = trial.baseline or baseline
        trial.status = "complete" if trial.complete else "stopped"
        return trial

    def add(self, trial: Trial, scores: Sequence[UnitScore]) -> None:
        """Add unit scores to a trial."""
        trial.record(scores, self._positions)
        if trial.complete:  # also if no end of its job is on record
            trial.status, trial.failure, trial.reason = "complete", None, None
        for score in scores:
            self.cost = self.cost.plus(score.cost)

    def end(self, trial: Trial, outcome: Ended) -> None:
        """Note how a job ended; a later job of the same trial overrides."""
        trial.status = "complete" if not trial.missing() else outcome.status
        trial.failure = None if trial.status == "complete" else outcome.failure
        trial.reason = outcome.reason if trial.status == "pruned" else None
        for name, amount in outcome.counts.items():
            trial.counts[name] = trial.counts.get(name, 0) + amount
            self.work[name] = self.work.get(name, 0) + amount
        for name, seconds in outcome.stages.items():
            trial.stages[name] = trial.stages.get(name, 0.0) + seconds
            self.stages[name] = self.stages.get(name, 0.0) + seconds

    def _replay(self, session: Sequence[Event]) -> None:
        self.begin()
        before, entries = self.cost, list[Entry]()
        opened = session[0]
        self.seconds += max(0.0, session[-1]["t"] - opened["t"])
        mine = opened["study"] == self.study
        for event in session:
            kind = event["event"]
            if kind == "units":
                scores = [_score(row) for row in event["rows"]]
                if opened["scope"] == self.scope:
                    self.add(self.trials[event["key"]], scores)
                else:
                    for score in scores:
                        self.cost = self.cost.plus(score.cost)
            elif kind == "money":
                entries += [Entry(*row[: len(Entry._fields)]) for row in event.get("rows", ())]
            elif opened["scope"] != self.scope:
                continue
            elif kind == "trial":
                self._known(event, mine=mine)
            elif kind == "ended":
                self._over(event)
            if mine and kind in {"trial", "repeat", "rung"}:
                self.history.append(_step(event))
        self._account(before, entries)
        self.sessions += 1

    def _account(self, before: Cost, entries: Sequence[Entry]) -> None:
        """Add what a session has spent; its ledger has all, but not every session has one."""
        usd, tokens = ledger_spent(entries)
        units = self.cost.tokens_in + self.cost.tokens_out
        units -= before.tokens_in + before.tokens_out
        self.spent_usd += max(self.cost.usd - before.usd, usd)
        self.spent_tokens += max(units, tokens)

    def _known(self, event: Event, *, mine: bool) -> None:
        key, params = event["key"], _params(event["params"])
        if mine:
            self.open(key, params, number=event["number"], baseline=event["baseline"])
        else:
            trial = self.trials.setdefault(key, Trial(key, params, self.units))
            trial.status = "complete" if trial.complete else "stopped"

    def _over(self, event: Event) -> None:
        fields = {name: event[name] for name in ("key", "status", "seconds", "counts", "stages")}
        failure, reason = _failure(event["failure"]), event.get("reason")
        self.end(self.trials[event["key"]], Ended(**fields, failure=failure, reason=reason))


def _step(event: Event) -> Step:
    params = _params(event.get("params", {}))
    return Step(event["event"], event["key"], params, event.get("units", 0))


def _params(values: Mapping[str, Any]) -> Params:
    """Give lists back as the tuples they were."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _sessions(events: Iterable[Event]) -> Iterator[list[Event]]:
    session: list[Event] = []
    for event in events:
        if event["event"] == "opened" and session:
            yield session
            session = []
        if session or event["event"] == "opened":
            session.append(event)
    if session:
        yield session
