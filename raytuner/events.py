"""How what happens is spelled in a journal, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raytuner.budget import Entry
from raytuner.component import ConfigError
from raytuner.journal import SCHEMA, Event, JournalError, Placed, damaged, read
from raytuner.lineage import Origin
from raytuner.objective import Cost, Failure, Params, Tally, UnitScore
from raytuner.trial import Trial
from raytuner.worker import Ended

MISREAD = (AttributeError, LookupError, TypeError, ValueError)
"""What reading an event raises if it lacks something, or stands where it makes no sense."""


def look_event(keys: Iterable[str], units: Sequence[str], *, searched: bool = False) -> Event:
    """Spell that trials are compared on units that no search has seen.

    Args:
        keys: the trials.
        units: the units.
        searched: that is not so: an earlier study has chosen the trials by these units.
    """
    event: dict[str, Any] = {"event": "look", "keys": sorted(keys), "units": list(units)}
    return {**event, "searched": True} if searched else event


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
    """Spell a proposal; where it descends from, only if that is known."""
    return {
        "event": "trial",
        "key": trial.key,
        "number": trial.number,
        "params": dict(trial.params),
        "baseline": trial.baseline,
        **(_origin_fields(trial.origin) if trial.origin else {}),
    }


def _origin_fields(origin: Origin) -> Event:
    fields = origin._asdict()
    return fields if origin.note else {name: fields[name] for name in fields if name != "note"}


def origin_from(event: Event) -> Origin | None:
    """Read back where a proposal descends from; old journals and most searches say nothing."""
    if "how" not in event:
        return None
    parents, generation = event.get("parents", ()), event.get("generation", 0)
    return Origin(event["how"], tuple(parents), generation, event.get("note", ""))


def repeat_event(key: str, params: Params) -> Event:
    """Spell a proposal that computes the same as an earlier one."""
    return {"event": "repeat", "key": key, "params": dict(params)}


def units_event(key: str, scores: Sequence[UnitScore]) -> Event:
    """Spell unit scores: rows of [unit, scores, seconds, cost?, failure?, notes?]."""
    return {"event": "units", "key": key, "rows": [_row(score) for score in scores]}


def drained_event() -> Event:
    """Spell that the scheduler had to decide before all trials it waits for were there."""
    return {"event": "drained"}


def begun_event(number: int) -> Event:
    """Spell that a search begins to make a proposal in the background."""
    return {"event": "begun", "number": number}


def made_event(number: int, point: str, tally: Tally, failure: str) -> Event:
    """Spell that it is made: which point it is (a digest), and what making it took."""
    event: dict[str, Any] = {"event": "made", "number": number, "point": point}
    if any(tally.cost):
        event["cost"] = list(tally.cost)
    return {
        **event,
        **({"counts": dict(tally.counts)} if tally.counts else {}),
        **({"failure": failure} if failure else {}),
    }


def rung_event(key: str, units: int) -> Event:
    """Spell that a trial has reported its first `units` units to the search and the scheduler."""
    return {"event": "rung", "key": key, "units": units}


def dropped_event(key: str) -> Event:
    """Spell that a person has given a trial up: it is not tried again, unlike one that failed."""
    return {"event": "dropped", "key": key}


def withdrawn_event(key: str, units: Sequence[str], reason: str) -> Event:
    """Spell that scores were entered wrongly; they stay on record, and count no more."""
    return {"event": "withdrawn", "key": key, "units": list(units), "reason": reason}


def ended_event(outcome: Ended) -> Event:
    """Spell the end of a job."""
    facts = asdict(outcome)
    if outcome.reason is None:
        del facts["reason"]
    if not outcome.facts:
        del facts["facts"]
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


def unit_score(row: Sequence[Any]) -> UnitScore:
    """Read a row of `units_event` back; what it leaves out at its end has its default."""
    padded = [*row, *([None] * (6 - len(row)))]
    unit, scores, seconds, cost, failure, notes = padded[:6]
    return UnitScore(
        unit,
        scores,
        Cost(*cost[: len(Cost())]) if cost else Cost(),
        seconds,
        failure_from(failure),
        notes,
    )


def failure_from(facts: Mapping[str, Any] | None) -> Failure | None:
    """Read a failure back."""
    return Failure(facts["kind"], facts["message"], facts["retryable"]) if facts else None


def misread(session: Sequence[Event], at: int, error: Exception) -> JournalError:
    """Name the line of an event that cannot be understood.

    Args:
        session: events of successive lines, of which the first tells where it stands if it was
            read from a file.
        at: index of the event.
        error: what reading it has raised, one of `MISREAD`.
    """
    first, event = session[0], session[at]
    where = f"event {at + 1} of a session"
    if isinstance(first, Placed):
        where = f"{first.path}, line {first.line + at}"
    what = f"{event['event']!r:.40}"
    missing = error.args[0] if isinstance(error, KeyError) else None
    if missing is None:
        return damaged(where, f"{what} cannot be read ({error})")
    if missing in event.values():
        return damaged(where, f"{what} is of {missing!r:.80}, which no line before it proposes")
    return damaged(where, f"{what} has no {missing!r:.80}")


def run_events(folder: Path) -> tuple[list[Event], Event]:
    """Read the journal of a run.

    Returns:
        All events, and the one that opened the latest session.

    Raises:
        ConfigError: no run there, or a damaged journal.
    """
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; give the folder of a run, such as runs/NAME")
    events, _ = read(folder / "journal.jsonl")
    opened = next((event for event in reversed(events) if event["event"] == "opened"), None)
    if opened is None:
        raise ConfigError(f"{folder}: no run here (journal.jsonl is missing or empty)")
    goal = () if "goal" in opened else ("metric", "maximise")
    for name in ("study", "scope", "units", "name", "parameters", *goal):
        if name not in opened:
            raise misread([opened], 0, KeyError(name))
    return events, opened
