"""Text, JSON and tables as users write them, read strictly: every complaint names file and line.

Knows nothing of documents or golden sets; both are read through it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, nearest

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t"


def label_of(path: Path, root: Path) -> str:
    """Name a file in a message: relative to `root` where it lies inside it."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path)


def read_text(path: Path, label: str) -> str:
    """Read a UTF-8 file exactly: a byte order mark is dropped, newlines stay as they are.

    Raises:
        ConfigError: the file cannot be read, is binary, or is not UTF-8.
    """
    return decode(read_bytes(path, label), label)


def read_bytes(path: Path, label: str) -> bytes:
    """Read a file.

    Raises:
        ConfigError: with the reason of the operating system.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{label} cannot be read: {error.strerror}") from error


def decode(data: bytes, label: str) -> str:
    """Decode UTF-8.

    Raises:
        ConfigError: with the offset of the first byte that is wrong.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{label} is UTF-16 text; save it as UTF-8")
    skipped = len(_BOM) if data.startswith(_BOM) else 0
    zero = data.find(b"\0")
    if zero >= 0:
        raise ConfigError(f"{label} is binary, not text: it has a zero byte at byte offset {zero}")
    try:
        return data[skipped:].decode("utf-8")
    except UnicodeDecodeError as error:
        offset = skipped + error.start
        raise ConfigError(
            f"{label} is not UTF-8: byte 0x{data[offset]:02x} at byte offset {offset} is invalid; "
            "save the file as UTF-8"
        ) from error


def parse_json(text: str, label: str, *, line: int | None = None) -> Any:
    """Parse one JSON value, refusing repeated keys and half surrogate pairs.

    Args:
        text: the JSON text.
        label: name of the file.
        line: its line number where the text is one line of a JSON Lines file.

    Raises:
        ConfigError: naming line and column.
    """
    place = label if line is None else f"{label}, line {line}"
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        at = f"{label}, line {line or error.lineno}, column {error.colno}"
        raise ConfigError(f"{at}: malformed JSON: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise ConfigError(f"{place}: a \\uXXXX escape is half of a surrogate pair") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: malformed JSON: {error}") from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} occurs twice in one object")
            seen.add(key)
    return found


def json_lines(text: str, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give (line number from 1, object) for every line that is not blank.

    Raises:
        ConfigError: a line is malformed or no object.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value = parse_json(line.rstrip("\r"), label, line=number)
        if not isinstance(value, dict):
            raise ConfigError(
                f"{label}, line {number}: expected a JSON object in braces, got {shorten(line)!r}"
            )
        yield number, value


def table_rows(
    text: str, label: str, required: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Give (line number, row) for every row of a CSV text with a header line.

    The delimiter is the comma, semicolon or tab under which the header has the required columns.

    Raises:
        ConfigError: a required column is missing, or a row has too many or too few cells.
    """
    # The limit is one number per process, 128 kB at first: raised, never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    header_line = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=lambda d: len(set(required) & set(_cells(header_line, d))))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(header, label, required)
        line = rows.line_num + 1
        for cells in rows:
            if any(cell.strip() for cell in cells):
                if len(cells) != len(header):
                    raise ConfigError(
                        f"{label}, line {line}: {len(cells)} cells under {len(header)} columns; "
                        "put double quotes around cells that hold a delimiter or line break"
                    )
                yield line, dict(zip(header, cells, strict=True))
            line = rows.line_num + 1
    except csv.Error as error:
        raise ConfigError(f"{label}, line {line}: malformed CSV: {error}") from error


def table_header(text: str) -> set[str]:
    """Give the column names of a CSV text under any delimiter that could be meant."""
    line = text.split("\n", 1)[0]
    return {name for delimiter in _DELIMITERS for name in _cells(line, delimiter)}


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.split(delimiter)]


def _check_header(header: Sequence[str], label: str, required: Sequence[str]) -> None:
    for name in required:
        if name not in header:
            raise ConfigError(
                f"{label}, line 1: no column {name!r}; the columns are: "
                f"{', '.join(header) or 'none'}.{nearest(name, header)}"
            )
    repeated = next((name for name in header if header.count(name) > 1), None)
    if repeated is not None:
        raise ConfigError(f"{label}, line 1: the column {repeated!r} occurs twice")


def field_text(record: Mapping[str, Any], name: str, where: str) -> str:
    """Give a field that must be there, be a string and not be blank.

    Raises:
        ConfigError: naming the field and `where`.
    """
    if name not in record:
        raise ConfigError(f"{where}: the field {name!r} is missing.{nearest(name, record)}")
    value = record[name]
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {name!r} must be a string, got {shorten(repr(value))}")
    if not value.strip():
        raise ConfigError(f"{where}: {name!r} is empty")
    return value


def shorten(text: str, limit: int = 60) -> str:
    """Cut a text for a message, white space collapsed."""
    flat = " ".join(text[: 4 * limit].split())
    return flat if len(flat) <= limit and len(text) <= 4 * limit else f"{flat[:limit]}…"
