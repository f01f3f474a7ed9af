"""The port between the tuner and whatever stops trials early.

The resource is the number of units (golden questions) answered. A rung is a prefix of the
objective's unit order, so that rungs are nested, every trial at a rung has answered the same
questions, and a trial that goes on pays for the new ones only.

A `Scheduler` is configuration; `start` gives a `Judge`, which lives in the driver, is called
under one lock, and never sees parameters, journals or workers. Equal calls give equal decisions:
to resume, the driver starts it again and repeats what is on record.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol

from raytuner.component import Component

Decisions = Mapping[str, int | None]
"""What becomes of trials: key to the number of units to go on to, or None to stop it for good.
Trials that are not named stay where they are."""


class Judge(Protocol):
    """Compares trials at their rungs. All scores are finite, and higher is better.

    A trial is added once, then reports each rung it reaches, in rising order, unless it is
    dropped. Between its report and a decision that names it, it is paused; pausing is free,
    because what a trial has answered stands.
    """

    def add(self, key: str) -> int:
        """Let a trial in; give the number of units of its first rung."""

    def report(self, key: str, units: int, score: float) -> Decisions:
        """Take in that a trial has answered its first `units` units, with this mean score.

        A trial that reports all units is complete and needs no decision, but may decide for
        others. Never names a trial that has not been added, or that was stopped, dropped or
        completed before.
        """

    def drop(self, key: str) -> Decisions:
        """Take in that a trial has failed and will report no more."""

    def drain(self) -> Decisions:
        """Decide for paused trials now that nothing runs and no trial will be added any more.

        Called again after what was decided has been carried out; when it gives nothing, the
        trials still paused are stopped.
        """


class Scheduler(Component):
    """A rule for stopping trials early."""

    searches: ClassVar[frozenset[str]] = frozenset()
    """Kinds of the searches that this one works with; empty: any."""

    @abstractmethod
    def start(self, units: int, seed: int) -> Judge:
        """Begin a study of `units` units.

        Raises:
            ConfigError: if the rungs do not fit that many units.
        """

    @abstractmethod
    def rungs(self, units: int) -> tuple[int, ...]:
        """List the rungs that decisions are made at, rising; the last is `units`."""
