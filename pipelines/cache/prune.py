"""What lies on disk, and what may go: least recently used first, beside running users.

An artifact goes whole; of a model all vectors go at once, inside its database; of a place one
subfolder at a time.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipelines.cache import disk
from pipelines.cache.flight import Flight
from pipelines.cache.location import locks_folder, vectors_folder, work_folder
from pipelines.cache.table import count_rows, database_files, empty_table

_DAY = 86_400.0
_IN_USE_SECONDS = 3_600.0
_UNREADABLE = "(unreadable)"


class Usage(NamedTuple):
    """What one stage, embedding model or place keeps on disk.

    Attributes:
        kind: "stage", "model" (vectors) or "place" (files that another part manages).
        name: the stage, the model's fingerprint, or the place.
        entries: artifacts, vectors, or subfolders of the place.
        bytes: size of their files.
    """

    kind: str
    name: str
    entries: int
    bytes: int


class Pruned(NamedTuple):
    """What pruning did: bytes freed on disk, keys of the artifacts that are gone."""

    freed: int
    keys: list[str]


@dataclass(frozen=True)
class _Item:
    """Something that can be removed on its own."""

    kind: str
    name: str
    path: Path
    used: float
    entries: int
    bytes: int


def usage_of(root: Path) -> list[Usage]:
    """Sum up entries and bytes per stage, model and place, largest first."""
    entries: Counter[tuple[str, str]] = Counter()
    size: Counter[tuple[str, str]] = Counter()
    for item in _items(root):
        entries[item.kind, item.name] += item.entries
        size[item.kind, item.name] += item.bytes
    rows = [Usage(kind, name, entries[kind, name], size[kind, name]) for kind, name in size]
    return sorted(rows, key=lambda row: (-row.bytes, row.kind, row.name))


def prune_root(
    root: Path,
    flight: Flight,
    *,
    max_bytes: int | None = None,
    days: float | None = None,
    name: str | None = None,
) -> Pruned:
    """Remove what is too old, then the least recently used until the rest fits.

    Whatever somebody is building is skipped. Debris of killed or damaged writers always goes.

    Args:
        root: the cache directory.
        flight: the locks of its users.
        max_bytes: what may stay; None: anything.
        days: the age since the last use from which on items go; None: no age.
        name: only this stage, model or place.
    """
    disk.sweep(root)
    freed, keys = _remove_debris(root), []
    items = sorted(_items(root), key=lambda item: (item.used, item.path))
    items = [item for item in items if name in (None, item.name)]
    left = sum(item.bytes for item in items)
    for item in items:
        too_old = days is not None and item.used < time.time() - days * _DAY
        if not too_old and (max_bytes is None or left <= max_bytes):
            continue
        gone = _remove(root, flight, item)
        freed += gone
        left -= gone
        if gone and item.kind == "stage":
            keys.append(item.path.name)
    _remove_idle_locks(root, flight)
    return Pruned(freed, keys)


def _items(root: Path) -> Iterator[_Item]:
    for folder in sorted((root / "artifacts").glob("??/" + "[0-9a-f]" * 32)):
        try:
            stage = disk.read_sidecar(folder).stage
        except FileNotFoundError:
            continue  # pruned by somebody else
        except (disk.DamagedError, OSError):
            stage = _UNREADABLE
        used = _modified(folder / disk.SIDECAR_NAME) or _modified(folder)
        yield _Item("stage", stage, folder, used, 1, disk.folder_bytes(folder))
    for path in sorted(vectors_folder(root).glob("*.sqlite")):
        fingerprint, rows = count_rows(path)
        if rows or fingerprint is None:
            name = fingerprint or _UNREADABLE
            yield _Item("model", name, path, _modified(path), rows, _database_bytes(path))
    for folder in sorted((root / "places").glob("*/*")):
        used, size = _tree(folder)
        yield _Item("place", folder.parent.name, folder, used, 1, size)


def _remove(root: Path, flight: Flight, item: _Item) -> int:
    """Remove an item unless somebody is at work on it; give the bytes freed."""
    if item.kind == "place":
        return _remove_place(root, item)
    lock = item.path.stem if item.kind == "model" else item.path.name
    with flight.hold(lock, wait=False) as held, contextlib.suppress(OSError, sqlite3.Error):
        if held and item.kind == "model":
            return _remove_model(item)
        if held:
            freed = disk.remove(root, item.path.name)
            flight.forget(lock)
            return freed
    return 0


def _remove_model(item: _Item) -> int:
    if item.name == _UNREADABLE:
        for file in database_files(item.path):
            file.unlink(missing_ok=True)
    else:
        empty_table(item.path)
    return max(0, item.bytes - _database_bytes(item.path))


def _remove_place(root: Path, item: _Item) -> int:
    """Remove a folder that another part manages: nothing tells who has it open, save its age."""
    if time.time() - item.used < _IN_USE_SECONDS:
        return 0
    grave = work_folder(root) / f"place-{secrets.token_hex(8)}"
    try:
        grave.parent.mkdir(parents=True, exist_ok=True)
        item.path.rename(grave)
    except OSError:
        return 0
    shutil.rmtree(grave, ignore_errors=True)
    return item.bytes


def _remove_debris(root: Path) -> int:
    freed = 0
    for damaged in vectors_folder(root).glob("*.damaged*"):
        size = _size(damaged)
        with contextlib.suppress(OSError):
            damaged.unlink()
            freed += size
    return freed


def _remove_idle_locks(root: Path, flight: Flight) -> None:
    """Remove lock files of artifacts that are no more; nobody holds or wants them."""
    for file in locks_folder(root).glob("*.lock"):
        key = file.stem
        model = vectors_folder(root) / f"{key.removesuffix('-repair')}.sqlite"
        if model.exists() or (root / "artifacts" / key[:2] / key).exists():
            continue
        if time.time() - _modified(file) < _DAY:
            continue
        with flight.hold(key, wait=False) as held:
            if held:
                flight.forget(key)


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _tree(folder: Path) -> tuple[float, int]:
    """Give the latest use of any file below a folder, and the size of all."""
    used, size = _modified(folder), 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            facts = path.stat()
            if path.is_file():
                used, size = max(used, facts.st_mtime, facts.st_atime), size + facts.st_size
    return used, size


def _database_bytes(path: Path) -> int:
    return sum(_size(file) for file in database_files(path))


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
