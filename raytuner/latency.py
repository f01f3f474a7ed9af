"""How long a configuration lets its users wait: percentiles over its questions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from raytuner.objective import LATENCY
from raytuner.score_table import Scored


class Latency(NamedTuple):
    """Seconds from question to answer, each asked alone and with nothing cached.

    Attributes:
        p50, p95: percentiles, linear between questions.
        n: questions it was measured on; few make p95 the slowest of them.
    """

    p50: float
    p95: float
    n: int


def latencies(table: Scored, first: int | None = None) -> NDArray[np.float64]:
    """Give what was measured, in the order of the questions; shape [questions measured].

    Args:
        table: what a trial has answered.
        first: look at the first so many questions only.
    """
    notes = (table.notes.get(unit, {}).get(LATENCY) for unit in table.units[:first])
    found = (note for note in notes if isinstance(note, int | float) and note >= 0)
    return np.fromiter(found, np.float64)


def latency_of(table: Scored) -> Latency | None:
    """Sum up what was measured; None if nothing was."""
    seconds = latencies(table)
    if not len(seconds):
        return None
    p50, p95 = np.quantile(seconds, [0.5, 0.95]).tolist()
    return Latency(p50, p95, len(seconds))
