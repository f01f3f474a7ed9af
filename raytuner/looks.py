"""How often held-out questions have had a say: every time they do, they prove less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from raytuner.journal import Event

Look = frozenset[str]
"""What met on held-out questions: keys of trials; the same ones are one look."""


def looks_of(
    events: Iterable[Event],
    study: str,
    scope: str,
    held_out: Sequence[str],
    contents: Mapping[str, str],
) -> list[Look]:
    """List the looks at questions that are held out now, whatever study of a journal took them.

    Another seed, metric or space does not make questions unseen again. Questions are the same if
    they ask and expect the same (`contents`); where an objective does not tell, if they have the
    same id in the same scope. A study that *searched* what is held out now has looked at it, too.

    Args:
        events: the journal.
        study: the study that asks.
        scope: its scope.
        held_out: ids of the questions.
        contents: a digest of what each of them asks and expects.
    """
    own = {contents[unit] for unit in held_out if contents.get(unit)}
    found: list[Look] = []
    opened: Event = {}

    def ours(units: Iterable[str]) -> bool:
        """Tell whether any unit of the session under way is held out now."""
        digests = dict(zip(opened["units"], opened.get("contents") or (), strict=False))
        if own and digests:
            return any(digests.get(unit) in own for unit in units)
        return opened["scope"] == scope and not set(held_out).isdisjoint(units)

    for event in events:
        look: Look | None = None
        if event["event"] == "opened":
            opened = event
            searched = event["units"][: event.get("search", len(event["units"]))]
            if event["study"] != study and ours(searched):
                look = frozenset({event["study"]})
        elif event["event"] == "look" and ours(event["units"]):
            look = frozenset(event["keys"])
        if look is not None and look not in found:
            found.append(look)
    return found
