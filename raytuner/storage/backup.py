"""Copies a journal to storage while it is written: a thread that never stops or fails a run."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from raytuner.component import ConfigError
from raytuner.storage.lease import Lease, LeaseLostError
from raytuner.storage.place import Place, StorageError, place_at
from raytuner.storage.segments import (
    Digest,
    Segment,
    merge,
    reunite,
    stored_segments,
    whole_lines,
)

_log = logging.getLogger("raytuner.storage")
_LARGEST = 4 * 1024 * 1024
"""Bytes of a segment, so that signs of life come between two of them."""
_MOST = 256
"""Segments after which they are put into one."""
_TABLES = frozenset({".parquet", ".csv", ".html", ".json", ".md", ".yaml"})
_LAST_WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the attempts at the end of a run."""


def run_place(url: str, folder: Path) -> Place:
    """Give the place of a run folder in storage: `<url>/runs/<name of the folder>`.

    Raises:
        ConfigError: the URL cannot be one.
    """
    return place_at(url).under("runs", folder.absolute().name)


class JournalChangedError(StorageError):
    """The journal is not the one that was copied; its copy ends here."""


class JournalCopy:
    """How far a journal has been copied. Not thread-safe.

    Args:
        place: the run's place in storage.
        folder: run folder; its journal holds at least what is stored.
        lease: kept before every request; None: nobody else writes here.

    Raises:
        ConfigError: what is stored is no beginning of the local journal.
        StorageError: storage does not answer.
    """

    def __init__(self, place: Place, folder: Path, lease: Lease | None = None) -> None:
        self._place = place.under("journal")
        self._path = folder / "journal.jsonl"
        self._lease = lease
        self._segments = stored_segments(self._place)
        local = whole_lines(self._path)
        if len(reunite(self._place, self._segments, local)) > len(local):
            raise ConfigError(f"storage: {place.url} holds more than {folder}; restore it first")
        self._digest = Digest()
        reach = max((segment.end for segment in self._segments), default=0)
        self._digest.add(local[:reach])
        self._tail = _last_line(local[:reach])

    @property
    def copied(self) -> int:
        """Bytes of the journal that are in storage."""
        return self._digest.offset

    @property
    def missing(self) -> int:
        """Bytes of whole lines that are not."""
        return len(whole_lines(self._path)) - self.copied

    def advance(self) -> None:
        """Copy whatever whole lines have been added.

        Raises:
            LeaseLostError: another run has taken over.
            JournalChangedError: what was copied is no longer in the journal.
            StorageError: storage does not answer.
        """
        if self._lease:
            self._lease.keep()
        self._merge()
        data = self._added()
        while data:
            cut = (data.rfind(b"\n", 0, _LARGEST) + 1) or (data.find(b"\n") + 1)
            self._copy(data[:cut])
            data = data[cut:]
            if data and self._lease:
                self._lease.keep()

    def _copy(self, lines: bytes) -> None:
        digest = self._digest.copy()
        start = digest.offset
        name = Segment(start, start + len(lines), digest.add(lines)).name
        self._place.write(name, lines)
        self._digest = digest
        self._tail = _last_line(lines)

    def _added(self) -> bytes:
        """Read the lines after those copied; look whether the last of these still is there."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.copied - len(self._tail))
                data = file.read()
        except FileNotFoundError:
            data = b""
        if not data.startswith(self._tail):
            raise JournalChangedError(
                f"{self._path} no longer begins with what was copied to {self._place.url}; "
                "nothing more is copied"
            )
        return data[len(self._tail) : data.rfind(b"\n") + 1]

    def _merge(self) -> None:
        segments, self._segments = self._segments, []
        if self._lease and len(segments) > _MOST:
            with contextlib.suppress(StorageError):  # many are slower to bring back, no worse
                merge(self._place, segments, self._path.read_bytes()[: self.copied])


class JournalBackup:
    """Keeps a copy of a journal in storage, from `start` until `stop`.

    Trouble is a warning, the first time, and tried again; the run does not wait for it.

    Args:
        url: storage URL.
        folder: run folder.
        interval: seconds between two copies.
        lease: held by this run; released at the end.

    Raises:
        ConfigError: the URL cannot be one, or what is stored is no beginning of the local journal.
        StorageError: storage does not answer.
    """

    def __init__(
        self, url: str, folder: Path, *, interval: float = 5.0, lease: Lease | None = None
    ) -> None:
        self._url = url
        self._folder = folder
        self._place = run_place(url, folder)
        self._interval = interval
        self._lease = lease
        self._copy = JournalCopy(self._place, folder, lease)
        self._ending = threading.Event()
        self._warned = False
        self._lost = False
        self._thread = threading.Thread(target=self._run, name="journal backup", daemon=True)

    def start(self) -> None:
        """Begin to copy."""
        self._thread.start()

    def stop(self, timeout: float = 60.0) -> bool:
        """Copy the rest, and the tables; tell whether all of the journal is in storage.

        Args:
            timeout: seconds to wait for it.
        """
        self._ending.set()
        self._thread.join(timeout)
        complete = not self._thread.is_alive() and self._copy.missing == 0
        if not complete and not self._lost:
            _log.warning(
                "the copy in %s is incomplete: it has %d bytes of %s; the same command, run again "
                "here, completes it",
                self._place.url,
                self._copy.copied,
                self._folder / "journal.jsonl",
            )
        return complete

    def _run(self) -> None:
        while not self._ending.wait(self._interval):
            self._tried(self._copy.advance)
        for wait in (*_LAST_WAITS, 0.0):
            if self._tried(self._finish) or self._lost:
                break
            time.sleep(wait)
        if self._lease and not self._lost:
            self._tried(self._lease.release)

    def _finish(self) -> None:
        self._copy.advance()
        copy_tables(self._url, self._folder)

    def _tried(self, action: Callable[[], None]) -> bool:
        """Do something unless the copy is another run's affair by now; tell whether it worked."""
        if self._lost:
            return False
        try:
            action()
        except Exception as error:  # noqa: BLE001 - no trouble here may end the thread or the run
            self._lost = isinstance(error, LeaseLostError | JournalChangedError)
            if self._lost or not self._warned:
                self._warned = True
                _log.warning("%s%s", error, "" if self._lost else "; it will be tried again")
            return False
        return True


def copy_tables(url: str, folder: Path) -> list[str]:
    """Copy the tables and reports of a run folder to `tables` beside its journal.

    Args:
        url: storage URL.
        folder: run folder.

    Returns:
        The names of the files.

    Raises:
        StorageError: storage does not answer.
    """
    place = run_place(url, folder).under("tables")
    names = [path.name for path in sorted(folder.glob("[!.]*")) if path.suffix in _TABLES]
    for name in names:
        place.write(name, (folder / name).read_bytes())
    return names


def _last_line(data: bytes) -> bytes:
    return data[data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1 :]
