"""Money that somebody else spends and tells of afterwards: a program, a training.

What a payment may come to is not known before. So what the dearest one so far has cost is set
aside for the next one: a budget is exceeded by one payment of each worker at most.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

from raytuner.objective import Cost, Meter


class Pay(Protocol):
    """Accounts for what was spent."""

    def __call__(self, cost: Cost, *, more: bool = False) -> None:
        """Account for a cost; `more`: set money aside for another one.

        Raises:
            BudgetExhaustedError: there is none for another one.
        """


class Payments:
    """Remembers the dearest payment."""

    def __init__(self) -> None:
        self._dearest = 0.0

    @contextlib.contextmanager
    def paying(self, meter: Meter) -> Iterator[Pay]:
        """Set money aside; give what accounts for it; free what was not spent.

        Raises:
            BudgetExhaustedError: there is none.
        """
        held: list[float] = []

        def hold() -> None:
            if self._dearest:
                meter.reserve(self._dearest)
                held.append(self._dearest)

        def pay(cost: Cost, *, more: bool = False) -> None:
            if held or any(cost):
                meter.settle(held.pop() if held else 0.0, cost)
            self._dearest = max(self._dearest, cost.usd)
            if more:
                hold()

        hold()
        try:
            yield pay
        finally:
            while held:
                meter.settle(held.pop(), Cost())
