"""Finished artifacts across a Ray cluster: built once, kept in the object store, handed to all.

One registry actor per run, on the driver's node, owns every published artifact, so that neither
the builder's process nor its node takes one along. (`ray.put` with an `_owner` did this until Ray
2.55; now the value travels to its owner.) What exceeds the object store is spilled by Ray.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.exceptions import ActorDiedError, RayError

from raytuner.backends.ray_registry import Found, Lease, Registry, process_of
from raytuner.objective import Arrays, Exchange, Objective

_log = logging.getLogger("raytuner.ray")
_ended: set[str] = set()
"""Exchanges that this process has stopped: who still has one builds for itself, silently."""


@dataclass(frozen=True)
class Handle:
    """What a worker needs to join a run's exchange; small, and picklable inside Ray.

    Attributes:
        name: of this run's exchange.
        registry: the actor that hands out leases and owns what is published.
        storage: URL of what outlives the cluster, or None.
    """

    name: str
    registry: Any
    storage: str | None = None


def start_exchange(objective: Objective, storage: str | None = None) -> Handle:
    """Start the exchange of a run and let the objective publish its data there.

    Called in the driver, Ray being initialised (also through `ray://`). The exchange ends with
    `stop_exchange`, with the driver, or with `ray.shutdown`. What the driver itself publishes,
    above all the data, does not go to `storage`.

    Args:
        objective: shares its data and, from now on, its artifacts.
        storage: URL (s3://, gs://, file://) to look artifacts up in before they are built, and
            to leave them in; None keeps them on the cluster.

    Returns:
        What `join_exchange` wants in every worker.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    name = f"raytuner-exchange-{uuid.uuid4().hex[:12]}"
    registry = (
        ray.remote(Registry)
        .options(
            name=name,
            num_cpus=0,
            max_concurrency=10_000,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=True),
        )
        .remote()
    )
    handle = Handle(name, registry, storage)
    try:
        objective.share(RayExchange(handle, driver=True))
    except BaseException:
        stop_exchange(handle)
        raise
    return handle


def join_exchange(handle: Handle, objective: Objective) -> None:
    """Let the objective of this worker take part in a run's exchange.

    Called in an actor, once, before the first evaluation.

    Raises:
        RuntimeError: called elsewhere, where Ray could not tell that the builder is lost.
    """
    if not ray.get_runtime_context().get_actor_id():
        raise RuntimeError("join_exchange works in Ray actors only, not in tasks or drivers")
    objective.share(RayExchange(handle))


def stop_exchange(handle: Handle) -> None:
    """End a run's exchange and free what it kept. The driver's objective stays usable."""
    _ended.add(handle.name)
    with contextlib.suppress(RayError, ValueError):
        ray.kill(handle.registry, no_restart=True)


class Alone:
    """What an exchange that was pickled with its objective is, until its process joins one."""

    def obtain(self, key: str, build: Callable[[], Arrays]) -> Arrays:
        """Build the artifact."""
        del key
        return build()


class RayExchange:
    """This process's door to a run's exchange (`raytuner.objective.Exchange`). Thread-safe.

    Where the registry is lost, every process builds for itself, after one warning. Belongs to
    one process: a pickled copy is `Alone`.

    Args:
        handle: what `start_exchange` gave.
        driver: whether this is the driver; otherwise it must be an actor's process.
    """

    def __init__(self, handle: Handle, *, driver: bool = False) -> None:
        self._handle = handle
        self._driver = driver
        self._process = "driver" if driver else process_of(None)
        self._storage = None if driver else _storage(handle.storage)
        self._warned = False
        self._lost = False

    def __reduce__(self) -> tuple[type[Alone], tuple[()]]:
        return Alone, ()

    def obtain(self, key: str, build: Callable[[], Arrays]) -> Arrays:
        """Give the artifact of a key, building it if nobody in the cluster has or does.

        Args:
            key: 32 hexadecimal digits that cover everything the artifact depends on.
            build: makes the artifact; what it raises is raised here, and the key stays free.

        Returns:
            Read-only arrays in the node's object store; or, fresh, what `build` gave.
        """
        while True:
            answer = self._ask(key)
            if isinstance(answer, Lease):
                return self._build(key, answer.token, build)
            if answer is not None and (found := self._fetch(key, answer)) is not None:
                return found

    def _ask(self, key: str) -> Lease | Found | None:
        if self._lost or self._handle.name in _ended or not ray.is_initialized():
            return Lease(0)
        # Not kept: an actor that holds its own handle would never go out of scope.
        holder = None if self._driver else ray.get_runtime_context().current_actor
        try:
            answer = ray.get(self._handle.registry.ask.remote(key, self._process, holder))
        except RayError as error:
            self._warn("cannot be reached", error)
            return Lease(0)
        return answer if answer is None or isinstance(answer, Lease) else Found(answer.boxed)

    def _fetch(self, key: str, found: Found) -> Arrays | None:
        try:
            arrays: dict[str, np.ndarray] = ray.get(found.boxed[0])
        except RayError as error:
            self._warn("lost an artifact, which is built again", error)
            self._tell("lost", key, found.boxed)
            return None
        for array in arrays.values():
            array.flags.writeable = False  # those of the object store are; copies are not
        return arrays

    def _build(self, key: str, token: int, build: Callable[[], Arrays]) -> Arrays:
        try:
            arrays = self._storage.obtain(key, build) if self._storage else build()
            if token:
                self._publish(key, token, arrays)
        except BaseException:
            if token:
                self._tell("free", key, token)
            raise
        return arrays

    def _publish(self, key: str, token: int, arrays: Arrays) -> None:
        plain = {name: np.asarray(array) for name, array in arrays.items()}
        try:
            ray.get(self._handle.registry.publish.remote(key, token, plain))
        except RayError as error:
            self._warn("did not take an artifact", error)

    def _tell(self, method: str, *args: Any) -> None:
        with contextlib.suppress(RayError):
            ray.get(getattr(self._handle.registry, method).remote(*args))

    def _warn(self, what: str, error: Exception) -> None:
        self._lost = self._lost or isinstance(error, ActorDiedError)
        if not self._warned:
            self._warned = True
            reason = str(error).strip().splitlines()[0]
            _log.warning("the exchange %s (%s); work may be done more than once", what, reason)


def _storage(url: str | None) -> Exchange | None:
    if url is None:
        return None
    from raytuner.storage import StorageExchange

    exchange: Exchange = StorageExchange(url)
    return exchange
