"""No early stopping: every trial answers every question."""

from __future__ import annotations

from raytuner.schedulers.port import Decisions, Judge, Scheduler


class Full(Scheduler, kind="none"):
    """Evaluate every trial on all units."""

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random."""
        del seed
        return _Unmoved(units)

    def rungs(self, units: int) -> tuple[int, ...]:
        """Name one rung, at the end."""
        return (units,)


class _Unmoved:
    def __init__(self, units: int) -> None:
        self._units = units

    def add(self, key: str) -> int:
        del key
        return self._units

    def report(self, key: str, units: int, score: float) -> Decisions:
        del key, units, score
        return {}

    def drop(self, key: str) -> Decisions:
        del key
        return {}

    def drain(self) -> Decisions:
        return {}
