"""Rung arithmetic: after how many questions trials are compared, and what the numbers must obey."""

from __future__ import annotations

from pydantic import Field

from raytuner.component import ConfigError
from raytuner.schedulers.port import Scheduler

_SMALLEST = 27
"""The first rung asks at least this share of all questions (one in 27) unless told otherwise.

With the usual reduction of 3 that makes four rungs; on fewer questions a mean says too little.
"""


class Halved(Scheduler):
    """What schedulers that keep a fixed share of trials at every rung have in common."""

    grace: int | None = Field(
        default=None,
        ge=1,
        description="Questions that every trial answers before it is compared with others; "
        "null: all questions divided by the highest power of `reduction` up to 27.",
    )
    reduction: int = Field(
        default=3,
        ge=2,
        description="One trial in so many goes on from a rung to the next, "
        "which has so many times the questions.",
    )

    def rungs(self, units: int) -> tuple[int, ...]:
        """List `grace`, `grace * reduction`, ... and `units`; see `geometric`."""
        return geometric(units, self.grace, self.reduction)


def geometric(units: int, grace: int | None, reduction: int) -> tuple[int, ...]:
    """List rungs that grow by a factor.

    The last one is `units`. One just below it would pause trials that are all but complete, so
    that rungs above `units / sqrt(reduction)` are left out; the first one always stands.

    Args:
        units: number of questions.
        grace: the first rung; None for a share of `units`.
        reduction: the factor, at least 2.

    Raises:
        ConfigError: if `grace` is more than `units`.
    """
    if grace is None:
        grace = -(-units // _power(reduction, min(units, _SMALLEST)))
    check("grace", grace, units)
    if grace == units:
        return (units,)
    sizes = [grace]
    while (size := sizes[-1] * reduction) ** 2 * reduction <= units**2:
        sizes.append(size)
    return (*sizes, units)


def even(units: int, first: int, interval: int) -> tuple[int, ...]:
    """List rungs at equal distances: `first`, `first + interval`, ..., and `units`.

    Args:
        units: number of questions.
        first: the first rung.
        interval: questions from one rung to the next.

    Raises:
        ConfigError: if there are not that many questions.
    """
    check("interval", interval, units)
    check("grace", first, units)
    return (*range(first, units, interval), units)


def check(field: str, questions: int, units: int) -> None:
    """Refuse a field of a scheduler that asks for more questions than there are."""
    if questions > units:
        raise ConfigError(
            f"scheduler.{field}: {questions} questions are asked for, there are only {units}; "
            f"give {units} or fewer",
            ("scheduler", field),
        )


def _power(base: int, limit: int) -> int:
    """Give the highest power of `base` that is not above `limit`."""
    power = 1
    while power * base <= limit:
        power *= base
    return power
