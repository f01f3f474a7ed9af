"""HyperBand: successive halving with several trade-offs between many trials and long ones.

L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, "Hyperband: A Novel
Bandit-Based Approach to Hyperparameter Optimization", JMLR 18 (2018).
"""

from __future__ import annotations

from raytuner.schedulers.cohort import Cohort, Cohorts
from raytuner.schedulers.ladder import Halved
from raytuner.schedulers.port import Judge
from raytuner.schedulers.standby import Standby


class HyperBand(Halved, kind="hyperband"):
    """Run brackets of successive halving, from many short trials to few long ones, and again.

    Trials fill the brackets in the order they are proposed. A bracket that is not full when no
    more trials come is decided with those it has.
    """

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random."""
        del seed
        ladder = self.rungs(units)
        sizes = bracket_sizes(len(ladder), self.reduction)

        def bracket(number: int) -> Cohort:
            skipped = number % len(sizes)
            return Cohort(ladder[skipped:], self.reduction, sizes[skipped])

        return Standby(Cohorts(bracket), units)


def bracket_sizes(rungs: int, reduction: int) -> tuple[int, ...]:
    """Count the trials that enter each bracket of HyperBand.

    Algorithm 1 of the paper: with s_max + 1 rungs, bracket s = s_max, ..., 0 begins with
    ceil((s_max + 1) / (s + 1) * reduction^s) trials, at rung s_max - s.

    Args:
        rungs: number of rungs, s_max + 1.
        reduction: the paper's eta.
    """
    return tuple(-(-rungs * reduction**s // (s + 1)) for s in reversed(range(rungs)))
