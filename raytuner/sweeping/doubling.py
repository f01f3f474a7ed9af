"""Rungs at which trials are looked at for limits, where no scheduler has any."""

from __future__ import annotations

from raytuner.limits import FIRST
from raytuner.schedulers import Decisions


class Doubling:
    """A judge (`raytuner.schedulers.Judge`) that stops nobody: 8 units, 16, 32, and so on."""

    def __init__(self, units: int) -> None:
        self._units = units

    def add(self, key: str) -> int:
        """Let a trial in."""
        del key
        return min(FIRST, self._units)

    def report(self, key: str, units: int, score: float) -> Decisions:
        """Let it go on to twice as many units."""
        del score
        return {key: min(2 * units, self._units)} if units < self._units else {}

    def drop(self, key: str) -> Decisions:
        """Decide nothing."""
        del key
        return {}

    def drain(self) -> Decisions:
        """Decide nothing; nobody waits."""
        return {}
