"""The median stopping rule.

D. Golovin, B. Solnik, S. Moitra, G. Kochanski, J. Karro and D. Sculley, "Google Vizier: A Service
for Black-Box Optimization", KDD 2017, section 3.2.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from raytuner.schedulers.cutoff import CutOff
from raytuner.schedulers.ladder import even
from raytuner.schedulers.port import Judge, Scheduler
from raytuner.schedulers.standby import Standby

_TENTH = 10


class Median(Scheduler, kind="median"):
    """Stop a trial whose mean is below the median of the others' at the same rung.

    The mean over the questions so far is the paper's running average; here it also stands for
    the trial's own score, where the paper takes its best so far. All trials that have been at the
    rung before count, those stopped later as well, where the paper takes completed ones only.
    About half of the trials go on at a first rung, so this saves less than `asha`, and seldom
    stops a good one.
    """

    grace: int | None = Field(
        default=None,
        ge=1,
        description="Questions that every trial answers before it is compared with others; "
        "null: a tenth of all.",
    )
    interval: int | None = Field(
        default=None,
        ge=1,
        description="Questions from one comparison to the next; null: a tenth of all.",
    )
    min_trials: int = Field(
        default=5, ge=1, description="No trial is stopped at a rung before so many were there."
    )

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random."""
        del seed
        return Standby(CutOff(self.rungs(units), self._median), units)

    def rungs(self, units: int) -> tuple[int, ...]:
        """List `grace`, `grace + interval`, ... and `units`."""
        tenth = -(-units // _TENTH)
        return even(units, self.grace or tenth, self.interval or tenth)

    def _median(self, earlier: Sequence[float]) -> float | None:
        """Give the median of rising scores; None while there are too few."""
        if len(earlier) < self.min_trials:
            return None
        upper = len(earlier) // 2
        if len(earlier) % 2:
            return earlier[upper]
        return (earlier[upper - 1] + earlier[upper]) / 2
