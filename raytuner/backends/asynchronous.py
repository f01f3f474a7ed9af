"""Trials as tasks of one event loop, for objectives that wait on a network."""

from __future__ import annotations

import asyncio
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor

from raytuner.backends.inprocess import run_feeders
from raytuner.component import ConfigError
from raytuner.objective import Objective
from raytuner.own.function import FunctionObjective
from raytuner.sweep import Sweep
from raytuner.worker import Ended, arun_job


async def arun(sweep: Sweep, workers: int, timeout: float | None = None) -> None:
    """Run up to `workers` jobs at a time in the running event loop.

    No sibling is lost or left running: if one task breaks, or this coroutine is cancelled, the
    others are cancelled, awaited, and what they had scored stands.

    Args:
        sweep: gives jobs, takes results.
        workers: jobs at the same time.
        timeout: seconds that one attempt at a job may take.

    Raises:
        ConfigError: a timeout is set, and the objective does not await its work.
    """
    if timeout is not None and not _awaits(sweep.objective):
        raise ConfigError(
            "timeout: backend: async can end only objectives that are async themselves, a thread "
            "that hangs cannot be ended; use processes or ray",
            ("timeout",),
        )
    # Waiting for jobs must not occupy the loop's own threads: running jobs may need them.
    with ThreadPoolExecutor(workers, thread_name_prefix="raytuner-take") as waiting:
        tasks = [asyncio.create_task(_feed(sweep, waiting, timeout)) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            sweep.cancel("interrupted" if cancelled else str(error) or type(error).__name__)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise


def run_async(sweep: Sweep, workers: int, timeout: float | None = None) -> None:
    """Run `arun` from sync code; inside a running loop (a notebook), in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(arun(sweep, workers, timeout))
        return
    run_feeders(sweep, [lambda: asyncio.run(arun(sweep, workers, timeout))])


def _awaits(objective: Objective) -> bool:
    """Tell whether an objective can be cancelled, because its work is not done in threads."""
    if isinstance(objective, FunctionObjective):
        function = inspect.unwrap(objective.function)
        return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            type(function).__call__
        )
    return type(objective).aevaluate is not Objective.aevaluate


async def _feed(sweep: Sweep, waiting: ThreadPoolExecutor, timeout: float | None) -> None:
    loop = asyncio.get_running_loop()
    while (job := await loop.run_in_executor(waiting, sweep.take)) is not None:
        emit = functools.partial(sweep.score, job.key)
        try:
            outcome = await arun_job(sweep.objective, job, emit, sweep.meter(), timeout)
        except asyncio.CancelledError:
            sweep.cancel("interrupted")
            sweep.end(Ended(job.key, "stopped", 0.0))
            raise
        sweep.end(outcome)
