"""Copies what one journal has measured into another, where it compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from raytuner.events import look_event
from raytuner.journal import Event
from raytuner.proof.split import Split


def copied(
    events: Iterable[Event], own: Iterable[Event], scope: str, split: Split
) -> list[dict[str, Any]]:
    """Give the trials of a journal, their scores, ends and looks, as far as they compare.

    Units that the other study searched and that are held out now are left out, and count as
    looked at: what is best there was chosen by them.

    Args:
        events: the journal to copy from.
        own: the journal to copy to; what it has scores for is left out.
        scope: what compares.
        split: which units are searched now, and which are held out.
    """
    sessions = list(comparing(events, scope))
    searched = {unit for opened, _ in sessions for unit in _searched(opened)}
    wanted = {*split.searched, *(set(split.held_out) - searched)}
    answered = {pair for _, event in comparing(own, scope) for pair in _answered(event)}
    found: list[dict[str, Any]] = []
    keys: set[str] = set()
    for _, event in sessions:
        kind = event["event"]
        if kind == "trial" and event["key"] not in keys:
            keys.add(event["key"])
            found.append({**event, "baseline": False})
        elif kind == "units":
            fresh = [r for r in event["rows"] if (event["key"], r[0]) not in answered]
            if rows := [row for row in fresh if row[0] in wanted]:
                found.append({**event, "rows": rows})
        elif kind in {"ended", "look"}:
            found.append(dict(event))
    seen = sorted(searched.intersection(split.held_out))
    return [*found, dict(look_event(keys, seen, searched=True))] if seen and keys else found


def comparing(events: Iterable[Event], scope: str) -> Iterator[tuple[Event, Event]]:
    """Give the events of all sessions of one scope, each with the one that opened its session."""
    opened: Event | None = None
    for event in events:
        if event["event"] == "opened":
            opened = event
        elif opened is not None and opened["scope"] == scope:
            yield opened, event


def chosen_by(events: Iterable[Event], opened: Event, held_out: Sequence[str]) -> list[str]:
    """List the held-out units that another study, of any scope, has searched on.

    Args:
        events: its journal.
        opened: what opens a session of this study; names the digest of what each unit asks.
        held_out: ids of the units.
    """
    own = dict(zip(opened["units"], opened.get("contents") or (), strict=False))
    theirs: set[str] = set()
    for event in events:
        if event["event"] == "opened":
            digests = dict(zip(event["units"], event.get("contents") or (), strict=False))
            theirs.update(digests[unit] for unit in _searched(event) if digests.get(unit))
    return [unit for unit in held_out if own.get(unit) in theirs]


def _searched(opened: Event) -> list[str]:
    units: list[str] = opened["units"]
    return units[: opened.get("search", len(units))]


def _answered(event: Event) -> Iterator[tuple[str, str]]:
    """Give trial and unit of every score."""
    for row in event["rows"] if event["event"] == "units" else ():
        if row[1]:
            yield event["key"], row[0]
