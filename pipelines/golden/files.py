"""Golden sets as files that are being written: read whole, written so that a crash loses nothing.

Works on lines as they are. What a line's evidence means is the business of `jsonl`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.records import field_text, json_lines, read_text
from raytuner.component import ConfigError

Record = dict[str, Any]
"""One line."""


def check_target(path: Path) -> None:
    """Refuse a file that cannot become a golden set of JSON lines.

    Raises:
        ConfigError: its name says another format, or its folder is not there.
    """
    if path.suffix.lower() != ".jsonl":
        raise ConfigError(
            f"output {str(path)!r} must end in .jsonl: questions are written as JSON lines"
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that is not there"
        raise ConfigError(f"output {str(path)!r} {what}; name a file in a folder that exists")


def read_records(path: Path) -> list[Record]:
    """Read the lines of a file; none if there is no such file.

    Raises:
        ConfigError: naming the line that is no question, or whose id occurs before.
    """
    return [record for _, record in numbered_records(path)] if path.exists() else []


def numbered_records(path: Path) -> list[tuple[int, Record]]:
    """Read the lines of a file, each with its number.

    Raises:
        ConfigError: there is no such file, a line is no question, or an id occurs twice.
    """
    if not path.exists():
        raise ConfigError(f"golden set {str(path)!r} not found: there is no such file")
    found = list(json_lines(read_text(path, str(path)), str(path)))
    seen: dict[str, int] = {}
    for line, record in found:
        where = f"{path}, line {line}"
        for name in ("id", "question"):
            field_text(record, name, where)
        if seen.setdefault(record["id"], line) != line:
            raise ConfigError(
                f"{where}: the question id {record['id']!r} stands in line {seen[record['id']]} "
                "already; ids must be unique"
            )
    return found


def append_records(path: Path, records: Iterable[Record]) -> None:
    """Add lines; those that are there stay as they are, byte for byte."""
    held = path.read_bytes() if path.exists() else b""
    if held and not held.endswith(b"\n"):
        held += b"\n"
    _replace(path, held + b"".join(map(_spelled, records)))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write all lines anew."""
    _replace(path, b"".join(map(_spelled, records)))


def dropped_file(path: Path) -> Path:
    """Give the file that holds what a review has dropped."""
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.dropped.jsonl")


def _spelled(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, ensure_ascii=False) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    """Write beside the file, then put it in its place: at any time one of the two is whole.

    Raises:
        ConfigError: the disk refuses.
    """
    target = path.resolve()  # a link stays a link
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
