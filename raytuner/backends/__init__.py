"""Where trials run: each backend pulls jobs from a sweep and pushes results into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from raytuner.backends import asynchronous, inprocess, processes
from raytuner.component import ConfigError
from raytuner.sweep import Sweep


class Backend(Protocol):
    """Runs a sweep to its end.

    Returns once no job is running. A KeyboardInterrupt cancels the sweep, waits for the workers
    to finish the batch they are in, and is raised again.
    """

    def __call__(self, sweep: Sweep) -> None:
        """Run every job that the sweep gives."""


def choose(name: str, workers: int, plugins: Sequence[str] = (), *, paid: bool = False) -> Backend:
    """Give the backend that a study names.

    Args:
        name: as in a study.
        workers: trials at the same time.
        plugins: modules that worker processes import first.
        paid: whether the trials share a purse.

    Raises:
        ConfigError: it cannot do what the study wants.
    """
    if name == "processes":
        if paid:
            raise ConfigError(
                "backend: processes cannot share one purse; use threads or async with budget.usd",
                ("backend",),
            )
        return lambda sweep: processes.run_processes(sweep, workers, plugins)
    if name == "async":
        return lambda sweep: asynchronous.run_async(sweep, workers)
    if name == "threads" or workers > 1:
        return lambda sweep: inprocess.run_threads(sweep, workers)
    return inprocess.run_sequential
