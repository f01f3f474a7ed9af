"""The actor behind an exchange: leases keys to builders, owns what they have built.

It learns from Ray, not from a clock, that a builder is lost: one call is kept pending on the
actor that holds the lease, which fails as soon as that actor's process or node is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError

_POLL_SECONDS = 60.0
"""How long the registry lets a process wait before it has to ask again."""
_PULSE_SECONDS = 1.0
"""Pause between two looks at a builder that answers while it builds."""


class Lease(NamedTuple):
    """The right, and the duty, to build one key. Token 0: nobody keeps account of it."""

    token: int


class Found(NamedTuple):
    """A published artifact: its object reference, in a list so that Ray hands on the reference."""

    boxed: list[Any]


@dataclass
class _Place:
    """What the registry knows of one key.

    Attributes:
        token: of the lease that is out, or None.
        kept: reference to the published arrays, or None.
        settled: set while no lease is out.
    """

    token: int | None = None
    kept: Any = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    watch: asyncio.Task[None] | None = None


class Registry:
    """The actor that hands out leases and owns finished artifacts."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._tokens = itertools.count(1)

    async def ask(self, key: str, process: str, holder: Any) -> Lease | Found | None:
        """Give an artifact, or a lease to build it, waiting while somebody else builds.

        Args:
            key: of the artifact.
            process: identity of the asking process.
            holder: the actor it runs, whose loss frees the lease; None for the driver, which
                takes the registry along.

        Returns:
            None if it is still being built: ask again.
        """
        place = self._places.setdefault(key, _Place())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                while place.token is not None:
                    await place.settled.wait()
        if place.token is not None:
            return None
        if place.kept is not None:
            return Found([place.kept])
        token = place.token = next(self._tokens)
        place.settled.clear()
        if holder is not None:
            place.watch = asyncio.create_task(self._watch(place, token, process, holder))
        return Lease(token)

    async def publish(self, key: str, token: int, arrays: dict[str, Any]) -> None:
        """Keep what the holder of a lease has built; ignored if the lease is no longer out."""
        place = self._places[key]
        if place.token != token:
            return
        try:
            place.kept = await asyncio.to_thread(ray.put, arrays)
        finally:
            _settle(place, token)

    async def free(self, key: str, token: int) -> None:
        """Take a lease back from a holder that could not build."""
        _settle(self._places[key], token)

    async def lost(self, key: str, boxed: list[Any]) -> None:
        """Forget an artifact that cannot be fetched any more."""
        place = self._places[key]
        if place.kept == boxed[0]:
            place.kept = None

    async def _watch(self, place: _Place, token: int, process: str, holder: Any) -> None:
        """Free a lease when its process is gone; a restarted actor is another process."""
        while place.token == token:
            try:
                call = holder.__ray_call__.options(max_task_retries=0)  # a retry would wait in vain
                alive = await call.remote(process_of) == process
            except RayError:
                alive = False
            if not alive:
                _settle(place, token)
            await asyncio.sleep(_PULSE_SECONDS)


def _settle(place: _Place, token: int) -> None:
    if place.token == token:
        place.token = None
        place.settled.set()


def process_of(actor: Any) -> str:
    """Name the process that runs an actor."""
    del actor
    return str(ray.get_runtime_context().get_worker_id())
