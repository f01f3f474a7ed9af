"""The driver's gate for a worker process: a pipe beside the one for jobs.

Each end has one thread that listens and one that speaks, so that no event loop ever waits for a
pipe that is full or a process that is stopped. What comes up while something is being sent goes
with the next message, all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from raytuner.backends.gate_channel import GateServer, RemoteGate, ServedGate
from raytuner.ports.gate import background

_GONE = (EOFError, OSError)


class Line:
    """One end of a pipe: messages out from any thread, lists of messages in on the loop.

    Args:
        pipe: both ends can send; this object closes it.
        loop: where messages are taken in.
        receive: takes what has come in.
        lost: called once when the other end is gone, or this one was closed.
    """

    def __init__(
        self,
        pipe: Connection[Any, Any],
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[list[Any]], None],
        lost: Callable[[], None],
    ) -> None:
        self._pipe = pipe
        self._loop = loop
        self._receive = receive
        self._lost = lost
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closing = threading.Lock()
        for work in (self._listen, self._speak):
            threading.Thread(target=work, name="raytuner-gate", daemon=True).start()

    def send(self, message: Any) -> None:
        """Have a message sent soon; lost without a word if the other end is gone."""
        self._messages.put(message)

    def close(self) -> None:
        """Hang up."""
        with self._closing, contextlib.suppress(OSError):
            end = socket.socket(fileno=os.dup(self._pipe.fileno()))
            with end:
                end.shutdown(socket.SHUT_RDWR)  # even if a child of the other process has it too

    def _listen(self) -> None:
        try:
            while True:
                self._loop.call_soon_threadsafe(self._receive, self._pipe.recv())
        except _GONE:
            self._messages.put(None)
            self._loop.call_soon_threadsafe(self._lost)

    def _speak(self) -> None:
        """Send what there is, until the other thread has found the other end gone."""
        over = False
        while not over:
            batch = [self._messages.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._messages.get_nowait())
            over = None in batch
            with contextlib.suppress(*_GONE):
                self._pipe.send([message for message in batch if message is not None])
        with self._closing:
            self._pipe.close()


def serve_gate(gate: ServedGate, pipe: Connection[Any, Any]) -> Line:
    """Let the worker at the other end of a pipe use the driver's gate, until it is gone.

    Returns:
        To be closed when the worker is ended.
    """
    loop = background()
    server = GateServer(gate, lambda answer: line.send(answer))  # noqa: PLW0108 - made below
    line = Line(pipe, loop, server.take, server.lose)
    return line


def join_gate(pipe: Connection[Any, Any]) -> RemoteGate:
    """Give a worker process its gate, at the other end of the pipe."""
    gate = RemoteGate(lambda request: line.send(request))  # noqa: PLW0108 - made below
    line = Line(pipe, background(), gate.receive, lambda: gate.lose("the driver is gone"))
    return gate
