"""States of trainings on disk: written whole or not at all, and read only if they are whole.

A checkpoint is named by what it depends on, so it never has to be replaced, and one that is lost
can be made again. No pickle: NumPy arrays and JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger("raytuner.checkpoints")
_FACTS = "@facts"


class Checkpoint(NamedTuple):
    """A state: arrays by name, and plain JSON values by name."""

    arrays: Mapping[str, NDArray[np.generic]]
    facts: Mapping[str, Any] = {}


class Checkpoints:
    """A folder of checkpoints; safe for any number of processes on one host.

    Args:
        folder: made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, key: str, state: Checkpoint) -> bool:
        """Keep a state under a key; there is nothing to do if it is there.

        Args:
            key: 32 hexadecimal digits that cover everything the state depends on.
            state: what to keep; arrays of objects are refused.

        Returns:
            Whether it has been written; where the disk refuses, that is logged, as no training
            needs a state that it can make again.
        """
        path = self._path(key)
        if path.exists():
            return False
        facts = np.frombuffer(json.dumps(dict(state.facts), allow_nan=False).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **{_FACTS: facts, **state.arrays})
        try:
            self._write(path, buffer.getvalue())
        except OSError as error:
            _log.warning("checkpoint %s cannot be written: %s", path, error)
            return False
        return True

    @staticmethod
    def _write(path: Path, body: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_suffix(f".{os.getpid()}.{os.urandom(4).hex()}.tmp")
        try:
            with own.open("wb") as file:
                file.write(zlib.crc32(body).to_bytes(4, "little") + body)
                file.flush()
                os.fsync(file.fileno())
            own.replace(path)
        finally:
            own.unlink(missing_ok=True)

    def load(self, key: str) -> Checkpoint | None:
        """Read the state of a key; None if there is none, or it is damaged, which is logged."""
        path = self._path(key)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("checkpoint %s cannot be read: %s; training starts earlier", path, error)
            return None
        body = raw[4:]
        if not body or int.from_bytes(raw[:4], "little") != zlib.crc32(body):
            _log.warning("checkpoint %s is damaged; it is removed, training starts earlier", path)
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with np.load(io.BytesIO(body), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
        return Checkpoint(arrays, facts)

    def remove(self, key: str) -> None:
        """Forget a state that nobody will go on from."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.ckpt"
