"""What every configuration of a manual study is tried on: one result, so many, or a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.component import ConfigError
from raytuner.document import file_inside
from raytuner.own.function import UNIT

_FIELD = ("units",)
_MOST = 100_000
"""Units of a study that people evaluate; more is a slip."""
_BYTES = 1 << 28


class Unit(NamedTuple):
    """One thing that a configuration is tried on: a question, an oven, a patient group.

    Attributes:
        name: as `raytuner tell --unit` has it.
        question: what is asked, where raters are to see it.
        reference: the answer that was hoped for.
        group: what it comes from; units of one group are no independent evidence.
    """

    name: str
    question: str = ""
    reference: str = ""
    group: str = ""


def units_of(given: Any, root: Path) -> tuple[Unit, ...]:
    """Read `units:` of a manual objective.

    Args:
        given: None (one result a trial), a number (q1, q2, ...), a list of names, or a file below
            `root`: JSON Lines of `{"id": ..., "question"?, "reference"?, "group"?}`, or text with
            a name a line.
        root: folder of the study.

    Raises:
        ConfigError: naming what is wrong, in a file with its line.
    """
    if given is None:
        return (Unit(UNIT),)
    if isinstance(given, bool) or not isinstance(given, int | str | list | tuple):
        raise ConfigError(
            f"units: give a number, a list of names, or a file, got {given!r:.80}", _FIELD
        )
    if isinstance(given, int):
        if not 1 <= given <= _MOST:
            raise ConfigError(f"units: give 1 to {_MOST:,}, got {given}", _FIELD)
        return tuple(Unit(f"q{number + 1}") for number in range(given))
    if isinstance(given, str):
        return _distinct(_read(file_inside(given, root, "units"), given), given)
    rows = [(number, _named(name, f"units[{number}]")) for number, name in enumerate(given)]
    return _distinct(rows, "units")


def _read(path: Path, shown: str) -> list[tuple[int, Unit]]:
    try:
        if path.stat().st_size > _BYTES:
            raise ConfigError(f"units: {shown} has more than {_BYTES >> 20} MiB", _FIELD)
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"units: {shown} cannot be read: {error.strerror}", _FIELD) from None
    except UnicodeDecodeError:
        raise ConfigError(f"units: {shown} is not UTF-8; save it as UTF-8", _FIELD) from None
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), start=1)]
    read = _json_unit if path.suffix in {".jsonl", ".ndjson"} else _named
    return [(n, read(line, f"units: {shown}, line {n}")) for n, line in lines if line]


def _json_unit(line: str, where: str) -> Unit:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where}: not a JSON object", _FIELD) from None
    if not isinstance(row, Mapping) or "id" not in row:
        raise ConfigError(f'{where}: give an object such as {{"id": "q1"}}, got {line:.60}', _FIELD)
    name = _named(row["id"], where).name
    texts = {key: row.get(key, "") for key in ("question", "reference", "group")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise ConfigError(f"{where}: {key} is to be text, got {text!r:.60}", _FIELD)
    return Unit(name, **texts)


def _named(name: Any, where: str) -> Unit:
    if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
        raise ConfigError(f"{where}: {name!r:.60} is no name", _FIELD)
    text = str(name).strip()
    if len(text) > 200 or not text.isprintable():
        raise ConfigError(
            f"{where}: {text!r:.60} is no name: give up to 200 printable characters", _FIELD
        )
    return Unit(text)


def _distinct(rows: Sequence[tuple[int, Unit]], shown: str) -> tuple[Unit, ...]:
    seen: dict[str, int] = {}
    for number, unit in rows:
        if unit.name in seen:
            raise ConfigError(
                f"units: {unit.name!r} stands twice in {shown} ({seen[unit.name]} and {number})",
                _FIELD,
            )
        seen[unit.name] = number
    if not rows:
        raise ConfigError(f"units: {shown} names none; leave it out for one result a trial", _FIELD)
    return tuple(unit for _, unit in rows)
