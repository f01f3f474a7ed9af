"""Trials on Ray: a pool of actors that are kept for the whole run, fed by the driver's sweep.

Measured beside Ray Tune's own controller, which needs some 100 ms a trial even with actors that
it re-uses, a job costs here one or two calls of an actor.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raytuner.backends.feeder import feed
from raytuner.backends.inprocess import run_feeders
from raytuner.backends.ray_address import checked_address
from raytuner.backends.ray_capacity import check_resources, count_fitting, options_of
from raytuner.objective import Objective
from raytuner.resources import Resources
from raytuner.sweep import Sweep

if TYPE_CHECKING:
    from raytuner.backends import Setting
    from raytuner.backends.ray_crew import RayStats
    from raytuner.backends.ray_session import Session
    from raytuner.backends.ray_worker import Plan


@dataclass
class RayBackend:
    """Runs sweeps on one Ray cluster; see `raytuner.backends.Backend`.

    Attributes:
        stats: of the last run.
    """

    setting: Setting
    address: str
    stats: RayStats | None = field(default=None, init=False)

    def __call__(self, sweep: Sweep) -> None:
        """Run every job of a sweep; without Ray if all it needs is on record.

        Raises:
            ConfigError: the cluster, the plugins or the objective cannot be used.
            WorkerStartError: workers die before they are ready.
        """
        first = sweep.take()
        if first is None:
            return
        from raytuner.backends.ray_crew import Crew, note
        from raytuner.backends.ray_session import connected

        began = time.perf_counter()
        with connected(self.address, self.setting.folder) as session:
            size = self._size(session)
            with self._planned(sweep, session) as plan:
                pool = Crew(sweep, plan, options_of(self.setting.resources), size)
                try:
                    feeder = functools.partial(feed, sweep, pool, self.setting.timeout)
                    beginner = functools.partial(feeder, first)
                    run_feeders(sweep, [beginner, *[feeder] * (size - 1)])
                finally:
                    pool.close()
                    _sweep_up(session.logs)
                    self.stats = pool.stats(began)
                pool.check()
        if self.stats.jobs:
            note(
                f"Ray: {self.stats.jobs} jobs on {self.stats.workers} workers, "
                f"{self.stats.overhead * 1000:.1f} ms of overhead each; "
                f"ready after {self.stats.start:.1f} s"
            )

    def _size(self, session: Session) -> int:
        """Decide how many workers there are to be."""
        from raytuner.backends.ray_crew import note

        asked = self.setting.workers
        fitting = _fitting(self.setting.resources)
        size = asked or fitting
        if size > fitting and session.private:
            note(f"workers: {asked} are asked for, {fitting} fit on this machine")
            size = fitting
        elif size > fitting:
            note(f"workers: {asked} are asked for, {fitting} fit; the others wait for room")
        where = "" if session.logs is None else f"; logs of Ray and the workers: {session.logs}"
        note(f"Ray ({session.name}): {size} workers{where}")
        return size

    @contextlib.contextmanager
    def _planned(self, sweep: Sweep, session: Session) -> Iterator[Plan]:
        """Start what the workers of a run share, for as long as it lasts."""
        from raytuner.backends.ray_exchange import start_exchange, stop_exchange
        from raytuner.backends.ray_gate import shared_gate

        exchange = start_exchange(sweep.objective, self.setting.storage)
        try:
            with shared_gate(sweep) as gate:
                yield self._plan(sweep.objective, exchange, gate, session)
        finally:
            stop_exchange(exchange)

    def _plan(self, objective: Objective, exchange: Any, gate: Any, session: Session) -> Plan:
        from raytuner.backends.ray_parcel import put_objective
        from raytuner.backends.ray_worker import Plan

        return Plan(
            objective=(put_objective(objective),),
            exchange=exchange,
            plugins=tuple(self.setting.plugins),
            paths=tuple(str(Path(path).absolute()) for path in sys.path),
            logs=None if session.logs is None else str(session.logs),
            gate=gate,
        )


def ray_backend(setting: Setting) -> RayBackend:
    """Make the Ray backend of a study; connects when it is called with a sweep.

    Raises:
        ConfigError: what can be known to be wrong without a cluster.
    """
    check_resources(setting.resources, setting.workers)
    return RayBackend(setting, checked_address(setting.address))


def _sweep_up(logs: Path | None) -> None:
    """Remove the log files of workers that had nothing to say."""
    for path in logs.glob("worker-*.log") if logs else ():
        with contextlib.suppress(OSError):
            if not path.stat().st_size:
                path.unlink()


def _fitting(resources: Resources) -> int:
    import ray

    nodes = [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    ceiling = None
    if not ray.util.client.ray.is_connected():
        from ray._private.state import state

        ceiling = state.get_max_resources_from_cluster_config()
    return count_fitting(resources, nodes, ceiling)
