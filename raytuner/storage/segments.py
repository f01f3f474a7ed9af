"""The stored copy of a journal: immutable segments, each named by its bytes and a checksum.

A name holds the offsets of the segment in the journal and a checksum of *all* bytes up to its
end. So a local journal is compared with the stored one by names alone, and only what is missing
here is fetched. Segments may overlap (a request that came through although its writer had
already given up on it) as long as they say the same.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from raytuner.component import ConfigError
from raytuner.storage.place import Place, StorageError

_NAME = re.compile(r"(\d{16})-(\d{16})-([0-9a-f]{32})\.jsonl")
_BATCH = 64
"""Segments fetched at a time."""


class Segment(NamedTuple):
    """A run of whole lines of a journal.

    Attributes:
        start: offset in bytes of its first byte.
        end: offset after its last one.
        digest: checksum of all bytes of the journal before `end`.
    """

    start: int
    end: int
    digest: str

    @property
    def name(self) -> str:
        """The name of its object."""
        return f"{self.start:016d}-{self.end:016d}-{self.digest}.jsonl"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read a name; None if it is that of something else."""
        match = _NAME.fullmatch(name)
        return cls(int(match[1]), int(match[2]), match[3]) if match else None


class Digest:
    """The checksum of a journal while it grows.

    Attributes:
        offset: bytes seen so far.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._hash = hashlib.blake2b(digest_size=16)

    def copy(self) -> Digest:
        """Give another one that stands where this one does."""
        twin = Digest()
        twin.offset, twin._hash = self.offset, self._hash.copy()
        return twin

    def add(self, data: bytes | memoryview) -> str:
        """Take further bytes; give the checksum of all so far."""
        self._hash.update(data)
        self.offset += len(data)
        return self._hash.hexdigest()


def stored_segments(place: Place) -> list[Segment]:
    """List the segments in a folder: by start, the longest first."""
    found = (Segment.parse(name) for name in place.names())
    return sorted((s for s in found if s), key=lambda segment: (segment.start, -segment.end))


def reunite(place: Place, segments: Sequence[Segment], local: bytes) -> bytes:
    """Extend a local journal by what only the stored one has.

    Args:
        place: folder of the segments.
        segments: what `stored_segments` gave.
        local: whole lines of the local journal; may be empty.

    Returns:
        `local`, or `local` and what follows it in storage.

    Raises:
        ConfigError: the two have gone different ways, or the stored one has a hole or damage.
        StorageError: storage cannot be read.
    """
    whole = bytearray(local)
    fetched: dict[Segment, bytes | None] = {}
    for position, segment in enumerate(segments):
        if segment.start > len(whole):
            raise _broken(place, f"bytes {len(whole)} to {segment.start} are missing")
        if segment.end <= len(whole):
            continue
        if segment not in fetched:
            batch = [s for s in segments[position : position + _BATCH] if s.end > len(whole)]
            fetched = dict(zip(batch, place.read_all([s.name for s in batch]), strict=True))
        data = fetched[segment]
        if data is None or len(data) != segment.end - segment.start:
            raise _broken(place, f"{segment.name} is incomplete")
        known = len(whole) - segment.start
        if data[:known] != whole[segment.start :]:
            if segment.start < len(local):
                raise _diverged(place, segments, local)
            raise _broken(place, f"{segment.name} contradicts the one before it")
        whole += data[known:]
    _compare(place, segments, whole, local)
    return bytes(whole)


def _compare(place: Place, segments: Sequence[Segment], whole: bytearray, local: bytes) -> None:
    """Hold every checksum against the bytes, in one pass."""
    digest, view = Digest(), memoryview(whole)
    for segment in sorted(segments, key=lambda segment: segment.end):
        if digest.add(view[digest.offset : segment.end]) != segment.digest:
            if segment.end <= len(local):
                raise _diverged(place, segments, local)
            raise _broken(place, f"the checksum of {segment.name} does not fit")


def _broken(place: Place, reason: str) -> ConfigError:
    return ConfigError(
        f"storage: the journal in {place.url} is damaged: {reason}; bring the object back (older "
        "versions, another copy), or give the study another `name` to start anew",
        ("storage",),
    )


def _diverged(place: Place, segments: Sequence[Segment], local: bytes) -> ConfigError:
    last = max(segments, key=lambda segment: segment.end)
    moment = place.modified(last.name)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment)) if moment else "unknown"
    return ConfigError(
        f"storage: the journal in {place.url} ({last.end} bytes, last written {when}) and the "
        f"local one ({len(local)} bytes, {local.count(10)} events) have gone different ways; move "
        "the local run folder away to go on with the stored one, or give this study another "
        "`name` to keep both",
        ("storage",),
    )


def whole_lines(path: Path) -> bytes:
    """Read a journal up to its last whole line; nothing if there is no file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def merge(place: Place, segments: Sequence[Segment], whole: bytes) -> None:
    """Put many segments into one, then remove them; safe to interrupt anywhere.

    Args:
        place: folder of the segments.
        segments: all of them, none beyond the end of `whole`.
        whole: the journal they make up.
    """
    end = max(segment.end for segment in segments)
    one = Segment(0, end, Digest().add(whole[:end]))
    place.write(one.name, whole[:end])
    if place.read(one.name) != whole[:end]:
        raise StorageError(f"{place.url}: {one.name} was not read back as written")
    for segment in segments:
        if segment != one:
            place.remove(segment.name)
