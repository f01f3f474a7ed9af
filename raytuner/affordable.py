"""Looks at budgets before a run: are prices known, and is there enough for a single trial?"""

from __future__ import annotations

from collections.abc import Sequence

from raytuner.budget import Budget
from raytuner.component import ConfigError
from raytuner.objective import Objective, Params

_ESTIMATED = 20
"""Points whose cost is estimated: a chunking each may have to be made for it."""


def check_affordable(
    budget: Budget,
    objective: Objective,
    points: Sequence[Params],
    *,
    endless: bool = False,
    unpriced: Sequence[str] = (),
) -> None:
    """Refuse budgets that cannot be kept, or that end before anything is learned.

    Args:
        budget: the study's.
        objective: knows prices and costs.
        points: parameters that may be tried; the last one is the configuration as it stands, if
            there is one.
        endless: the search goes on until the budget ends it.
        unpriced: what the search pays for at a price that nobody knows.

    Raises:
        ConfigError: a price is not known, the cheapest trial costs more than there is, or nothing
            costs anything and dollars alone are to end the search.
    """
    _check_prices(budget, objective, points, unpriced)
    if not points or (budget.usd is None and budget.tokens is None):
        return
    units = objective.units()
    shown = [*points[:: -(-len(points) // _ESTIMATED)], points[-1]]
    bounds = [objective.estimate_range(point, units) for point in shown]
    least = [low for low, _ in bounds]
    free = not any(high.usd for _, high in bounds) and any(high.calls for _, high in bounds)
    if endless and free and budget.tokens is None and budget.seconds is None:
        raise ConfigError(
            "budget.usd: all models are free, so that it never ends a search without an end of its "
            "own; give trials, seconds or tokens",
            ("budget", "usd"),
        )
    usd = min(cost.usd for cost in least)
    tokens = min(cost.tokens_in + cost.tokens_out for cost in least)
    if budget.usd is not None and budget.usd < usd:
        raise ConfigError(
            f"budget.usd: ${budget.usd:g} is less than the ${usd:.3g} that the cheapest trial "
            f"costs at least ({len(units)} questions); give more, or ask fewer questions",
            ("budget", "usd"),
        )
    if budget.tokens is not None and budget.tokens < tokens:
        raise ConfigError(
            f"budget.tokens: {budget.tokens:,} is less than the {tokens:,} that the cheapest "
            f"trial uses at least ({len(units)} questions); give more, or ask fewer questions",
            ("budget", "tokens"),
        )


def _check_prices(
    budget: Budget, objective: Objective, points: Sequence[Params], others: Sequence[str]
) -> None:
    """Refuse a budget in dollars where something is paid for at a price nobody knows."""
    limit = "usd" if budget.usd is not None else "usd_per_question"
    if getattr(budget, limit) is None:
        return
    unknown = sorted({*others, *(name for point in points for name in objective.unpriced(point))})
    if unknown:
        raise ConfigError(
            f"budget.{limit}: the price of {', '.join(unknown)} is not known; give it as "
            "`price: {input: ..., output: ...}` in dollars per million tokens (of a model that "
            "embeds: `usd_per_million_tokens`), declare the model `free: true`, or install list "
            "prices: pip install 'raytuner[prices]'",
            ("budget", limit),
        )
