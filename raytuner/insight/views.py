"""What `Results` offers beside its tables: insight, as its own properties and methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from raytuner.insight.curve import curve
from raytuner.insight.importance import Importance, importance
from raytuner.insight.pareto import Direction, pareto
from raytuner.insight.plot import Plots
from raytuner.insight.questions import questions

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.results import Results


class Insight:
    """The part of `Results` that explains a run; see the functions of the same names."""

    @property
    def questions(self) -> pd.DataFrame:
        """One row a searched question: how hard it is, and what it tells apart."""
        return questions(cast("Results", self))

    @property
    def curve(self) -> pd.DataFrame:
        """The best so far against questions, dollars and seconds."""
        return curve(cast("Results", self))

    def importance(self) -> Importance:
        """Estimate what every level of every parameter does to the metric."""
        return importance(cast("Results", self))

    def pareto(self, goals: Mapping[str, Direction] | None = None) -> pd.DataFrame:
        """Find the trials that no other one beats in every goal.

        Args:
            goals: metric or column to "max" or "min", the most important one first; default: the
                optimised metric, then dollars a question.
        """
        return pareto(cast("Results", self), goals)

    @property
    def plot(self) -> Plots:
        """Drawings: `importance()`, `pareto()`, `curve()`, `heatmap(x, y)` and others."""
        return Plots(cast("Results", self))
