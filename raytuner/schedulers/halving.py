"""Successive halving: a group of trials advances together, and shrinks at every rung.

K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016.
"""

from __future__ import annotations

from pydantic import Field

from raytuner.schedulers.cohort import Cohort, Cohorts
from raytuner.schedulers.ladder import Halved
from raytuner.schedulers.port import Judge
from raytuner.schedulers.standby import Standby


class Halving(Halved, kind="halving"):
    """Wait until all trials of a group are at a rung, then keep the best 1/reduction of them.

    No luck of order is in it, so it asks the fewest questions for a given number of trials;
    but workers may idle while the last trial of a rung is under way.
    """

    trials: int | None = Field(
        default=None,
        ge=1,
        description="Trials in a group, one group after the other; null: all in one, which is "
        "first compared when no more will be proposed.",
    )

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random."""
        del seed
        ladder = self.rungs(units)
        return Standby(Cohorts(lambda _: Cohort(ladder, self.reduction, self.trials)), units)
