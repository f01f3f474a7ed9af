"""What is known of one configuration: its parameters, its scores per unit, how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from raytuner.lineage import Origin
from raytuner.objective import Cost, Failure, Params, UnitScore, Value
from raytuner.score_table import Scored, ScoreTable

Status = Literal["running", "complete", "paused", "pruned", "stopped", "failed"]
"""`paused` at a rung, `pruned`: stopped early by the scheduler; `stopped`: the session ended."""


@dataclass
class Trial(Scored):
    """The record of one configuration, rebuilt from the journal.

    `units`, `table` and everything `Scored` offers are about the questions that are searched.
    `held` has the scores on those that are held out: empty but for the finalists and trial 0.
    `reason` says why it was stopped early, if it was not for its scores. `facts` are figures that
    no question has of its own, such as the size of the index. `origin` says which trials it
    descends from, where a search does.
    """

    key: str
    params: Params
    units: Sequence[str]
    number: int = -1
    baseline: bool = False
    status: Status = "running"
    metrics: tuple[str, ...] = ()
    table: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    seconds: float = 0.0
    cost: Cost = field(default_factory=Cost)
    failure: Failure | None = None
    reason: str | None = None
    failures: dict[str, Failure] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    held: ScoreTable = field(default_factory=ScoreTable)
    facts: dict[str, float] = field(default_factory=dict)
    origin: Origin | None = None
    curve: bool = False

    def record(
        self,
        scores: Iterable[UnitScore],
        positions: Mapping[str, int],
        held: Mapping[str, int] | None = None,
    ) -> None:
        """Add unit scores, and what they have cost.

        Args:
            scores: of any units.
            positions: the row of every searched unit.
            held: the row of every unit that is held out.
        """
        listed = list(scores)
        for score in listed:
            self.cost = self.cost.plus(score.cost)
            self.seconds += score.seconds
        self.take(listed, positions)
        if held:
            self.held.take(listed, held)


def distance(trial: Trial, other: Trial) -> tuple[int, float]:
    """Tell how far parameters lie apart: how many differ, then by how much, numbers relatively."""
    names = trial.params.keys() | other.params.keys()
    pairs = [(trial.params.get(name), other.params.get(name)) for name in sorted(names)]
    differing = [(a, b) for a, b in pairs if a != b or type(a) is not type(b)]
    return len(differing), sum(_apart(a, b) for a, b in differing)


def _apart(a: Value, b: Value) -> float:
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) / (abs(a) + abs(b) or 1.0)
    return 1.0
