"""Makes the purse and the gate that all paid calls of a sweep go through."""

from __future__ import annotations

from collections.abc import Callable

from raytuner.budget import Budget, Purse
from raytuner.objective import Objective
from raytuner.paying.ledger import Ledger
from raytuner.paying.notices import Told
from raytuner.paying.turnstile import LocalGate
from raytuner.record import Record


def purse_of(budget: Budget, record: Record, ledger: Ledger | None) -> Purse:
    """Give the purse of a study, less what its earlier sessions have spent."""
    return Purse(
        budget.usd,
        record.spent_usd,
        tokens=budget.tokens,
        tokens_spent=record.spent_tokens,
        ledger=ledger,
    )


def gate_of(
    objective: Objective, purse: Purse, cancelled: Callable[[], bool], told: Told
) -> LocalGate:
    """Give the gate of a purse; answers are looked up and kept where the objective keeps them."""
    answers = objective.answers()
    return LocalGate(
        purse,
        recall=None if answers is None else answers.recall,
        keep=None if answers is None else answers.keep,
        place="" if answers is None else answers.place,
        cancelled=cancelled,
        told=told,
    )
