"""Where trials run: each backend pulls jobs from a sweep and pushes results into it."""

from __future__ import annotations

from typing import Protocol

from raytuner.sweep import Sweep


class Backend(Protocol):
    """Runs a sweep to its end.

    Returns once no job is running. A KeyboardInterrupt cancels the sweep, waits for the workers
    to finish the batch they are in, and is raised again.
    """

    def __call__(self, sweep: Sweep) -> None:
        """Run every job that the sweep gives."""
