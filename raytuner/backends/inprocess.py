"""Trials in this process: one after the other, or in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from raytuner.sweep import Sweep
from raytuner.worker import Ended, Job, run_job

Feeder = Callable[[], None]


def run_sequential(sweep: Sweep) -> None:
    """Run one job after the other in the calling thread, where a debugger works."""
    try:
        while (job := sweep.take()) is not None:
            sweep.end(_run(sweep, job))
    except KeyboardInterrupt:
        sweep.cancel("interrupted")
        raise


def run_threads(sweep: Sweep, workers: int) -> None:
    """Run jobs in `workers` threads."""
    run_feeders(sweep, [lambda: _feed(sweep) for _ in range(workers)])


def run_feeders(sweep: Sweep, feeders: list[Feeder]) -> None:
    """Run each feeder in a thread until all are done; the first error ends the sweep."""
    errors: list[BaseException] = []
    ends = [threading.Event() for _ in feeders]

    def guarded(feeder: Feeder, end: threading.Event) -> None:
        try:
            feeder()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)
            sweep.cancel(str(error) or type(error).__name__)
        finally:
            end.set()

    for number, pair in enumerate(zip(feeders, ends, strict=True)):
        name = f"raytuner-{number}"
        threading.Thread(target=guarded, args=pair, name=name, daemon=True).start()
    interrupted = _wait(sweep, ends)
    if errors:
        raise errors[0]
    if interrupted:
        raise KeyboardInterrupt


def _wait(sweep: Sweep, ends: list[threading.Event]) -> bool:
    """Wait for the threads; a first Ctrl-C ends them in order, a second one at once.

    Not by `Thread.join`: up to Python 3.12 a Ctrl-C in it makes a living thread pass for dead.
    """
    interrupted = False
    while not all(end.is_set() for end in ends):
        try:
            for end in ends:
                end.wait(timeout=0.2)
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            sweep.cancel("interrupted")
    return interrupted


def _feed(sweep: Sweep) -> None:
    while (job := sweep.take()) is not None:
        sweep.end(_run(sweep, job))


def _run(sweep: Sweep, job: Job) -> Ended:
    try:
        return run_job(
            sweep.objective, job, lambda scores: sweep.score(job.key, scores), sweep.meter()
        )
    except KeyboardInterrupt:
        sweep.cancel("interrupted")
        sweep.end(Ended(job.key, "stopped", 0.0))
        raise
