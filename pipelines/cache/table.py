"""One SQLite file of vectors per embedding model: rows that are checked, writers that wait.

A connection lives for one look-up or one write (some 10 ms for 256 rows), never longer: SQLite
connections must not be carried across a fork. Measured before choosing it: a plain rowid table
in WAL mode beats WITHOUT ROWID (7 times slower to write, 3 times the size) and LMDB.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipelines.cache.flight import Flight

_log = logging.getLogger("raytuner.cache")
_SCHEMA_VERSION = 1
_PER_QUERY = 500
_BUSY_SECONDS = 60.0
_TOUCH_SECONDS = 60.0
_UNUSABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CREATE = """
CREATE TABLE vectors (k BLOB PRIMARY KEY, e BLOB NOT NULL, cut INTEGER NOT NULL,
                      crc INTEGER NOT NULL);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class StoredVector(NamedTuple):
    """A vector as raw little-endian float32, and the tokens the model did not see."""

    raw: bytes
    cut: int


class _ForeignError(sqlite3.DatabaseError):
    """The file is a database, but not this model's."""


class VectorTable:
    """Vectors of one model by text key.

    Args:
        path: the SQLite file; None, or a file that cannot be written, means memory.
        fingerprint: what makes the vectors this model's.
        flight: keeps two processes from creating or repairing the file at once.
    """

    def __init__(self, path: Path | None, fingerprint: str, flight: Flight) -> None:
        self.path = path
        self.fingerprint = fingerprint
        self._flight = flight
        self._memory: dict[bytes, StoredVector] = {}
        self._touched = -_TOUCH_SECONDS
        self._warned = False

    def lookup(self, keys: Collection[bytes]) -> dict[bytes, StoredVector]:
        """Find the vectors that are there. Creates nothing, and never fails: what cannot be
        read is not there.
        """
        found = {key: self._memory[key] for key in keys if key in self._memory}
        if self.path is None or not self.path.exists():
            return found
        self._touch(self.path)
        try:
            return self._select(self.path, [key for key in keys if key not in found]) | found
        except sqlite3.DatabaseError as error:
            self._recovered(self.path, error)
            return found

    def add(self, rows: Mapping[bytes, StoredVector]) -> None:
        """Write vectors; they are safe from a killed process when this returns."""
        if self.path is None:
            self._memory.update(rows)
            return
        for _attempt in range(2):
            try:
                self._insert(self.path, rows)
            except (sqlite3.DatabaseError, OSError) as error:
                if not self._recovered(self.path, error):
                    break
            else:
                return
        self._memory.update(rows)

    def _select(self, path: Path, keys: list[bytes]) -> dict[bytes, StoredVector]:
        found: dict[bytes, StoredVector] = {}
        damaged: list[tuple[bytes]] = []
        keys.sort()  # neighbours in the index: half the time for 100 000 keys
        with self._connected(path) as connection:
            for start in range(0, len(keys), _PER_QUERY):
                part = keys[start : start + _PER_QUERY]
                marks = ",".join("?" * len(part))
                query = f"SELECT k, e, cut, crc FROM vectors WHERE k IN ({marks})"  # noqa: S608 - marks only
                for key, raw, cut, check in connection.execute(query, part):
                    if _intact(key, raw, cut, check):
                        found[key] = StoredVector(raw, cut)
                    else:
                        damaged.append((key,))
            if damaged:
                _log.warning("%d damaged vectors in %s are embedded again", len(damaged), path.name)
                with contextlib.suppress(sqlite3.OperationalError), _transaction(connection):
                    connection.executemany("DELETE FROM vectors WHERE k = ?", damaged)
        return found

    def _insert(self, path: Path, rows: Mapping[bytes, StoredVector]) -> None:
        if not path.exists():
            with self._flight.hold(f"{path.stem}-repair"):
                self._create(path)
        checked = [(k, v.raw, v.cut, _checksum(k, v.raw, v.cut)) for k, v in rows.items()]
        with self._connected(path) as connection, _transaction(connection):
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?, ?)", checked)

    def _create(self, path: Path) -> None:
        """Make an empty file under another name, so that no one ever sees half a schema."""
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        _remove_database(fresh)
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_CREATE)
            connection.execute("INSERT INTO meta VALUES ('fingerprint', ?)", (self.fingerprint,))
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        fresh.replace(path)

    @contextlib.contextmanager
    def _connected(self, path: Path) -> Iterator[sqlite3.Connection]:
        with _open(path) as connection:
            if fingerprint_of(connection) != self.fingerprint:
                raise _ForeignError("it holds the vectors of something else")
            yield connection

    def _recovered(self, path: Path, error: Exception) -> bool:
        """Put a damaged file aside, keeping its good rows; tell whether writing may go on."""
        code = getattr(error, "sqlite_errorcode", 0) or 0
        if not isinstance(error, _ForeignError) and code & 0xFF not in _UNUSABLE:
            if not self._warned:
                self._warned = True
                _log.warning("vectors in %s: %s; going on in memory", path, error)
            return False
        with self._flight.hold(f"{path.stem}-repair"):
            if self._sound(path):
                return True  # somebody repaired it while this thread waited
            _log.warning("%s is damaged and started anew: %s", path, error)
            aside = path.with_suffix(".damaged")
            try:
                _remove_database(aside)
                _rename_database(path, aside)
                self._create(path)
            except (OSError, sqlite3.Error):
                return False
        if not isinstance(error, _ForeignError):
            self._rescue(path, aside)
        return True

    def _sound(self, path: Path) -> bool:
        try:
            with self._connected(path) as connection:
                answer = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error:
            return False
        return bool(answer == ("ok",))

    def _rescue(self, path: Path, aside: Path) -> None:
        """Copy the rows that can still be read and match their checksums: they cost money."""
        with contextlib.suppress(sqlite3.Error, OSError), _open(aside) as old:
            rows = old.execute("SELECT k, e, cut, crc FROM vectors")
            while part := rows.fetchmany(_PER_QUERY):
                good = {row[0]: StoredVector(row[1], row[2]) for row in part if _intact(*row)}
                self._insert(path, good)

    def _touch(self, path: Path) -> None:
        now = time.monotonic()
        if now - self._touched >= _TOUCH_SECONDS:
            self._touched = now
            with contextlib.suppress(OSError):
                os.utime(path)


def fingerprint_of(connection: sqlite3.Connection) -> str | None:
    """Read which model an open file belongs to; None if it is none of ours."""
    if connection.execute("PRAGMA user_version").fetchone() != (_SCHEMA_VERSION,):
        return None
    row = connection.execute("SELECT value FROM meta WHERE name = 'fingerprint'").fetchone()
    return row[0].decode("utf-8", "replace") if row and isinstance(row[0], bytes) else None


def count_rows(path: Path) -> tuple[str | None, int]:
    """Give model fingerprint and number of vectors of a file; (None, 0) if it is unreadable."""
    with contextlib.suppress(sqlite3.Error), _open(path) as connection:
        rows = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
        return fingerprint_of(connection), int(rows)
    return None, 0


def empty_table(path: Path) -> None:
    """Delete all vectors and give the space back. Others may have the file open meanwhile.

    Raises:
        sqlite3.Error: if the file cannot be written or is no vector table.
    """
    with _open(path) as connection:
        connection.execute("PRAGMA busy_timeout = 1000")  # a reader that stays delays the rest
        with _transaction(connection):
            connection.execute("DELETE FROM vectors")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def database_files(path: Path) -> Iterable[Path]:
    """List a SQLite file and its companions, existing or not."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))]


@contextlib.contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"{path.absolute().as_uri()}?mode=rw"  # never creates an empty file
    connection = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.text_factory = bytes  # a damaged row may claim to be text that is none
    with contextlib.closing(connection):
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _checksum(key: bytes, raw: bytes, cut: int) -> int:
    return zlib.crc32(b"%d" % cut, zlib.crc32(raw, zlib.crc32(key)))


def _intact(key: object, raw: object, cut: object, check: object) -> bool:
    if not (isinstance(key, bytes) and isinstance(raw, bytes) and isinstance(cut, int)):
        return False
    return _checksum(key, raw, cut) == check


def _remove_database(path: Path) -> None:
    for file in database_files(path):
        file.unlink(missing_ok=True)


def _rename_database(path: Path, target: Path) -> None:
    for old, new in zip(database_files(path), database_files(target), strict=True):
        with contextlib.suppress(FileNotFoundError):
            old.replace(new)
