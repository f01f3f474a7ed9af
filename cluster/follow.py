"""Follows the log of a job to its end, through lost connections."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from cluster.server import ConnectionLostError, JobFacts, JobServer
from raytuner.component import RaytunerError

_PATIENCE = 900.0
"""Seconds without an answer after which following is given up; the job is not."""
_PAUSE = 1.0
"""Seconds between two questions for the status."""

Write = Callable[[bytes], None]
Say = Callable[[str], None]


class GivenUpError(RaytunerError):
    """The job server has not answered for long; the job may well go on."""


def follow(
    server: JobServer, job: str, write: Write, say: Say, *, patience: float = _PATIENCE
) -> JobFacts:
    """Pass on what a job writes, from the beginning, until it has ended.

    Args:
        server: where the job is.
        job: its id.
        write: takes the bytes of the log, each once and in order.
        say: takes sentences about the connection.
        patience: seconds without an answer after which it is given up.

    Raises:
        GivenUpError: no answer for that long.
        ConfigError: the server does not know the job (any more).
    """
    reader: _Reader | None = None
    silent_since: float | None = None
    try:
        while True:
            try:
                facts = server.job(job)
            except ConnectionLostError as error:
                silent_since = silent_since or _lost(say, error)
                if time.monotonic() - silent_since > patience:
                    raise GivenUpError(
                        f"no answer from {server.address} for {patience:.0f} seconds ({error})"
                    ) from None
                time.sleep(_PAUSE)
                continue
            if silent_since is not None:
                say("connected again")
                silent_since = None
            if reader is None and facts.node:
                reader = _Reader(server, facts.node, job)
            if reader is not None:
                reader.pass_on(write, seconds=_PAUSE)
            else:
                time.sleep(_PAUSE / 2)
            if facts.over:
                if reader is not None:
                    reader.finish(write)
                return facts
    finally:
        if reader is not None:
            reader.close()


def _lost(say: Say, error: ConnectionLostError) -> float:
    say(f"connection lost ({error}); the job goes on, trying again")
    return time.monotonic()


class _Reader:
    """Reads a growing log in a thread; after a break it skips what it has seen."""

    def __init__(self, server: JobServer, node: str, job: str) -> None:
        self._server = server
        self._node = node
        self._name = f"job-driver-{job}.log"
        self._chunks: queue.Queue[bytes] = queue.Queue()
        self._seen = 0
        self._closed = threading.Event()
        self._order = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True, name="job-log")
        self._thread.start()

    def pass_on(self, write: Write, *, seconds: float) -> None:
        """Write what comes within so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                write(self._chunks.get(timeout=left))
            except queue.Empty:
                return

    def finish(self, write: Write) -> None:
        """Write what is left of the log of a job that has ended."""
        with self._order:  # a reader that still waits for the server takes nothing in any more
            self.close()
        while not self._chunks.empty():
            write(self._chunks.get())
        try:
            rest = self._server.read(self._node, self._name)[self._seen :]
        except (ConnectionLostError, FileNotFoundError):
            return
        if rest:
            write(rest)

    def close(self) -> None:
        self._closed.set()

    def _read(self) -> None:
        while not self._closed.is_set():
            at = 0
            try:
                for chunk in self._server.stream(self._node, self._name, follow=True):
                    with self._order:
                        if self._closed.is_set():
                            return
                        fresh = chunk[max(0, self._seen - at) :]
                        at += len(chunk)
                        self._seen = max(self._seen, at)
                        if fresh:
                            self._chunks.put(fresh)
            except (RaytunerError, FileNotFoundError):
                self._closed.wait(_PAUSE)
