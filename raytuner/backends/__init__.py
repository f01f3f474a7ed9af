"""Where trials run: each backend pulls jobs from a sweep and pushes results into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from raytuner.backends import asynchronous, inprocess, processes
from raytuner.component import ConfigError
from raytuner.resources import Resources
from raytuner.sweep import Sweep

BackendName = Literal["inprocess", "threads", "processes", "async", "ray", "ray-tune"]


class Backend(Protocol):
    """Runs a sweep to its end.

    Returns once no job is running. A KeyboardInterrupt cancels the sweep, waits for the workers
    to finish the batch they are in, and is raised again.
    """

    def __call__(self, sweep: Sweep) -> None:
        """Run every job that the sweep gives."""


@dataclass(frozen=True)
class Setting:
    """What a study says of where its trials run.

    Attributes:
        backend: which one.
        workers: trials at the same time; None: one, on Ray as many as fit.
        plugins: modules that worker processes import first.
        timeout: seconds that one attempt at a trial may take, or None.
        address: of the Ray cluster: `local`, `auto`, host:port or ray://host:port.
        resources: what a trial occupies there.
        storage: URL of what outlives the cluster, or None.
        folder: the run folder, for log files, or None.
    """

    backend: BackendName = "inprocess"
    workers: int | None = None
    plugins: Sequence[str] = ()
    timeout: float | None = None
    address: str | None = None
    resources: Resources = field(default_factory=Resources)
    storage: str | None = None
    folder: Path | None = None


def choose(setting: Setting) -> Backend:
    """Give the backend that a study names.

    Raises:
        ConfigError: it cannot do what the study wants.
    """
    workers, timeout = setting.workers or 1, setting.timeout
    if setting.backend == "ray":
        from raytuner.backends.ray_pool import ray_backend

        return ray_backend(setting)
    if setting.backend == "ray-tune":
        from raytuner.backends.ray_tune import ray_tune_backend

        return ray_tune_backend(setting)
    if setting.backend == "processes":
        return lambda sweep: processes.run_processes(sweep, workers, setting.plugins, timeout)
    if setting.backend == "async":
        return lambda sweep: asynchronous.run_async(sweep, workers, timeout)
    if timeout is not None:
        raise ConfigError(
            f"timeout: backend: {setting.backend} cannot end a trial that hangs; use processes, "
            "async or ray",
            ("timeout",),
        )
    if setting.backend == "threads" or workers > 1:
        return lambda sweep: inprocess.run_threads(sweep, workers)
    return inprocess.run_sequential
