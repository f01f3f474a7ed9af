"""Where an objective accounts for its work: the port, and the simplest thing that fits it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from raytuner.ports.cost import Cost

if TYPE_CHECKING:
    from raytuner.ports.gate import Gate


class Meter(Protocol):
    """Where work is accounted while it happens. One per trial attempt."""

    def reserve(self, usd: float) -> None:
        """Set aside the worst case of a paid call; raises if the budget has no room for it."""

    def settle(self, reserved: float, cost: Cost) -> None:
        """Replace a reservation by what the call really cost."""

    def spend(self, cost: Cost) -> None:
        """Note what calls have cost whose money went through the gate."""

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a work counter, e.g. `texts embedded` (counted where the work is done)."""

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Time a stage; nested stages count for themselves only."""

    @property
    def cancelled(self) -> bool:
        """Whether the sweep wants this work to end early (between batches)."""

    @property
    def gate(self) -> Gate | None:
        """Where calls of rate-limited or paid services ask first; None: there is no sweep."""


class Relay:
    """A meter that passes everything on; what is to happen on the way, a subclass adds."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def reserve(self, usd: float) -> None:
        """Set money aside."""
        self._meter.reserve(usd)

    def settle(self, reserved: float, cost: Cost) -> None:
        """Replace a reservation by the real cost."""
        self._meter.settle(reserved, cost)

    def spend(self, cost: Cost) -> None:
        """Note a cost."""
        self._meter.spend(cost)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self._meter.count(name, amount)

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Time a stage."""
        return self._meter.stage(name)

    @property
    def cancelled(self) -> bool:
        """Whether the sweep wants this work to end early."""
        return self._meter.cancelled

    @property
    def gate(self) -> Gate | None:
        """The sweep's gate for paid calls."""
        return self._meter.gate


@dataclass
class Tally:
    """The simplest meter: counts, and refuses nothing. Not thread-safe."""

    counts: dict[str, int] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)
    cancelled: bool = False
    gate: Gate | None = None

    def reserve(self, usd: float) -> None:
        """Accept every reservation."""

    def settle(self, reserved: float, cost: Cost) -> None:
        """Add the real cost."""
        del reserved
        self.cost = self.cost.plus(cost)

    def spend(self, cost: Cost) -> None:
        """Add a cost."""
        self.cost = self.cost.plus(cost)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counts[name] = self.counts.get(name, 0) + amount

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time nothing."""
        del name
        yield
