"""Limits of a sweep, and the one purse its paid calls share."""

from __future__ import annotations

import threading
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from raytuner.component import RaytunerError
from raytuner.objective import Cost


class Spent(NamedTuple):
    """What a sweep has consumed so far, resumed sessions included."""

    trials: int = 0
    seconds: float = 0.0
    usd: float = 0.0


class Budget(BaseModel):
    """When to stop. A limit that is not given does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trials: int | None = Field(default=None, ge=1, description="configurations to evaluate")
    seconds: float | None = Field(default=None, gt=0, description="wall time of all sessions")
    usd: float | None = Field(default=None, gt=0, description="dollars for the whole sweep")

    def exceeded_never(self) -> bool:
        """Whether no limit is given at all."""
        return self.trials is None and self.seconds is None and self.usd is None

    def exceeded(self, spent: Spent) -> str | None:
        """Name the limit that is reached, or None. Pure."""
        if self.trials is not None and spent.trials >= self.trials:
            return f"the budget of {self.trials} trials is used"
        if self.seconds is not None and spent.seconds >= self.seconds:
            return f"the budget of {self.seconds:g} seconds is used"
        if self.usd is not None and spent.usd >= self.usd:
            return f"the budget of ${self.usd:g} is used"
        return None


class BudgetExhaustedError(RaytunerError):
    """A paid call was refused because its worst case would not fit in the budget."""


class Purse:
    """Money for the whole sweep: reserved before a call, settled after. Thread-safe.

    What is spent plus what is reserved never exceeds the limit, so parallel workers cannot
    overshoot together.

    Args:
        limit: dollars, or None for no limit.
        spent: dollars that earlier sessions settled.
    """

    def __init__(self, limit: float | None, spent: float = 0.0) -> None:
        self.limit = limit
        self._spent = spent
        self._reserved = 0.0
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """Dollars settled so far."""
        return self._spent

    def reserve(self, usd: float) -> None:
        """Set `usd` aside.

        Raises:
            BudgetExhaustedError: if it does not fit; nothing is reserved then.
        """
        with self._lock:
            if self.limit is not None and self._spent + self._reserved + usd > self.limit + 1e-9:
                raise BudgetExhaustedError(
                    f"the budget of ${self.limit:g} has no room for a call of up to ${usd:g}"
                )
            self._reserved += usd

    def settle(self, reserved: float, cost: Cost) -> None:
        """Turn a reservation into what the call cost."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - reserved)
            self._spent += cost.usd
