"""The port between the tuner and whatever proposes parameters.

A `Search` is configuration; `start` gives a `Proposer`, which lives in the driver only, is
asked and told by one thread, and never sees trials, journals or workers.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from raytuner.component import Component, RaytunerError
from raytuner.lineage import Lineage
from raytuner.objective import Cost, Meter, Objective, Params, Value
from raytuner.ports.rewriting import Rewriter
from raytuner.space import Space


class Exhausted(RaytunerError):  # noqa: N818 - an end, not a mistake
    """Raised by `Proposer.ask`: nothing will ever be proposed again."""


class Unaffordable(Exhausted):
    """Raised by `Proposer.ask`: what proposals cost is more than the budget has left."""


class Proposer(Protocol):
    """Proposes parameters, and may learn from what became of them.

    Nothing has to be saved. To resume, the driver starts the search again with the same seed.
    A search that does not learn is asked from the beginning, and answered from the record. One
    that learns (`Search.learns`) is led through what is on record, in the order it happened:
    `recall` where it was asked, `tell` where it was told. Then it goes on as if it had never
    been away.
    """

    def ask(self) -> dict[str, Value] | None:
        """Propose a point, as `Space.active` would give it.

        Returns:
            A point of the space that satisfies its constraints; None if there is nothing to
            propose until more results are told.

        Raises:
            Exhausted: when there will never be another.
        """

    def recall(self, params: Params) -> None:
        """Take in that an earlier session asked for a point, and was given this one.

        Only called if the search learns, and before the first `ask`. What depends on how often
        it was asked (a seed per proposal, the number of `samples` left) goes on from there.
        """

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        """Report what became of a point, in whatever order points end.

        Points may come that were never asked for (the baseline, earlier sessions) and points
        may come more than once; an unhelpful report is ignored, never an error.

        Args:
            params: the point.
            score: finite, higher is better whatever the metric; None if the trial failed.
            units: how many units the score rests on, for searches that model fidelity;
                None for all of them. A trial that was stopped early ends with fewer.
            ended: False while the trial may go on and be reported again.
        """


@runtime_checkable
class Eager(Proposer, Protocol):
    """A proposer some of whose proposals are to run before all others."""

    @property
    def eager(self) -> bool:
        """Whether the next proposal is one of these."""


@runtime_checkable
class Tracing(Proposer, Protocol):
    """A proposer whose proposals descend from earlier ones."""

    def lineage(self, params: Params) -> Lineage | None:
        """Tell where a point comes from that `ask` has just given; None: chance, or not known."""


@runtime_checkable
class Observing(Proposer, Protocol):
    """A proposer that looks at single questions."""

    def observe(self, params: Params, units: Sequence[str], values: NDArray[np.float64]) -> None:
        """Take in what a point has scored question by question; `tell` follows.

        Args:
            params: the point.
            units: the first of the searched questions, in evaluation order; never others.
            values: of the optimised metric, one a question, higher is better; NaN where it is
                not defined or not known.
        """


class Workroom(Protocol):
    """What a sweep gives a proposer that works in the background. Thread-safe."""

    @property
    def units(self) -> Sequence[str]:
        """Every question that is searched with, in evaluation order."""

    def begin(self, number: int, *, again: bool) -> Meter:
        """Give the meter of a proposal that is begun.

        Args:
            number: of the proposal among those made in the background.
            again: an earlier session has begun it, so that it is on record.
        """

    def made(self, number: int, point: str, failure: str = "") -> None:
        """Put on record that a proposal is made, and what that took; then it may be given.

        Args:
            number: of the proposal.
            point: digest of the point; empty if it is given up.
            failure: what went wrong on the way.
        """

    def paying(self) -> contextlib.AbstractContextManager[None]:
        """Say `Unaffordable` inside of it, where the budget has no room for a call."""

    def wake(self) -> None:
        """Have the sweep ask again."""


@runtime_checkable
class Deferred(Proposer, Protocol):
    """A proposer that makes some proposals in the background, while trials run.

    `ask` then begins one and gives None, and gives it once it is made. What it makes is decided
    when it is begun, which is on record, so that a resumed study makes the same.
    """

    @property
    def making(self) -> int:
        """Count the proposals that are begun and not given yet."""

    @property
    def ready(self) -> bool:
        """Whether `ask` has one of them to give, or to go on with after a break."""

    def attach(self, room: Workroom) -> None:
        """Take what is needed to work in the background; before the first `ask`."""

    def recall_begun(self, number: int) -> None:
        """Take in that an earlier session began a proposal here."""

    def recall_made(self, number: int, point: str) -> None:
        """Take in which point that became (its digest); empty: it was given up."""

    def close(self) -> None:
        """Make nothing more; returns at once."""


class Unlearning:
    """Proposers that give what space and seed decide, whatever becomes of it."""

    def recall(self, params: Params) -> None:
        """Ignore it: it is asked from the beginning."""

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        """Ignore it: proposals do not depend on results."""


class Search(Component):
    """A way to choose what to try next."""

    learns: ClassVar[bool] = False
    """Whether proposals depend on results; then they are drawn one at a time."""
    schedulers: ClassVar[frozenset[str]] = frozenset()
    """Kinds of the schedulers that this one works with; empty: any."""

    @abstractmethod
    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; equal arguments and equal reports give equal proposals.

        Raises:
            ConfigError: if this search cannot work on this space.
        """

    def begin(self, space: Space, seed: int, objective: Objective) -> Proposer:
        """Begin, with an objective to ask what shares preparation or what points cost.

        See `start`, which is all that most searches need.
        """
        del objective
        return self.start(space, seed)

    def writer(self, objective: Objective) -> Rewriter | None:
        """Give who is paid for proposals of this search; None: nobody is.

        Raises:
            ConfigError: the study names somebody whom the objective does not know.
        """
        del objective
        return None

    def most(self, space: Space, objective: Objective) -> Cost:
        """Bound from above what making a proposal costs."""
        del space, objective
        return Cost()

    def total(self, space: Space) -> int | None:
        """Count the proposals it will make; None if it has no end of its own, or not known."""
        del space
        return None


class Sampled(Search):
    """A search that may be told how many points to try."""

    samples: int | None = Field(
        default=None,
        ge=1,
        description="How many points to try; null: until the budget or a finite space ends.",
    )

    def total(self, space: Space) -> int | None:
        """Count the proposals: `samples`, or all points of the space if these are fewer."""
        counts = [n for n in (self.samples, space.total()) if n is not None]
        return min(counts, default=None)
