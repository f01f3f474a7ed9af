"""A desk that passes queries on to replicas under Ray Serve, and asks again when one is lost.

The web server stays in the driver: Ray Serve's own proxy gives up on what was with a replica that
dies, this asks another one. Queries change nothing, so that asking twice does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raytuner.answering import Query, Served
from raytuner.backends.ray_address import checked_address
from raytuner.component import ConfigError, import_plugins
from raytuner.desk import BusyError, Desk
from raytuner.objective import Failure, Objective, ObjectiveFailure, Params

_ATTEMPTS = 8
"""How often a query is asked whose replicas die: more than ever die of one cause at a time."""
_PAUSE = 0.1
"""Seconds before it is asked again; each time twice as many, at most `_LONGEST`."""
_LONGEST = 2.0
_ERROR = re.compile(r"^[\w.]*(?:Error|Failure|Exception): (.+)$", re.MULTILINE)
_UNHEALTHY = 10.0
"""Seconds without an answer after which a replica is replaced."""


@dataclass(frozen=True)
class _Plan:
    """What a replica begins with; small to pickle.

    Attributes:
        objective: reference to its `Parcel`, in a tuple so that it is not fetched with the plan.
        exchange: handle of documents and artifacts that the driver and other replicas have.
        params: the configuration.
        plugins: modules to import first.
        paths: import paths of the driver, taken over where they exist.
        concurrency: queries at work.
    """

    objective: tuple[Any]
    exchange: Any
    params: Params
    plugins: tuple[str, ...]
    paths: tuple[str, ...]
    concurrency: int


class Replica:
    """Answers queries in a process of its own; loads all it needs before it counts as healthy."""

    def __init__(self, plan: _Plan) -> None:
        import ray

        from raytuner import secrets
        from raytuner.backends.ray_exchange import join_exchange
        from raytuner.backends.ray_parcel import unpacked

        sys.path.extend(path for path in plan.paths if path not in sys.path and Path(path).is_dir())
        secrets.load()
        import_plugins(plan.plugins)
        objective = unpacked(ray.get(plan.objective[0]))
        join_exchange(plan.exchange, objective)
        answerer = objective.answerer(plan.params)
        assert answerer is not None  # the driver has looked
        answerer.prepare()
        self._desk = Desk(answerer, concurrency=plan.concurrency, waiting=plan.concurrency)

    async def ask(self, query: Query) -> Served | Failure | ConfigError:
        """Answer; what was wrong is given, not raised, so that it arrives as what it is."""
        try:
            return await self._desk.ask(query)
        except ObjectiveFailure as error:
            return error.failure
        except ConfigError as error:
            return error
        except BusyError as error:
            return Failure("rate_limit", str(error), retryable=True)

    async def check_health(self) -> None:
        """Answer, which shows that the loop is alive."""


class RayDesk:
    """Gives queries to replicas.

    Args:
        plan: for the replicas.
        replicas: how many.
        waiting: queries beyond those that replicas can work on, at most.
        own: whether the cluster is ours alone, so that Ray Serve ends with us.
    """

    def __init__(self, plan: _Plan, *, replicas: int, waiting: int, own: bool) -> None:
        self._plan, self._replicas, self._own = plan, replicas, own
        self._most = replicas * plan.concurrency + waiting
        self._asked = 0
        self._name = f"raytuner-{uuid.uuid4().hex[:12]}"
        self._handle: Any = None
        self.asked_again = 0
        """Queries that were with a replica that died."""

    async def prepare(self) -> None:
        """Start the replicas and wait until all of them have loaded.

        Raises:
            ConfigError: they cannot be started, or cannot load.
        """
        self._handle = await asyncio.to_thread(self._start)

    def _start(self) -> Any:
        from ray import serve

        logging.getLogger("ray.serve").handlers.clear()  # so that Ray's log has it, no console
        quiet = {"log_level": "ERROR", "enable_access_log": False}
        serve.start(proxy_location="Disabled", logging_config=quiet)
        logging.getLogger("ray.serve").handlers.clear()
        deployment = serve.deployment(Replica).options(
            name="answers",
            num_replicas=self._replicas,
            max_ongoing_requests=2 * self._plan.concurrency,
            ray_actor_options={"num_cpus": 1},
            health_check_period_s=2,
            health_check_timeout_s=_UNHEALTHY,
            logging_config=quiet,
        )
        try:
            return serve.run(deployment.bind(self._plan), name=self._name, route_prefix=None)
        except RuntimeError as error:
            reason = self._reason() or " ".join(str(error).split())
            raise ConfigError(f"the replicas cannot be started: {reason[:500]}") from None

    def _reason(self) -> str | None:
        """Find the error in what Ray Serve says of a deployment: the last line of a traceback."""
        from ray import serve

        application = serve.status().applications.get(self._name)
        told = application.deployments.values() if application else ()
        errors = [found[1] for one in told for found in _ERROR.finditer(one.message)]
        return errors[-1].strip() if errors else None

    async def ask(self, query: Query) -> Served:
        """Answer a query; one that was with a replica that died is asked again of another.

        Raises:
            BusyError: too many wait.
            RefusedError, ConfigError, ObjectiveFailure: as `Desk.ask`; also where replicas died
                again and again.
        """
        if self._asked >= self._most:
            raise BusyError("too many queries are waiting")
        self._asked += 1
        try:
            found = await self._answer(query)
        finally:
            self._asked -= 1
        if isinstance(found, Failure):
            raise ObjectiveFailure(found.kind, found.message, retryable=found.retryable)
        if isinstance(found, ConfigError):
            raise found
        return found

    async def _answer(self, query: Query) -> Served | Failure | ConfigError:
        from ray.exceptions import RayActorError

        pause = _PAUSE
        for _ in range(_ATTEMPTS):
            try:
                found: Served | Failure | ConfigError = await self._handle.ask.remote(query)
            except RayActorError:
                self.asked_again += 1
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST)
            else:
                return found
        return Failure("lost_worker", f"{_ATTEMPTS} replicas died of it, one after another", True)

    def close(self) -> None:
        """Do nothing: what is at work ends by itself, replicas end with `replicated`."""

    def end(self) -> None:
        """End the replicas, and Ray Serve where it is ours."""
        from ray import serve

        with contextlib.suppress(Exception):
            if self._own:
                serve.shutdown()
            elif self._handle is not None:
                serve.delete(self._name)


@contextlib.contextmanager
def replicated(
    objective: Objective,
    params: Params,
    *,
    replicas: int,
    concurrency: int,
    waiting: int,
    address: str | None = None,
    plugins: Sequence[str] = (),
    folder: Path | None = None,
) -> Iterator[RayDesk]:
    """Connect to Ray and give a desk; replicas end with the block.

    Args:
        objective: makes answerers. Its data goes to the replicas through Ray.
        params: the configuration.
        replicas: processes that answer; each takes a CPU of the cluster.
        concurrency: queries at work in each.
        waiting: queries that wait beyond those.
        address: of the cluster; None: RAY_ADDRESS, or one that is started for this.
        plugins: modules that the objective needs.
        folder: where Ray's log goes, in `logs`.

    Raises:
        ConfigError: the cluster cannot be used or is too small, or the objective cannot travel.
    """
    from raytuner.backends.ray_session import connected

    with connected(checked_address(address), folder) as session:
        from raytuner.backends.ray_exchange import start_exchange, stop_exchange
        from raytuner.backends.ray_parcel import put_objective

        _check_room(replicas)
        exchange = start_exchange(objective)
        desk = None
        try:
            plan = _Plan(
                objective=(put_objective(objective),),
                exchange=exchange,
                params=dict(params),
                plugins=tuple(plugins),
                paths=tuple(str(Path(path).absolute()) for path in sys.path),
                concurrency=concurrency,
            )
            desk = RayDesk(plan, replicas=replicas, waiting=waiting, own=session.private)
            yield desk
        finally:
            if desk is not None:
                desk.end()
            stop_exchange(exchange)


def _check_room(replicas: int) -> None:
    import ray

    cpus = int(ray.cluster_resources().get("CPU", 0))
    if replicas > cpus:
        raise ConfigError(
            f"--replicas {replicas}: the cluster has {cpus} CPUs, and each replica takes one"
        )
