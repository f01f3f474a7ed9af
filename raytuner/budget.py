"""Limits of a sweep, and the one purse its paid calls share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from raytuner.component import ConfigError, RaytunerError
from raytuner.objective import Cost

_PENNY = 1e-9
"""Dollars by which sums of floats may be off."""


class Spent(NamedTuple):
    """What a sweep has consumed so far, resumed sessions included."""

    trials: int = 0
    seconds: float = 0.0
    usd: float = 0.0
    tokens: int = 0


class Budget(BaseModel):
    """When to stop. A limit that is not given does not exist."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    trials: int | None = Field(default=None, ge=1, description="configurations to evaluate")
    seconds: float | None = Field(default=None, gt=0, description="wall time of all sessions")
    usd: float | None = Field(default=None, gt=0, description="dollars for the whole sweep")
    tokens: int | None = Field(
        default=None, ge=1, description="tokens, in and out, for the whole sweep"
    )
    usd_per_question: float | None = Field(
        default=None,
        gt=0,
        description="a configuration whose mean cost a question is confidently above is stopped",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        if not isinstance(given, Mapping | cls):
            raise ConfigError(f"give limits such as {{trials: 50, usd: 2}}, got {given!r:.80}")
        return given

    def exceeded_never(self) -> bool:
        """Whether no limit of the sweep is given at all."""
        limits = (self.trials, self.seconds, self.usd, self.tokens)
        return all(limit is None for limit in limits)

    def exceeded(self, spent: Spent) -> str | None:
        """Name the limit that is reached, or None. Pure."""
        if self.trials is not None and spent.trials >= self.trials:
            return f"the budget of {self.trials} trials is used"
        if self.seconds is not None and spent.seconds >= self.seconds:
            return f"the budget of {self.seconds:g} seconds is used"
        if self.usd is not None and spent.usd >= self.usd:
            return f"the budget of ${self.usd:g} is used"
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"the budget of {self.tokens} tokens is used"
        return None


class BudgetExhaustedError(RaytunerError):
    """A paid call was refused because its worst case would not fit in the budget."""


class SweepEndingError(BudgetExhaustedError):
    """A paid call was refused because the sweep is ending, for whatever reason."""


class Entry(NamedTuple):
    """A row of the ledger.

    Attributes:
        ticket: of the reservation; unique within a session.
        usd: dollars reserved, or, once settled, paid.
        tokens: the same of tokens.
        settled: whether the call has been made, and these are its real numbers.
    """

    ticket: int
    usd: float
    tokens: int
    settled: bool


Ledger = Callable[[Sequence[Entry]], None]
"""Puts rows on record; returns once they would survive the death of the process."""


def ledger_spent(entries: Iterable[Entry]) -> tuple[float, int]:
    """Sum up what the rows of one session's ledger say was spent: dollars and tokens.

    A reservation that nobody settled counts as spent: nobody knows what the call has cost.
    """
    last: dict[int, Entry] = {}
    for entry in entries:
        if entry.settled or entry.ticket not in last:
            last[entry.ticket] = entry
    return sum(e.usd for e in last.values()), sum(e.tokens for e in last.values())


class Purse:
    """Money and tokens for the whole sweep: held before a call, settled after. Thread-safe.

    What is spent plus what is held never exceeds the limit, so parallel workers cannot overshoot
    together. A call that costs more than was held for it is counted as it is; what comes after it
    is refused.

    Args:
        limit: dollars, or None for no limit.
        spent: dollars that earlier sessions settled.
        tokens: tokens, in and out, or None for no limit.
        tokens_spent: tokens that earlier sessions settled.
        ledger: told of every hold before it is granted, and of every settlement before what was
            held comes free; so what is on record is never less than what was spent, nor more
            than the limit. Asked only if there is a limit.

    `kept` is a share of both limits that is refused until it is set to 0.
    """

    def __init__(
        self,
        limit: float | None,
        spent: float = 0.0,
        *,
        tokens: int | None = None,
        tokens_spent: int = 0,
        ledger: Ledger | None = None,
    ) -> None:
        self.limit = limit
        self.tokens = tokens
        self._spent = spent
        self._tokens_spent = tokens_spent
        self.kept = 0.0
        self._held = 0.0
        self._tokens_held = 0
        self._holds: dict[int, tuple[float, int]] = {}
        self._reserved: dict[float, list[int]] = {}
        self._tickets = 0
        self._ledger = ledger if self.limited else None
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.limit is not None or self.tokens is not None

    @property
    def spent(self) -> float:
        """Dollars settled so far."""
        return self._spent

    @property
    def tokens_spent(self) -> int:
        """Tokens settled so far."""
        return self._tokens_spent

    @property
    def held(self) -> tuple[float, int]:
        """Dollars and tokens that calls under way may still use."""
        return self._held, self._tokens_held

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back after every settlement, from whatever thread settles."""
        self._listeners.append(callback)

    def fits_now(self, usd: float, tokens: int = 0) -> bool:
        """Whether a hold would be granted."""
        with self._lock:
            return self._refusal(usd, tokens, self._held, self._tokens_held) is None

    def fits_later(self, usd: float, tokens: int = 0) -> bool:
        """Whether a hold would be granted if all that is held came back."""
        return self._refusal(usd, tokens, 0.0, 0) is None

    def hold(self, usd: float, tokens: int = 0) -> int:
        """Set the worst case of a call aside; gives a ticket to close.

        Raises:
            BudgetExhaustedError: if it does not fit; nothing is held then.
        """
        with self._lock:
            refusal = self._refusal(usd, tokens, self._held, self._tokens_held)
            if refusal is not None:
                raise BudgetExhaustedError(refusal)
            ticket = self._add(usd, tokens)
        if self._ledger is not None:
            try:
                self._ledger([Entry(ticket, usd, tokens, settled=False)])
            except BaseException:
                self._replace(self._take(ticket), 0.0, 0)
                raise
        return ticket

    def close(self, ticket: int, cost: Cost | None) -> None:
        """Turn a hold into what the call cost; None: nobody knows, all of it is spent.

        If the ledger refuses the row, the purse is right all the same; what is on record says
        more than was spent, never less.

        Raises:
            KeyError: there is no such hold (any more).
        """
        held = self._take(ticket)
        usd, tokens = held if cost is None else (cost.usd, cost.tokens_in + cost.tokens_out)
        try:
            if self._ledger is not None:
                self._ledger([Entry(ticket, usd, tokens, settled=True)])
        finally:
            self._replace(held, usd, tokens)

    def reserve(self, usd: float) -> None:
        """Set `usd` aside; to be settled by naming the same amount.

        Raises:
            BudgetExhaustedError: if it does not fit; nothing is reserved then.
        """
        ticket = self.hold(usd)
        with self._lock:
            self._reserved.setdefault(usd, []).append(ticket)

    def settle(self, reserved: float, cost: Cost) -> None:
        """Turn a reservation into what the call cost; a cost without one is counted too."""
        with self._lock:
            tickets = self._reserved.get(reserved)
            ticket = tickets.pop() if tickets else self._add(0.0, 0)
            if not tickets:
                self._reserved.pop(reserved, None)
        self.close(ticket, cost)

    def _refusal(self, usd: float, tokens: int, held: float, tokens_held: int) -> str | None:
        part, aside = 1 - self.kept, f", {self.kept:.0%} kept for the verdict," if self.kept else ""
        if self.limit is not None and self._spent + held + usd > part * self.limit + _PENNY:
            return f"the budget of ${self.limit:g}{aside} has no room for a call of up to ${usd:g}"
        tokens_now = self._tokens_spent + tokens_held + tokens
        if self.tokens is not None and tokens_now > part * self.tokens:
            return (
                f"the budget of {self.tokens} tokens{aside} has no room for a call of up to "
                f"{tokens} tokens"
            )
        return None

    def _add(self, usd: float, tokens: int) -> int:
        self._tickets += 1
        self._holds[self._tickets] = (usd, tokens)
        self._held += usd
        self._tokens_held += tokens
        return self._tickets

    def _take(self, ticket: int) -> tuple[float, int]:
        """Make sure that nobody else closes a hold; it stays held."""
        with self._lock:
            return self._holds.pop(ticket)

    def _replace(self, held: tuple[float, int], usd: float, tokens: int) -> None:
        """Spend a part of what was held, and free the rest."""
        with self._lock:
            self._spent += usd
            self._tokens_spent += tokens
            self._held = max(0.0, self._held - held[0])
            self._tokens_held -= held[1]
        for callback in self._listeners:
            callback()
