"""The driver's gate for Ray workers: one actor between them carries the messages of all.

It is started for runs that make paid calls only. Where it is lost, Ray starts it anew; what was
under way counts as spent, and what waited fails in a way that is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import pickle
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from raytuner.backends.gate_channel import Answer, GateServer, RemoteGate, Request, ServedGate
from raytuner.backends.ray_mailbox import Mailbox, Turn
from raytuner.backends.ray_registry import process_of
from raytuner.component import RaytunerError
from raytuner.ports.gate import background, run_in_background
from raytuner.sweep import Sweep

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between tries to reach a mailbox that is starting anew."""
_TICKS = 4
"""Turns of the event loop in which a gate decides what a message brings about."""
_LOST = "the actor that carries paid calls to the driver was lost"


@dataclass(frozen=True)
class GateHandle:
    """What a worker needs to reach the driver's gate; small, and picklable inside Ray.

    Attributes:
        name: of this run's gate.
        mailbox: the actor that carries messages.
    """

    name: str
    mailbox: Any


@contextlib.contextmanager
def shared_gate(sweep: Sweep) -> Iterator[GateHandle | None]:
    """Let the workers of a run use the sweep's gate; None if none of them has to.

    Raises:
        RaytunerError: at the end, if they could not reach it any more.
    """
    if not sweep.paid:
        yield None
        return
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    mailbox = (
        ray.remote(Mailbox)
        .options(
            num_cpus=0,
            max_concurrency=10_000,
            max_restarts=-1,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=True),
        )
        .remote()
    )
    pump = _Pump(sweep, mailbox)
    running = asyncio.run_coroutine_threadsafe(pump.run(), background())
    try:
        yield GateHandle(uuid.uuid4().hex, mailbox)
    finally:
        running.cancel()
        run_in_background(pump.end())
        with contextlib.suppress(RayError, ValueError):
            ray.kill(mailbox, no_restart=True)
    if pump.error is not None:
        raise pump.error


class _Pump:
    """The driver's end: brings messages to the gate, and its answers back. Lives on the loop."""

    def __init__(self, sweep: Sweep, mailbox: Any) -> None:
        self.error: RaytunerError | None = None
        self._sweep = sweep
        self._gate: ServedGate = sweep.gate
        self._mailbox = mailbox
        self._servers: dict[str, GateServer] = {}
        self._answers: dict[str, list[Answer]] = {}
        self._waits = False
        self._putting: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve until cancelled, or until the mailbox cannot be reached any more."""
        session = uuid.uuid4().hex
        while await _persistent(lambda: self._mailbox.begin.remote(session)):
            with contextlib.suppress(RayError):
                while (turn := await self._exchange(session)) is not None:
                    self._take(turn)
                    for _ in range(_TICKS):
                        await asyncio.sleep(0)
            self._lose()
        self.error = RaytunerError(f"{_LOST}, and could not be started again")
        self._sweep.cancel(str(self.error))

    async def end(self) -> None:
        """Take in that no worker is left."""
        self._lose()

    def _lose(self) -> None:
        servers, self._servers, self._answers = self._servers, {}, {}
        for server in servers.values():
            server.lose()

    async def _exchange(self, session: str) -> Turn | None:
        """Send what there is, and wait for more; what comes up meanwhile is put separately."""
        call = self._mailbox.exchange.remote(session, self._packed())
        self._waits = True
        try:
            turn: Turn | None = await call
        finally:
            self._waits = False
        return turn

    def _take(self, turn: Turn) -> None:
        for worker, message in turn.messages:
            if worker not in self._servers:
                self._servers[worker] = self._server(worker)
            requests: list[Request] = pickle.loads(message)  # noqa: S301 - from our own worker
            self._servers[worker].take(requests)
        for worker in turn.lost:
            server = self._servers.pop(worker, None)
            if server is not None:
                server.lose()

    def _server(self, worker: str) -> GateServer:
        def reply(answer: Answer) -> None:
            self._answers.setdefault(worker, []).append(answer)
            if self._waits and self._putting is None:
                self._putting = asyncio.create_task(self._put())

        return GateServer(self._gate, reply)

    async def _put(self) -> None:
        """Send what has come up while `exchange` waits."""
        try:
            while self._answers and self._waits:
                with contextlib.suppress(RayError):  # `exchange` fails too
                    await self._mailbox.put.remote(self._packed())
        finally:
            self._putting = None

    def _packed(self) -> dict[str, bytes]:
        answers, self._answers = self._answers, {}
        return {worker: pickle.dumps(listed) for worker, listed in answers.items()}


async def _persistent(call: Callable[[], Awaitable[None]]) -> bool:
    """Call the mailbox, which may be starting anew; False if it stays away."""
    for pause in (*_PAUSES, None):
        try:
            await call()
        except RayError:
            if pause is not None:
                await asyncio.sleep(pause)
        else:
            return True
    return False


class _ForgottenError(Exception):
    """The mailbox knows nothing of this worker."""


class _Carrier:
    """A worker's end: carries requests to the mailbox and answers back. Lives on the loop."""

    def __init__(self, handle: GateHandle) -> None:
        self.gate = RemoteGate(self._send)
        self._mailbox = handle.mailbox
        self._requests: list[Request] = []
        self._news = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def _send(self, request: Request) -> None:
        self._requests.append(request)
        self._news.set()
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Serve until the mailbox cannot be reached any more."""
        process = process_of(None)
        for number in itertools.count():
            name = f"{process}-{number}"
            if not await _persistent(functools.partial(self._join, name, process)):
                break
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._speak(name))
                    group.create_task(self._listen(name))
            except* (RayError, _ForgottenError):
                pass
            self._requests.clear()  # what was under way is lost
            self.gate.lose(_LOST, ever=False)
        self.gate.lose(_LOST)

    async def _join(self, name: str, process: str) -> None:
        holder = ray.get_runtime_context().current_actor  # not kept: it would live for ever
        await self._mailbox.join.remote(name, process, holder)

    async def _speak(self, name: str) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            requests, self._requests = self._requests, []
            message = pickle.dumps(requests)
            if requests and not await self._mailbox.post.remote(name, message):
                raise _ForgottenError

    async def _listen(self, name: str) -> None:
        while (messages := await self._mailbox.collect.remote(name)) is not None:
            for message in messages:
                answers: list[Answer] = pickle.loads(message)  # noqa: S301 - from our own driver
                self.gate.receive(answers)
        raise _ForgottenError


_lock = threading.Lock()
_joined: dict[str, RemoteGate] = {}
"""One for every run that this process works for, however many workers live in it in turn."""


def join_gate(handle: GateHandle) -> RemoteGate:
    """Give a worker the driver's gate."""
    with _lock:
        if handle.name not in _joined:
            _joined[handle.name] = _Carrier(handle).gate
        return _joined[handle.name]
