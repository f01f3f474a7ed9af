"""Who meets the configuration as it stands on questions that no search has seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from raytuner.proof.resampling import DIGITS, Array, checked
from raytuner.proof.statistics import errors, paired


def choose_finalists(
    search: ArrayLike,
    base: int | None,
    costs: Sequence[float | None] | None = None,
    groups: Sequence[str] | None = None,
    most: int = 3,
) -> tuple[tuple[int, str], ...]:
    """Choose who meets the configuration as it stands on the held-out questions.

    The best, the second best, and the cheapest within one paired standard error of the best.
    Ties go by the order of the columns. Configurations with the same score on every question are
    taken for one, the cheapest of them: its twins would answer as it does. So twins of the
    configuration as it stands can only be chosen as the cheapest, and only if they cost less.

    Args:
        search: [questions, configurations], higher is better, without NaN.
        base: column of the configuration as it stands, which is never chosen; or None.
        costs: of every column; None where unknown.
        groups: of the questions.
        most: how many are chosen at most.

    Returns:
        Columns with their roles `best`, `second`, `cheap`; fewer if there are fewer.

    Raises:
        ValueError: a score is missing.
    """
    table = checked(search, "search")
    known = list(costs) if costs is not None else [None] * table.shape[1]
    mean = np.round(table.mean(axis=0), DIGITS + 3)
    distinct = _distinct(table, base, known)
    own = [column for column in distinct if not _same(table, column, base)]
    ranked = sorted(own, key=lambda column: -mean[column])
    chosen = [(column, role) for column, role in zip(ranked, ("best", "second"), strict=False)]
    if not ranked:
        return ()
    behind = paired(table, ranked[0], distinct)
    near = -behind.mean(axis=0) <= errors(behind, groups) + 10.0**-DIGITS
    cheap = [
        column
        for column, is_near in zip(distinct, near, strict=True)
        if is_near and cheaper(known[column], known[ranked[0]])
    ]
    if base is not None:  # a twin of what stands has nothing to prove but its price
        cheap = [c for c in cheap if c in own or cheaper(known[c], known[base])]
    cheap.sort(key=lambda column: known[column] or 0.0)
    if cheap and cheap[0] not in ranked[:2]:
        chosen.append((cheap[0], "cheap"))
    return tuple(chosen[:most])


def _same(table: Array, column: int, other: int | None) -> bool:
    return other is not None and bool((table[:, column] == table[:, other]).all())


def cheaper(cost: float | None, other: float | None) -> bool:
    """Tell whether a cost is known to be lower than another."""
    return cost is not None and other is not None and cost < other


def _distinct(table: Array, base: int | None, costs: Sequence[float | None]) -> list[int]:
    """Take the cheapest of every set of equal columns, in the order of their first ones."""
    twins: dict[bytes, int] = {}
    for column in range(table.shape[1]):
        if column == base:
            continue
        key = (table[:, column] + 0.0).tobytes()
        first = twins.setdefault(key, column)
        if cheaper(costs[column], costs[first]):
            twins[key] = column
    return list(twins.values())
