"""How often held-out questions have had a say: every time they do, they prove less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from raytuner.journal import Event

Look = frozenset[str]
"""What met on held-out questions: keys of trials; the same ones are one look."""


class Past(NamedTuple):
    """What held-out questions have been used for.

    Attributes:
        looks: at them, each with what met there.
        spoiled: those that a search of another study has gone by; they prove nothing any more.
    """

    looks: list[Look]
    spoiled: frozenset[str]


def past_of(
    events: Iterable[Event],
    study: str,
    scope: str,
    held_out: Sequence[str],
    contents: Mapping[str, str],
) -> Past:
    """Find what questions that are held out now were used for, by whatever study of a journal.

    Another seed, metric or space does not make questions unseen again. Questions are the same if
    they ask and expect the same (`contents`); where an objective does not tell, if they have the
    same id in the same scope. A study that *searched* what is held out now has looked at it, and
    more than that: what it found best was chosen by the very questions.

    Args:
        events: the journal.
        study: the study that asks.
        scope: its scope.
        held_out: ids of the questions.
        contents: a digest of what each of them asks and expects.
    """
    own = {contents[unit]: unit for unit in held_out if contents.get(unit)}
    found: list[Look] = []
    spoiled: set[str] = set()
    opened: Event = {}

    def ours(units: Iterable[str]) -> set[str]:
        """Give what of the units of the session under way is held out now."""
        digests = dict(zip(opened["units"], opened.get("contents") or (), strict=False))
        if own and digests:
            return {own[digests[unit]] for unit in units if digests.get(unit) in own}
        return set(held_out).intersection(units) if opened["scope"] == scope else set()

    for event in events:
        look: Look | None = None
        if event["event"] == "opened":
            opened = event
            searched = event["units"][: event.get("search", len(event["units"]))]
            if event["study"] != study and (used := ours(searched)):
                look = frozenset({event["study"]})
                spoiled |= used
        elif event["event"] == "look" and (used := ours(event["units"])):
            look = frozenset(event["keys"])
            if event.get("searched"):
                spoiled |= used
        if look is not None and look not in found:
            found.append(look)
    return Past(found, frozenset(spoiled))
