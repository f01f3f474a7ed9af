"""Who is told what happens in a sweep, to show it."""

from __future__ import annotations

from typing import Protocol

from raytuner.trial import Trial


class Listener(Protocol):
    """Is told what happens, to show it. Must return fast."""

    def started(self, trial: Trial) -> None:
        """A trial begins."""

    def scored(self, trial: Trial, units: int) -> None:
        """Some units of a trial are on record."""

    def ended(self, trial: Trial) -> None:
        """A trial has ended (also when all of it was known before)."""

    def finals(self, trials: int, units: int) -> None:
        """The search is over, and so many trials go on to the units that are held out."""

    def waits(self, why: str) -> None:
        """Work waits for something outside, and for what. From any thread."""


class Silent:
    """Shows nothing."""

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def scored(self, trial: Trial, units: int) -> None:
        """Show nothing."""

    def ended(self, trial: Trial) -> None:
        """Show nothing."""

    def finals(self, trials: int, units: int) -> None:
        """Show nothing."""

    def waits(self, why: str) -> None:
        """Show nothing."""
