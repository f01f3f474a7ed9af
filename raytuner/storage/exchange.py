"""Artifacts in storage: found there if any run ever made them, otherwise built and left there."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from raytuner.objective import Arrays
from raytuner.storage.arrays import DamagedError, pack, unpack
from raytuner.storage.place import StorageError, place_at

_log = logging.getLogger("raytuner.storage")
_REST = 60.0
"""Seconds without storage after it has failed, so that not every artifact waits for it."""
_Answer = TypeVar("_Answer")


class StorageExchange:
    """An `Exchange` whose artifacts outlive every process and cluster.

    Two processes may build one key at the same time; both leave the same bytes. For single
    flight, let another exchange call this one from its `build`. Trouble with storage is a
    warning, the first time, and the artifact is built here; it never fails a trial. Safe to use
    from several threads, and small to pickle.

    Args:
        url: storage URL; artifacts lie in `artifacts/<first two digits>/<key>` below it.
        attempts: requests before giving up, at least 1.
        wait: seconds before the second attempt, then doubled.

    Raises:
        ConfigError: the URL cannot be one.
    """

    def __init__(self, url: str, *, attempts: int = 3, wait: float = 0.5) -> None:
        self._place = place_at(url).under("artifacts")
        self._attempts = attempts
        self._wait = wait
        self._warned = False
        self._rests_until = 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_warned": False, "_rests_until": 0.0}  # each host has its clock

    def obtain(self, key: str, build: Callable[[], Arrays]) -> Arrays:
        """Give the artifact of a key, from storage if it is there.

        Args:
            key: 32 hexadecimal digits that cover everything the artifact depends on.
            build: makes the artifact; what it raises is raised here.

        Returns:
            Named arrays; read-only where they come from storage.

        Raises:
            ValueError: if the key is no key.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", key):
            raise ValueError(f"{key!r} is no artifact key: give 32 hexadecimal digits")
        name = f"{key[:2]}/{key}"
        data = self._asked(lambda: self._place.read(name))
        if data is not None:
            try:
                return unpack(data)
            except DamagedError as damage:
                _log.warning("%s/%s is made anew: %s", self._place.url, name, damage)
        arrays = build()
        self._leave(name, arrays)
        return arrays

    def _leave(self, name: str, arrays: Arrays) -> None:
        try:
            packed = pack(arrays)
        except ValueError as error:
            _log.warning("%s/%s is not kept: %s", self._place.url, name, error)
            return
        self._asked(lambda: self._place.write(name, packed))

    def _asked(self, request: Callable[[], _Answer]) -> _Answer | None:
        """Ask storage, a few times if need be; None if there was no answer."""
        if time.monotonic() < self._rests_until:
            return None
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(self._wait * 2 ** (attempt - 1))
            try:
                return request()
            except StorageError as error:
                problem = error
                if error.lasting:
                    break
        self._rests_until = time.monotonic() + _REST
        if not self._warned:
            self._warned = True
            _log.warning("%s; going on without it, artifacts are built here", problem)
        return None
