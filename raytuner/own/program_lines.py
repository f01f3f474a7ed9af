"""The lines that a program is given and prints: one JSON object each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from raytuner.objective import Failure, FailureKind, ObjectiveFailure
from raytuner.printable import plain, shorten

_QUOTED = 80


class Line(NamedTuple):
    """What a program has printed on one line.

    Attributes:
        number: from 1.
        fields: of the JSON object.
    """

    number: int
    fields: dict[str, Any]

    @property
    def failure(self) -> Failure | None:
        """The failure that it reports, as a text in `error`, with `kind` and `retryable`."""
        said = self.fields.get("error")
        if not isinstance(said, str):
            return None
        known: tuple[FailureKind, ...] = get_args(FailureKind)
        given = self.fields.get("kind")
        kind = next((name for name in known if name == given), known[-1])  # objective
        return Failure(kind, shorten(plain(said), 500), self.fields.get("retryable") is True)


def read_line(raw: bytes, number: int) -> Line | None:
    """Read a line; None if it is empty.

    Numbers that JSON does not have (NaN, Infinity) are read: the score they are is refused later,
    under its name.

    Args:
        raw: as it was printed, without its end.
        number: of the line, from 1.

    Raises:
        ObjectiveFailure: it is no JSON object; quotes it.
    """
    if not raw.strip():
        return None
    try:
        fields = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, Mapping):
        raise ObjectiveFailure(
            "objective",
            f"line {number} that the program printed is no JSON object: {quoted(raw)}; print "
            "results alone, and all else on standard error",
        )
    return Line(number, dict(fields))


def quoted(raw: bytes) -> str:
    """Quote what may be anything, on one line, cut short."""
    text = raw[:1000].decode("utf-8", errors="backslashreplace").strip()
    return f"'{shorten(plain(text), _QUOTED)}'"


def config_bytes(config: Mapping[str, Any]) -> bytes:
    """Spell a configuration as one line of JSON."""
    return json.dumps(config, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def item_bytes(unit: str, item: Mapping[str, Any]) -> bytes:
    """Spell an item as one line of JSON: what it is called, and what it holds."""
    row = {"unit": unit, "item": dict(item)}
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"
