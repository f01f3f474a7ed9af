"""Single flight: at most one holder of a name at a time among the threads and processes of a host.

Between processes the lock is one of the operating system (flock), which a killed holder loses.
Lock files stay behind: removing one that others may have open is `forget`'s careful job.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_log = logging.getLogger("raytuner.cache")
_POLL_SECONDS = 0.02


@dataclass(eq=False)
class _Seat:
    """The lock of one name inside this process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    owner: int | None = None


class Flight:
    """Hands out names, one holder at a time.

    Args:
        folder: where lock files go; None keeps threads apart but not processes.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._warned = False
        self._renew()

    @contextlib.contextmanager
    def hold(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold `name` inside the block.

        Args:
            name: what to hold; becomes a file name.
            wait: whether to wait for another holder; if not, the block must look at the value.

        Yields:
            Whether the name is held; always true when waiting.

        Raises:
            RuntimeError: if this thread holds the name already and would wait for itself.
        """
        with self._thread_turn(name, wait) as first:
            if not first:
                yield False
                return
            with self._process_turn(name, wait) as held:
                yield held

    def forget(self, name: str) -> None:
        """Remove the lock file of a name the caller holds. Who waits on it opens a new one."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._file(self._folder, name).unlink()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._seats: dict[str, _Seat] = {}

    @contextlib.contextmanager
    def _thread_turn(self, name: str, wait: bool) -> Iterator[bool]:
        if self._pid != os.getpid():
            self._renew()  # forked: whoever held these locks does not exist here
        with self._guard:
            seat = self._seats.setdefault(name, _Seat())
            seat.users += 1
        try:
            if wait and seat.owner == threading.get_ident():
                raise RuntimeError(f"{name} is needed to make {name}: its stages form a circle")
            if not seat.lock.acquire(blocking=wait):
                yield False
                return
            seat.owner = threading.get_ident()
            try:
                yield True
            finally:
                seat.owner = None
                seat.lock.release()
        finally:
            with self._guard:
                seat.users -= 1
                if not seat.users:
                    self._seats.pop(name, None)

    @contextlib.contextmanager
    def _process_turn(self, name: str, wait: bool) -> Iterator[bool]:
        if self._folder is None:
            yield True
            return
        from filelock import FileLock, Timeout

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._file(self._folder, name))
            lock.acquire(timeout=-1 if wait else 0, poll_interval=_POLL_SECONDS)
        except Timeout:
            yield False
            return
        except OSError as error:
            self._warn(error)
            lock = None
        try:
            yield True
        finally:
            if lock is not None:
                lock.release()

    @staticmethod
    def _file(folder: Path, name: str) -> Path:
        return folder / f"{name}.lock"

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "no locks can be taken in %s (%s): other processes may do the same work again",
                self._folder,
                error,
            )
