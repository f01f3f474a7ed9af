"""The actor that carries messages between a driver's gate and the workers of its run.

A driver cannot be called by its workers, so both sides call the mailbox, and wait there for what
the other has to say. It never looks into what it carries. It learns from Ray, not from a clock,
that a worker is lost; its own state is lost with it, after which everybody joins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ray.exceptions import RayError

from raytuner.backends.ray_registry import process_of

_POLL_SECONDS = 60.0
"""How long a caller may wait before it has to ask again."""
_PULSE_SECONDS = 1.0
"""Pause between two looks at a worker that answers while it works."""


class Turn(NamedTuple):
    """What has come for the driver.

    Attributes:
        messages: pairs of a worker and what it sends.
        lost: workers that will send no more.
    """

    messages: list[tuple[str, bytes]]
    lost: list[str]


@dataclass
class _Box:
    """What waits for one worker.

    Attributes:
        process: identity of its process.
        messages: from the driver.
        news: set while there are any, or the worker is not known any more.
        watch: the task that notices its death.
    """

    process: str
    messages: list[bytes] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    watch: asyncio.Task[None] | None = None


class Mailbox:
    """Messages of one run, in both directions."""

    def __init__(self) -> None:
        self._session: str | None = None
        self._boxes: dict[str, _Box] = {}
        self._messages: list[tuple[str, bytes]] = []
        self._lost: list[str] = []
        self._news = asyncio.Event()

    # ---- called by the driver

    async def begin(self, session: str) -> None:
        """Forget everything: a driver begins, or begins anew."""
        self._session = session
        self._messages, self._lost = [], []
        for worker in list(self._boxes):
            self._forget(worker)

    async def put(self, answers: dict[str, bytes]) -> None:
        """Send to workers; to those that are gone, in vain."""
        for worker, message in answers.items():
            box = self._boxes.get(worker)
            if box is not None:
                box.messages.append(message)
                box.news.set()

    async def exchange(self, session: str, answers: dict[str, bytes]) -> Turn | None:
        """Send to workers, and wait for what they send.

        Returns:
            None if this mailbox knows nothing of the session, because it has begun anew.
        """
        if session != self._session:
            return None
        await self.put(answers)
        await _soon(self._news)
        self._news.clear()
        turn = Turn(self._messages, self._lost)
        self._messages, self._lost = [], []
        return turn

    # ---- called by workers

    async def join(self, worker: str, process: str, holder: Any) -> None:
        """Take a worker in; another one of its process is lost.

        Args:
            worker: a name that it has not used before.
            process: identity of its process.
            holder: the actor that runs there.
        """
        for other in [name for name, box in self._boxes.items() if box.process == process]:
            self._lose(other)
        box = self._boxes[worker] = _Box(process)
        box.watch = asyncio.create_task(self._watch(worker, process, holder))

    async def post(self, worker: str, message: bytes) -> bool:
        """Send to the driver; False if the worker has to join anew."""
        if worker not in self._boxes:
            return False
        self._messages.append((worker, message))
        self._news.set()
        return True

    async def collect(self, worker: str) -> list[bytes] | None:
        """Wait for what the driver sends; None if the worker has to join anew."""
        box = self._boxes.get(worker)
        if box is None:
            return None
        await _soon(box.news)
        if worker not in self._boxes:
            return None
        box.news.clear()
        messages, box.messages = box.messages, []
        return messages

    async def _watch(self, worker: str, process: str, holder: Any) -> None:
        """Notice that a worker's process is gone; a restarted actor is another process."""
        while worker in self._boxes:
            try:
                call = holder.__ray_call__.options(max_task_retries=0)  # a retry would wait in vain
                alive = await call.remote(process_of) == process
            except RayError:
                alive = False
            if not alive:
                self._lose(worker)
            await asyncio.sleep(_PULSE_SECONDS)

    def _lose(self, worker: str) -> None:
        if worker in self._boxes:
            self._forget(worker)
            self._lost.append(worker)
            self._news.set()

    def _forget(self, worker: str) -> None:
        self._boxes.pop(worker).news.set()


async def _soon(event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_POLL_SECONDS):
            await event.wait()
