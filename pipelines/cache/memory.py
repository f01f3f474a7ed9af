"""Values that live in this process: read-only, bounded by bytes, least recently used out first."""

from __future__ import annotations

import re
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.cache.packing import pack_texts, unpack_texts

_ARRAY_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_MAPPING_BYTES = 16 * 1024
"""What a memory-mapped file is charged: nearly nothing, but the kernel allows some 65 000 maps."""
_STRING_BYTES = 56
"""Overhead of one str object."""


class Arrays(Mapping[str, NDArray[Any]]):
    """Named read-only arrays of one stage; may be memory-mapped from disk.

    Attributes:
        stage: the stage that made them.
        size: bytes they occupy in this process.
    """

    __slots__ = ("__weakref__", "_arrays", "size", "stage")

    def __init__(self, stage: str, arrays: Mapping[str, NDArray[Any]], size: int) -> None:
        self.stage = stage
        self._arrays = dict(arrays)
        self.size = size

    @classmethod
    def built(cls, stage: str, arrays: Mapping[str, Any]) -> Arrays:
        """Take over fresh arrays: they become read-only where they are.

        A view is copied: whoever owns the rest of it could change it later.

        Raises:
            ValueError: for names or types that cannot be stored in a file.
        """
        taken = _checked(stage, arrays)
        for name, array in taken.items():
            if not array.flags.owndata:
                taken[name] = array.copy(order="K")
            taken[name].flags.writeable = False
        return cls(stage, taken, sum(array.nbytes for array in taken.values()))

    @classmethod
    def given(cls, stage: str, arrays: Mapping[str, Any]) -> Arrays:
        """Hold arrays that belong to somebody else, such as an object store, uncopied.

        Raises:
            ValueError: for names or types that cannot be stored in a file.
        """
        taken = {name: array.view() for name, array in _checked(stage, arrays).items()}
        for view in taken.values():
            view.flags.writeable = False
        return cls(stage, taken, sum(view.nbytes for view in taken.values()))

    def plain(self) -> dict[str, NDArray[Any]]:
        """Give what `given` takes."""
        return dict(self._arrays)

    @classmethod
    def mapped(cls, stage: str, arrays: Mapping[str, NDArray[Any]]) -> Arrays:
        """Hold arrays whose bytes are pages of a file."""
        return cls(stage, arrays, _MAPPING_BYTES * len(arrays))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{k}: {v.dtype}{list(v.shape)}" for k, v in self._arrays.items())
        return f"Arrays({self.stage!r}, {shapes})"


def _checked(stage: str, arrays: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    taken = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in taken.items():
        if not _ARRAY_NAME.fullmatch(name):
            raise ValueError(f"stage {stage!r}: {name!r} is no array name; use letters and _")
        if array.dtype.hasobject:
            raise ValueError(f"stage {stage!r}: array {name!r} holds Python objects")
    return taken


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of one stage."""

    stage: str
    items: tuple[str, ...]

    @classmethod
    def given(cls, stage: str, arrays: Mapping[str, NDArray[Any]]) -> Texts:
        """Read texts that somebody else has packed into arrays."""
        return cls(stage, unpack_texts(arrays))

    def plain(self) -> dict[str, NDArray[Any]]:
        """Give what `given` takes."""
        return pack_texts(self.items)

    @property
    def size(self) -> int:
        """Bytes they occupy in this process, roughly."""
        return sum(len(text) + _STRING_BYTES for text in self.items)


Artifact = Arrays | Texts


class Memory:
    """Artifacts by key; the least recently used leave when `limit` bytes are exceeded.

    One that somebody still uses is found again even after it left, so that equal keys give the
    same object.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Artifact, int]] = OrderedDict()
        self._alive: weakref.WeakValueDictionary[str, Artifact] = weakref.WeakValueDictionary()
        self._bytes = 0

    def get(self, key: str) -> Artifact | None:
        """Find a value, and make it the most recently used."""
        with self._lock:
            value = self._alive.get(key)
            if value is not None:
                self._keep(key, value)
            return value

    def put(self, key: str, value: Artifact) -> Artifact:
        """Keep a value; one larger than the limit lives only as long as somebody uses it.

        Returns:
            The value to use: the one that was there already, if any.
        """
        with self._lock:
            value = self._alive.setdefault(key, value)
            self._keep(key, value)
            return value

    def drop(self, key: str) -> None:
        """Forget a value."""
        with self._lock:
            self._alive.pop(key, None)
            self._bytes -= self._kept.pop(key, (None, 0))[1]

    def _keep(self, key: str, value: Artifact) -> None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return
        size = value.size
        if size > self._limit:
            return
        self._kept[key] = (value, size)
        self._bytes += size
        while self._bytes > self._limit:
            self._bytes -= self._kept.popitem(last=False)[1][1]
