"""Frames a run: brings the journal back, holds the lease, keeps the copy going until the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from raytuner.component import ConfigError
from raytuner.journal import Journal
from raytuner.storage.backup import JournalBackup, run_place
from raytuner.storage.lease import Lease, folder_identity
from raytuner.storage.place import Place, StorageError, load_package
from raytuner.storage.segments import reunite, stored_segments, whole_lines


@contextlib.contextmanager
def backed_up(url: str | None, folder: Path | None) -> Iterator[None]:
    """Keep a run's journal in storage for as long as the body runs.

    Enter it before the journal is opened, and leave it after it is closed and the tables are
    written. First the local journal is extended by what storage has and it has not. At the end,
    whatever ends it, the rest is copied; a second Ctrl-C stops waiting for that.

    Args:
        url: storage URL; None: nothing happens.
        folder: run folder, made if need be; None: nothing happens.

    Raises:
        ConfigError: storage does not answer, another run holds this study, or the stored and the
            local journal have gone different ways.
        JournalError: the local journal is damaged or in use.
        MissingExtraError: the package for this scheme is not installed.
    """
    if url is None or folder is None:
        yield
        return
    backup = _begin(url, folder)
    backup.start()
    try:
        yield
    finally:
        backup.stop()


def restore(url: str, folder: Path) -> int:
    """Extend the journal of a run folder by what storage has and it has not.

    Args:
        url: storage URL.
        folder: run folder, made if need be; nobody may be writing it.

    Returns:
        Bytes that were brought back.

    Raises:
        ConfigError: storage does not answer, or the stored and the local journal have gone
            different ways; the local one is as it was.
        JournalError: the local journal is damaged or in use.
        MissingExtraError: the package for this scheme is not installed.
    """
    place = run_place(url, folder)
    load_package(place)
    with _answering(), contextlib.closing(Journal(folder)):
        return _extend(place, folder)


def _begin(url: str, folder: Path) -> JournalBackup:
    place = run_place(url, folder)
    load_package(place)
    with _answering():
        stored_segments(place.under("journal"))  # a dead end is noticed before a folder is made
        with contextlib.closing(Journal(folder)):
            lease = Lease(place.under("owner"), folder_identity(folder))
            lease.acquire()
            try:
                _extend(place, folder)
                return JournalBackup(url, folder, lease=lease)
            except BaseException:
                with contextlib.suppress(StorageError):
                    lease.release()
                raise


def _extend(place: Place, folder: Path) -> int:
    """Append what is stored beyond the local journal, whose lock the caller holds."""
    segments = stored_segments(place.under("journal"))
    path = folder / "journal.jsonl"
    local = whole_lines(path)
    added = reunite(place.under("journal"), segments, local)[len(local) :]
    if added:
        try:
            with path.open("ab") as file:
                file.write(added)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    return len(added)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Before a run, storage that does not answer is bad input."""
    try:
        yield
    except StorageError as error:
        raise ConfigError(f"storage: {error}", ("storage",)) from error
