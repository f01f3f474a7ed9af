"""The items that an objective of the user's own is asked about: read, named, ordered, grouped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from raytuner.component import ConfigError, digest, nearest
from raytuner.document import file_inside
from raytuner.objective import Arrays
from raytuner.own.identity import plain

Item = Mapping[str, Any]
Source = str | Path | Sequence[Item] | Callable[[], Iterable[Item]]
"""A file of JSON lines, mappings, or a function that gives them."""


class Fields(NamedTuple):
    """Which fields of an item have a meaning: its id, what it comes from, and its kind."""

    id: str = "id"
    group: str | None = None
    stratum: str | None = None


class Items:
    """Items by id.

    Args:
        rows: mappings.
        places: where each stands, for messages.
        fields: which of their fields have a meaning.

    Attributes:
        ids: in the order given. Without an id field in any of them, their numbers, from 1.

    Raises:
        ConfigError: there are none, one is no mapping, or an id is missing or there twice.
    """

    def __init__(self, rows: Sequence[Item], places: Sequence[str], fields: Fields) -> None:
        if not rows:
            raise _wrong("there are none; give at least one")
        for row, place in zip(rows, places, strict=True):
            if not isinstance(row, Mapping):
                raise _wrong(f"{place}: {row!r:.60} is no mapping of fields")
        self._rows = dict(zip(_ids(rows, places, fields.id), rows, strict=True))
        self._places = tuple(places)
        self._fields = fields
        self.ids = tuple(self._rows)
        for name in (fields.group, fields.stratum):
            if name is not None and not any(name in row for row in rows):
                known = sorted({str(field) for row in rows for field in row})
                there = f"{', '.join(known)}.{nearest(name, known)}"
                raise _wrong(f"none has a field {name!r}; there are: {there}")

    @classmethod
    def read(cls, source: Source, root: Path, fields: Fields) -> Items:
        """Take items from where they are.

        Args:
            source: see `Source`.
            root: folder that a relative path starts from, and does not leave.
            fields: which of their fields have a meaning.
        """
        if isinstance(source, str | Path):
            rows, places = _lines(source, root)
            return cls(rows, places, fields)
        given: Any = source() if callable(source) else source
        if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
            raise _wrong(f"give a file of JSON lines or a list of mappings, got {given!r:.60}")
        rows = list(given)
        return cls(rows, [f"number {n}" for n in range(1, len(rows) + 1)], fields)

    def __getitem__(self, unit: str) -> Item:
        return self._rows[unit]

    @property
    def key(self) -> str:
        """Identity of all items."""
        return digest("items", sorted(self.contents().items()))

    def ordered(self, seed: int) -> tuple[str, ...]:
        """List ids in the order of evaluation: by chance, every beginning with all kinds alike."""
        members: dict[str, list[str]] = {}
        strata = self.strata()
        for unit in sorted(self.ids, key=lambda unit: digest("order", seed, unit)):
            members.setdefault(strata.get(unit, ""), []).append(unit)
        places = {
            unit: (rank + 0.5) / len(units)
            for units in members.values()
            for rank, unit in enumerate(units)
        }
        return tuple(sorted(places, key=lambda unit: (places[unit], digest("order", seed, unit))))

    def contents(self) -> dict[str, str]:
        """Digest every item."""
        return {unit: digest(plain(row)) for unit, row in self._rows.items()}

    def groups(self) -> dict[str, str]:
        """Name what items come from, as far as they say."""
        return self._labels(self._fields.group)

    def strata(self) -> dict[str, str]:
        """Name the kind of items, as far as they say."""
        return self._labels(self._fields.stratum)

    def _labels(self, field: str | None) -> dict[str, str]:
        if field is None:
            return {}
        return {
            unit: _label(row[field])
            for unit, row in self._rows.items()
            if row.get(field) not in (None, "", [])
        }

    def packed(self) -> Arrays:
        """Spell the items of a file as one array, for processes that cannot read it."""
        rows = [list(self._rows.values()), self._places]
        return {"json": np.frombuffer(json.dumps(rows).encode(), np.uint8)}

    @classmethod
    def unpacked(cls, arrays: Arrays, fields: Fields) -> Items:
        """Read what `packed` has spelled."""
        rows, places = json.loads(arrays["json"].tobytes())
        return cls(rows, places, fields)


def _ids(rows: Sequence[Item], places: Sequence[str], field: str) -> list[str]:
    if not any(field in row for row in rows):
        if field != Fields().id:
            raise _wrong(f"none has the field {field!r}, which is to name them")
        return [str(number) for number in range(1, len(rows) + 1)]
    seen: dict[str, str] = {}
    for row, place in zip(rows, places, strict=True):
        given = row.get(field)
        if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
            raise _wrong(f"{place}: the {field} is {given!r:.60}; give a text or a whole number")
        if str(given) in seen:
            raise _wrong(f"{place}: the {field} {str(given)!r:.60} is there twice, first in "
                         f"{seen[str(given)]}")  # fmt: skip
        seen[str(given)] = place
    return list(seen)


def _label(value: Any) -> str:
    """Name a group or a kind; several tags are one kind."""
    return " ".join(sorted(map(str, value))) if isinstance(value, list | tuple) else str(value)


def _lines(given: str | Path, root: Path) -> tuple[list[Item], list[str]]:
    path = file_inside(given, root, "items")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _wrong(f"{given} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise _wrong(f"{given} cannot be read: {error.strerror}") from None
    rows, places = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{given}, line {number}"
            rows.append(_parsed(line, place))
            places.append(place)
    return rows, places


def _parsed(line: str, place: str) -> Item:
    try:
        value = json.loads(line, parse_constant=_constant)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # 1e999, half a surrogate
    except json.JSONDecodeError as error:
        raise _wrong(f"{place}, column {error.colno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise _wrong(f"{place}: holds what cannot be read: {str(error)[:120]}") from None
    if not isinstance(value, Mapping):
        raise _wrong(f"{place}: {line.strip()!r:.60} is no JSON object")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON; give a number or null")


def _wrong(reason: str) -> ConfigError:
    return ConfigError(f"items: {reason}", ("items",))
