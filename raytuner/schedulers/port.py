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
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

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


@runtime_checkable
class Paired(Judge, Protocol):
    """A judge that compares trials question by question."""

    def measure(self, key: str, values: NDArray[np.float64]) -> None:
        """Take in the values whose mean is reported next.

        Args:
            key: the trial.
            values: by unit, in evaluation order, higher is better, NaN where the metric is not
                defined; shape [units]. They may change afterwards.
        """


@runtime_checkable
class Settling(Judge, Protocol):
    """A judge that can tell when further trials would only cost."""

    def settled(self) -> str | None:
        """Say why no further trial is worth it, and how sure that is; None: go on.

        Only to be asked where trials come by chance (`Search.learns` is False, no total is
        known) and before a proposal is drawn. Trials under way still come to their end.
        """


class Scheduler(Component):
    """A rule for stopping trials early."""

    searches: ClassVar[frozenset[str]] = frozenset()
    """Kinds of the searches that this one works with; empty: any."""

    def suited(self, total: int | None, *, forks: bool) -> Scheduler:
        """Fill in what depends on the study; most schedulers depend on nothing.

        Args:
            total: how many trials the search proposes (`Search.total`); None if nobody knows.
            forks: whether copies go on from checkpoints (`Objective.forks`).
        """
        del total, forks
        return self

    @abstractmethod
    def start(self, units: int, seed: int) -> Judge:
        """Begin a study of `units` units.

        Raises:
            ConfigError: if the rungs do not fit that many units.
        """

    @abstractmethod
    def rungs(self, units: int) -> tuple[int, ...]:
        """List the rungs that decisions are made at, rising; the last is `units`."""
