"""Finds out before any work whether storage can be written, and says in a sentence why not."""

from __future__ import annotations

import queue
import secrets
import threading

from raytuner.component import ConfigError
from raytuner.storage.place import Place, StorageError, load_package, place_at

_SECONDS = 10.0


def check_storage(url: str, *, seconds: float = _SECONDS) -> None:
    """Write a small object, read it back and remove it.

    Args:
        url: `s3://bucket/folder`, `gs://bucket/folder` or `file:///folder`.
        seconds: how long that may take.

    Raises:
        ConfigError: unknown scheme, credentials in the URL, no such bucket, credentials missing
            or refused, or no answer in time.
        MissingExtraError: the package for this scheme is not installed.
    """
    place = place_at(url)
    load_package(place)
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    # A daemon, because a request that hangs must not keep the program from ending.
    threading.Thread(target=lambda: answers.put(_probe(place)), daemon=True).start()
    try:
        problem = answers.get(timeout=seconds)
    except queue.Empty:
        problem = f"{place.url}: no answer within {seconds:g} seconds"
    if problem:
        raise ConfigError(f"storage: {problem}", ("storage",))


def _probe(place: Place) -> str:
    """Try what a run will do; give the complaint, or nothing."""
    name, data = f"check-{secrets.token_hex(8)}", secrets.token_bytes(16)
    try:
        place.write(name, data)
        kept = place.read(name)
        place.remove(name)
        place.names()
        gone = place.read(name) is None  # without the right to list, a missing object is a refusal
    except StorageError as error:
        return f"{place.url} cannot be used: {error.reason}"
    if kept != data or not gone:
        return f"{place.url}: a test object was not read back as written, or not removed"
    return ""
