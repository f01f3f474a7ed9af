"""Vectors per text and model: overlapping chunks, reruns and grown corpora embed only what is new.

Knows embedders and texts; how rows are stored is the table's affair.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipelines.cache.flight import Flight
from pipelines.cache.location import check_root, locks_folder, vectors_folder
from pipelines.cache.table import StoredVector, VectorTable
from pipelines.roles import Embedded, Embedder
from pipelines.types import Vectors
from raytuner.component import ConfigError, digest
from raytuner.objective import Meter, ObjectiveFailure


class Claims:
    """Which texts the threads of this process are embedding right now."""

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._claimed: dict[bytes, threading.Event] = {}

    @contextmanager
    def take(self, keys: Collection[bytes]) -> Iterator[tuple[list[bytes], list[threading.Event]]]:
        """Claim what nobody has claimed, until the block ends.

        Yields:
            The keys that are now the caller's, and what to wait for to see the others settled.
        """
        if self._pid != os.getpid():
            self._renew()  # forked: the threads that claimed do not exist here
        mine: list[bytes] = []
        others: list[threading.Event] = []
        settled = threading.Event()
        with self._guard:
            for key in keys:
                claimed = self._claimed.setdefault(key, settled)
                if claimed is settled:
                    mine.append(key)
                elif claimed not in others[-1:]:
                    others.append(claimed)
        try:
            yield mine, others
        finally:
            with self._guard:
                for key in mine:
                    self._claimed.pop(key, None)
            settled.set()


@dataclass(frozen=True)
class _Model:
    """What this process knows of one model."""

    name: str
    table: VectorTable
    claims: Claims = field(default_factory=Claims)


@dataclass
class _Job:
    """The texts of one call: which are wanted, found, and embedded by this very call."""

    model: _Model
    embedder: Embedder
    query: bool
    meter: Meter
    wanted: Mapping[bytes, str]
    found: dict[bytes, StoredVector] = field(default_factory=dict)
    embedded: int = 0

    @property
    def missing(self) -> list[bytes]:
        """Keys that have no vector yet."""
        return [key for key in self.wanted if key not in self.found]

    def look_up(self, keys: Collection[bytes]) -> None:
        """Take what is in the table by now."""
        self.found |= self.model.table.lookup(keys)

    def embed(self, keys: Sequence[bytes], slice_texts: int) -> None:
        """Embed texts slice by slice, similar lengths together, each slice written at once."""
        keys = sorted(keys, key=lambda key: len(self.wanted[key]))
        for start in range(0, len(keys), slice_texts):
            part = keys[start : start + slice_texts]
            self.look_up(part)  # another process may have been faster
            part = [key for key in part if key not in self.found]
            if not part:
                continue
            rows = self._embed_slice(part)
            self.model.table.add(rows)
            self.found |= rows
            self.embedded += len(rows)

    def _embed_slice(self, keys: Sequence[bytes]) -> dict[bytes, StoredVector]:
        texts = [self.wanted[key] for key in keys]
        embedded = self.embedder.embed(texts, query=self.query, meter=self.meter)
        vectors = np.ascontiguousarray(embedded.vectors, dtype="<f4")
        if vectors.ndim != 2 or len(vectors) != len(texts) or len(embedded.cut) != len(texts):
            shape = "x".join(str(size) for size in vectors.shape)
            raise ObjectiveFailure(
                "provider",
                f"{self.model.table.fingerprint}: {len(texts)} texts gave {shape} numbers",
            )
        if not np.isfinite(vectors).all():
            bad = texts[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
            raise ObjectiveFailure(
                "provider", f"{self.model.table.fingerprint}: no finite vector for {bad[:60]!r}"
            )
        rows = zip(keys, vectors, embedded.cut, strict=True)
        return {key: StoredVector(vector.tobytes(), int(cut)) for key, vector, cut in rows}


class VectorCache:
    """Vectors of texts, embedded once per model on a host.

    Args:
        root: the cache directory; None keeps vectors in memory.
        flight: the locks to share with other users of the same root.
        slice_texts: how many texts go to the embedder at once; a slice is written before the
            next one starts, so it is what a killed process loses.
    """

    def __init__(
        self, root: Path | None, flight: Flight | None = None, slice_texts: int = 256
    ) -> None:
        self.root = check_root(root)
        self._flight = flight or Flight(locks_folder(self.root) if self.root else None)
        self._slice_texts = slice_texts
        self._models: dict[str, _Model] = {}

    def embed_texts(
        self, embedder: Embedder, texts: Sequence[str], query: bool, meter: Meter
    ) -> Embedded:
        """Give one vector per text, in order; only texts new to the model are embedded.

        Args:
            embedder: the model; its fingerprint names everything its vectors depend on.
            texts: any texts, repetitions allowed.
            query: whether they are queries rather than documents.
            meter: counts `texts reused`: distinct texts that were there, or were just being
                embedded by somebody else.

        Returns:
            float32 [texts, dimensions] and the tokens cut per text; [0, 0] without texts.

        Raises:
            ObjectiveFailure: from the embedder, or if it gives too few or non-finite vectors.
            ConfigError: from the embedder, or if the lengths of its vectors changed.
        """
        if (source := embedder.source()) is not None:
            return embedder.derive(self.embed_texts(source, texts, query, meter), query=query)
        if not embedder.reusable():
            return embedder.embed(texts, query=query, meter=meter)
        model = self._model(embedder)
        keys = [text_key(text, query=query) for text in texts]
        job = _Job(model, embedder, query, meter, dict(zip(keys, texts, strict=True)))
        job.look_up(job.wanted)
        if job.missing:
            if embedder.exclusive:
                self._embed_alone(job)
            else:
                self._embed_beside_others(job)
        if reused := len(job.wanted) - job.embedded:
            meter.count("texts reused", reused)
        return _stack(model.table.fingerprint, [job.found[key] for key in keys])

    def lookup_missing(self, embedder: Embedder, texts: Sequence[str], query: bool) -> int:
        """Count the distinct texts that would have to be embedded. Changes nothing."""
        if (source := embedder.source()) is not None:
            return self.lookup_missing(source, texts, query)
        keys = {text_key(text, query=query) for text in texts}
        if not embedder.reusable():
            return len(keys)
        return len(keys) - len(self._model(embedder).table.lookup(keys))

    def _model(self, embedder: Embedder) -> _Model:
        fingerprint = embedder.fingerprint()
        known = self._models.get(fingerprint)
        if known is None:
            name = digest(fingerprint)
            path = vectors_folder(self.root) / f"{name}.sqlite" if self.root else None
            made = _Model(name, VectorTable(path, fingerprint, self._flight))
            known = self._models.setdefault(fingerprint, made)
        return known

    def _embed_alone(self, job: _Job) -> None:
        """Embed while no other thread or process does with this model."""
        with self._flight.hold(job.model.name):
            job.look_up(job.missing)
            job.embed(job.missing, self._slice_texts)

    def _embed_beside_others(self, job: _Job) -> None:
        """Embed what no other thread is embedding, then take what the others got."""
        while job.missing:
            with job.model.claims.take(job.missing) as (mine, others):
                job.embed(mine, self._slice_texts)
            for settled in others:
                settled.wait()
            job.look_up(job.missing)


def text_key(text: str, *, query: bool) -> bytes:
    """Give the SHA-256 of a text and its role; lone surrogates are texts like any other."""
    role = b"query\0" if query else b"document\0"
    return hashlib.sha256(role + text.encode("utf-8", "surrogatepass")).digest()


def _stack(fingerprint: str, rows: Sequence[StoredVector]) -> Embedded:
    lengths = {len(row.raw) // 4 for row in rows}
    if len(lengths) > 1:
        raise ConfigError(
            f"embedder {fingerprint!r} gave vectors of {sorted(lengths)} numbers; whatever changes "
            "their length must be in its fingerprint"
        )
    flat = np.frombuffer(b"".join(row.raw for row in rows), dtype="<f4")
    vectors: Vectors = flat.reshape(len(rows), -1 if rows else 0).astype(np.float32, copy=False)
    return Embedded(vectors, np.array([row.cut for row in rows], dtype=np.int64))
