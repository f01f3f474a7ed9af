"""Answers of language models by the exact request that got them, kept once per host.

One SQLite table for all models: a key covers endpoint, model, messages, parameters and sample
number. Failures are never kept.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.cache.flight import Flight
from pipelines.cache.location import check_root, locks_folder, responses_file
from pipelines.cache.table import StoredVector, VectorTable
from raytuner.component import digest

FINGERPRINT = "answers of language models/1"
"""What marks the table; a new number for a new format of its rows."""
_REMEMBERED = 100_000


class ResponseCache:
    """Stored answers: bytes by key.

    Args:
        root: the cache directory; None keeps answers in memory.
        flight: the locks to share with other users of the same root.

    Attributes:
        place: names it, the same in every process of a host; empty in memory.
    """

    def __init__(self, root: Path | None, flight: Flight | None = None) -> None:
        root = check_root(root)
        flight = flight or Flight(locks_folder(root) if root else None)
        path = responses_file(root) if root else None
        self._table = VectorTable(path, FINGERPRINT, flight)
        self.place = "" if path is None else digest("answers", socket.gethostname(), str(path))
        self._added: set[str] = set()

    def lookup(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Find the answers that are there.

        Args:
            keys: 32 hexadecimal digits each.
        """
        found = self._table.lookup([bytes.fromhex(key) for key in keys])
        return {key.hex(): row.raw for key, row in found.items()}

    def add(self, rows: Mapping[str, bytes]) -> None:
        """Keep answers; they are safe from a killed process when this returns.

        An answer that is there already stays: equal requests keep their first answer.
        """
        new = {key: raw for key, raw in rows.items() if key not in self._added}
        if not new:
            return
        self._table.add({bytes.fromhex(key): StoredVector(raw, 0) for key, raw in new.items()})
        if len(self._added) > _REMEMBERED:
            self._added.clear()
        self._added.update(new)
