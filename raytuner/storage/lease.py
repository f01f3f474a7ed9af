"""Who may write a study's stored journal: one run at a time, in numbered terms of office.

A term is an object that only one run can create. Its owner rewrites it every few seconds as a
sign of life; a run that has given none for a minute may be succeeded by the next term. Ages are
measured by the clock of the storage alone, so clocks of machines need not agree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError
from raytuner.storage.place import Place, StorageError

STALE = 60.0
"""Seconds without a sign of life after which another run may take over."""
_BEAT = 15.0


class LeaseLostError(StorageError):
    """Another run has taken over; whoever sees this must not write any more."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            f"{place.url}: another run has taken this study over; this one goes on without copy"
        )


class Lease:
    """One run's right to write; from `acquire` until `release`. Not thread-safe.

    Args:
        place: folder of the terms.
        identity: of this run's folder and machine, see `folder_identity`. The caller holds the
            local lock of that folder, so whoever had the same identity is dead.
    """

    def __init__(self, place: Place, identity: str) -> None:
        self._place = place
        self._term = 0
        self._note = {
            "identity": identity,
            "holder": f"process {os.getpid()} on {socket.gethostname()}",
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "token": secrets.token_hex(8),
        }
        self._beaten = 0.0

    def acquire(self) -> None:
        """Begin a term.

        Raises:
            ConfigError: another run holds it, or has been quicker.
            StorageError: storage does not answer.
        """
        last = self._latest()
        if last:
            self._refuse_living(last)
        self._term = last + 1
        if not self._place.create(_name(self._term), self._spelled()):
            raise self._taken("another run that has just started")
        self._beaten = time.time()
        with contextlib.suppress(StorageError):  # old terms do no harm
            for old in _terms(self._place):
                if old < self._term:
                    self._place.remove(_name(old))

    def keep(self) -> None:
        """Make sure that the term lasts, and give a sign of life if one is due.

        Raises:
            LeaseLostError: it does not.
            StorageError: storage does not answer.
        """
        if self._latest() != self._term:
            raise LeaseLostError(self._place)
        now = time.time()
        if 0 <= now - self._beaten < _BEAT:
            return
        if self._read(self._term).get("token") != self._note["token"]:
            raise LeaseLostError(self._place)
        self._place.write(_name(self._term), self._spelled())
        self._beaten = now

    def release(self) -> None:
        """End the term, so that the next run need not wait."""
        if self._latest() == self._term:
            self._place.write(_name(self._term), self._spelled(released=True))

    def _refuse_living(self, last: int) -> None:
        note = self._read(last)
        if note.get("released") is True or note.get("identity") == self._note["identity"]:
            return
        age = self._age(last)
        if age < STALE:
            holder = f"{note.get('holder', 'another run')} since {note.get('since', 'just now')}"
            raise self._taken(
                f"{holder} (last sign of life {age:.0f} s ago)",
                f", or try again in {STALE - age:.0f} s if it is dead",
            )

    def _taken(self, holder: str, hint: str = "") -> ConfigError:
        return ConfigError(
            f"storage: {self._place.url} is in use by {holder}; wait for it, stop it{hint}, or "
            "give this study another `name`",
            ("storage",),
        )

    def _age(self, term: int) -> float:
        """Give the seconds since a term's last sign of life, by the storage's own clock."""
        probe = f"probe-{self._note['token']}"
        self._place.write(probe, b"")
        now, then = self._place.modified(probe), self._place.modified(_name(term))
        self._place.remove(probe)
        return max(0.0, now - then) if now is not None and then is not None else 0.0

    def _latest(self) -> int:
        return max(_terms(self._place), default=0)

    def _read(self, term: int) -> Mapping[str, Any]:
        try:
            note = json.loads(self._place.read(_name(term)) or b"{}")
        except ValueError:  # caught while it was being created
            return {}
        return note if isinstance(note, Mapping) else {}

    def _spelled(self, **more: Any) -> bytes:
        return json.dumps({**self._note, **more}, indent=1).encode()


def folder_identity(folder: Path) -> str:
    """Tell one machine's run folder from every other; the folder has its lock file already."""
    file = (folder / "journal.lock").stat()
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        machine = str(uuid.getnode())
    parts = (machine, socket.gethostname(), str(folder.resolve()), file.st_dev, file.st_ino)
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _name(term: int) -> str:
    return f"{term:08d}.json"


def _terms(place: Place) -> list[int]:
    return [int(name[:8]) for name in place.names() if re.fullmatch(r"\d{8}\.json", name)]
