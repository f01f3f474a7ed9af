"""The append-only log of a study: one writer, a checksum per line, on disk before it counts.

Every line is one JSON object that starts with the CRC-32 of its own text. A line torn by a
crash can only be the last one, and is dropped; damage anywhere else is an error that names the
line, because a journal is never dropped in silence.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from raytuner.component import ConfigError, RaytunerError

SCHEMA = 1
"""Version of the line format. Readers refuse newer journals and read every older one."""

Event = Mapping[str, Any]
_PREFIX = len('{"crc":"00000000",')
_REMEDY = "restore it from a copy, or move the run folder away to start anew"


class Placed(dict[str, Any]):
    """An event that knows its file and line, so that those that follow it can be named."""

    __slots__ = ("line", "path")

    def __init__(self, event: Event, path: Path, line: int) -> None:
        super().__init__(event)
        self.path, self.line = path, line


class JournalError(ConfigError):
    """The journal cannot be trusted or used; names file and line."""


class JournalFullError(RaytunerError):
    """The disk refused a write. What was recorded before stands."""


def encode(event: Event) -> bytes:
    """Spell one event as a checksummed line."""
    body = json.dumps(event, separators=(",", ":"), allow_nan=False)
    return f'{{"crc":"{zlib.crc32(body.encode()):08x}",{body[1:]}\n'.encode()


def decode(line: bytes) -> Event:
    """Read one line back.

    Raises:
        ValueError: if the checksum does not fit.
    """
    text = line.decode()
    body = "{" + text.rstrip("\n")[_PREFIX:]
    if text[:_PREFIX] != f'{{"crc":"{zlib.crc32(body.encode()):08x}",':
        raise ValueError("checksum does not fit")
    event: Event = json.loads(body)
    return event


def read(path: Path) -> tuple[list[Event], int]:
    """Read all whole events, also while another process writes.

    Returns:
        The events, and the offset in bytes after the last whole one.

    Raises:
        JournalError: for a corrupt line that is not the torn last one, a newer schema, or a file
            that cannot be read.
    """
    if path.exists() and not path.is_file():  # a device may be read without end
        return [], 0
    events: list[Event] = []
    good = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                events.append(_event(path, number, line))
                good += len(line)
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from None
    return events, good


def _event(path: Path, number: int, line: bytes) -> Event:
    try:
        event = decode(line)
    except ValueError:
        raise damaged(f"{path}, line {number}", "the checksum does not fit") from None
    schema, kind = event.get("schema", SCHEMA), event.get("event")
    if isinstance(schema, int) and schema > SCHEMA:
        raise JournalError(
            f"{path}, line {number}: written by a newer raytuner (schema "
            f"{schema}, this one reads up to {SCHEMA}); upgrade raytuner"
        )
    if not isinstance(kind, str):
        raise damaged(f"{path}, line {number}", "it does not say what has happened")
    # lines follow each other, so a few places give all; a place for each would cost time
    return Placed(event, path, number) if kind == "opened" or number == 1 else event


def damaged(where: str, what: str) -> JournalError:
    """Refuse a line of a journal.

    Args:
        where: file and line.
        what: is wrong there.
    """
    return JournalError(f"{where}: {what}, the journal is damaged; {_REMEDY}")


class Journal:
    """The one writer of a study's journal.

    Args:
        folder: run directory; None keeps the journal in memory (for throw-away tuning).
        clock: gives the time stamp of events, in seconds since the epoch.
        wait: seconds to wait while another driver has it, for commands that are over in a moment.

    Raises:
        JournalError: damaged journal, or another driver is running this study.
    """

    def __init__(self, folder: Path | None, clock: Any = time.time, *, wait: float = 0.0) -> None:
        self.folder = folder
        self.clock = clock
        self._events: list[Event] = []
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._good = 0
        if folder is None:
            return
        make_folder(folder)
        self._owner = _own(folder / "journal.lock", wait)
        try:
            self._events, self._good = read(self.path)
            self._file = self.path.open("ab", buffering=0)
            _truncate(self._file, self._good)
        except OSError as error:
            self.close()
            raise JournalError(f"{self.path} cannot be written: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The journal file."""
        if self.folder is None:
            raise ValueError("this journal lives in memory")
        return self.folder / "journal.jsonl"

    def __iter__(self) -> Iterator[Event]:
        return iter(list(self._events))

    def append(self, *events: Event, durable: bool = True) -> None:
        """Write events and return once they are on disk.

        Args:
            events: what happened, in order.
            durable: wait for the disk. False survives the death of the process, not of the
                machine: for events that can be told again from the others. They are on disk
                once the next durable event is.

        Raises:
            JournalFullError: the disk is full; nothing of these events is kept.
        """
        stamped = [{**event, "t": round(self.clock(), 3)} for event in events]
        with self._lock:
            if self.folder is None:
                self._events.extend(json.loads(json.dumps(stamped, allow_nan=False)))
                return
            if self._file is None:
                raise JournalError(f"{self.path} is closed")
            try:
                self._write(
                    self._file, b"".join(encode(event) for event in stamped), durable=durable
                )
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                    raise JournalFullError(
                        f"{self.path}: the disk is full ({error.strerror}); what is recorded "
                        "stands: free some space and run the same command again"
                    ) from None
                raise

    def _write(self, file: IO[bytes], data: bytes, *, durable: bool) -> None:
        """Write all or nothing, and never half a line that a later one would follow."""
        try:
            _write_all(file, data)
            if durable:
                os.fsync(file.fileno())
        except OSError:
            try:
                _truncate(file, self._good)
            except OSError:  # half a line stays; only the last line may be torn, so write no more
                file.close()
                self._file = None
            raise
        except BaseException:  # Ctrl-C while it waits for the disk: what is whole stands
            if os.fstat(file.fileno()).st_size == self._good + len(data):
                self._good += len(data)
            else:
                _truncate(file, self._good)
            raise
        self._good += len(data)

    def forget(self) -> None:
        """Free the replayed events once they are no longer needed."""
        if self.folder is not None:
            self._events = []

    def close(self) -> None:
        """Let another driver in."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None


def make_folder(folder: Path) -> None:
    """Create a run directory.

    Raises:
        ConfigError: if it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"run folder {folder} cannot be created: {error.strerror}") from None


def _own(path: Path, wait: float) -> int:
    """Take the lock that lasts as long as this process, whatever kills it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}") from None
    try:
        _lock(handle, wait)
    except BlockingIOError:
        owner = os.read(handle, 200).decode(errors="replace").strip() or "another process"
        os.close(handle)
        raise JournalError(
            f"{path.parent} is in use by {owner}: wait for it, stop it, or give this study "
            "another `name` or `run_dir`"
        ) from None
    except OSError as error:
        os.close(handle)
        raise JournalError(
            f"{path.parent} is on a file system without locks ({error.strerror}); give the study "
            "a `run_dir` on a local disk"
        ) from None
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    note = f"process {os.getpid()} on {socket.gethostname()} since {started}"
    with contextlib.suppress(OSError):  # a courtesy, not worth failing for on a full disk
        os.ftruncate(handle, 0)
        os.pwrite(handle, note.encode(), 0)
    return handle


def _lock(handle: int, wait: float) -> None:
    """Lock a file, or raise BlockingIOError after so many seconds."""
    until = time.monotonic() + wait
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.02)


def _truncate(file: IO[bytes], size: int) -> None:
    if os.fstat(file.fileno()).st_size > size:
        file.truncate(size)


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
