"""How much repeated scores of the same answer differ: the noise of whoever scores.

Objectives that score an answer several times leave the single scores in a unit's notes, as
`judged: {metric: {scores: [...]}}`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from raytuner.trial import Trial


class Noise(NamedTuple):
    """The noise of one metric.

    Attributes:
        metric: its name.
        units: units with at least two scores.
        sd: pooled standard deviation of single scores within a unit: the root of the mean
            variance, each with n - 1.
    """

    metric: str
    units: int
    sd: float


def noise(trial: Trial) -> list[Noise]:
    """Estimate the noise of every metric that was scored more than once."""
    squares: dict[str, list[tuple[float, int]]] = {}
    for notes in trial.notes.values():
        judged = notes.get("judged")
        for metric, kept in judged.items() if isinstance(judged, Mapping) else ():
            scores = _scores(kept)
            if len(scores) > 1:
                mean = sum(scores) / len(scores)
                square = sum((score - mean) ** 2 for score in scores)
                squares.setdefault(metric, []).append((square, len(scores) - 1))
    return [
        Noise(metric, len(own), math.sqrt(sum(s for s, _ in own) / sum(n for _, n in own)))
        for metric, own in sorted(squares.items())
    ]


def _scores(kept: Any) -> list[float]:
    given = kept.get("scores", ()) if isinstance(kept, Mapping) else ()
    return [float(score) for score in given if isinstance(score, int | float)]
