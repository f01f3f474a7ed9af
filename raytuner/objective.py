"""The port between the tuner and whatever is being tuned.

`raytuner` calls it, `pipelines` and users implement it; neither sees the other.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from raytuner.component import RaytunerError
from raytuner.ports.cost import Cost as Cost  # noqa: PLC0414 - a part of the port
from raytuner.ports.exchange import Arrays as Arrays  # noqa: PLC0414
from raytuner.ports.exchange import Exchange as Exchange  # noqa: PLC0414
from raytuner.ports.metering import Meter as Meter  # noqa: PLC0414
from raytuner.ports.metering import Relay as Relay  # noqa: PLC0414
from raytuner.ports.metering import Tally as Tally  # noqa: PLC0414

if TYPE_CHECKING:
    from raytuner.answering import Answerer
    from raytuner.ports.gate import Answers
    from raytuner.ports.rewriting import Rewriter

UNIT_USD = "usd_per_question"
UNIT_TOKENS = "tokens_per_question"
COSTS = (UNIT_USD, UNIT_TOKENS)
"""Metrics that objectives report where answering costs money: what a configuration would spend
on the unit if nothing were cached, judges aside. Lower is better."""
LATENCY = "latency"
"""Key in a unit's notes: seconds that a user would have waited for its answer, alone and with
nothing cached; where calls were made, without failed attempts and without waiting for leave."""

Value = bool | int | float | str | None | tuple["Value", ...]
"""What one parameter may be: a plain scalar, or a tuple of them (a chosen subset)."""

Params = Mapping[str, Value]
"""Dotted parameter names (`chunker.size`) to values."""

FailureKind = Literal[
    "rate_limit", "timeout", "provider", "lost_worker", "out_of_memory", "config", "objective"
]


def tupled(value: Any) -> Any:
    """Give the tuples back that JSON and YAML have as lists, however deep."""
    return tuple(map(tupled, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Failure:
    """Why something has no score. A failure is missing data, never a score."""

    kind: FailureKind
    message: str
    retryable: bool = False


class ObjectiveFailure(RaytunerError):  # noqa: N818 - it is a Failure that travels
    """Raised inside an objective to report a typed failure of the whole batch."""

    def __init__(self, kind: FailureKind, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(kind, message, retryable)


class UnitScore(NamedTuple):
    """The result of one unit (a golden question) under one configuration.

    Attributes:
        unit: id of the unit, as in `Objective.units`.
        scores: finite number per metric; empty if and only if `failure` is set.
        cost: what answering and judging this unit consumed.
        seconds: this unit's share of the wall time.
        failure: why there is no score, or None.
        notes: anything worth keeping beside the scores, as plain JSON values.
    """

    unit: str
    scores: Mapping[str, float]
    cost: Cost = Cost()
    seconds: float = 0.0
    failure: Failure | None = None
    notes: Mapping[str, Any] | None = None


class Objective(ABC):
    """What a study optimises. Small to pickle: paths and configuration, never data."""

    by_hand: ClassVar[bool] = False
    """Whether people evaluate it (`raytuner ask`, `raytuner tell`), and `evaluate` cannot."""
    fact_names: ClassVar[tuple[str, ...]] = ()
    """Names of what `facts` gives; a study may set limits on them."""
    curve: ClassVar[bool] = False
    """Whether units are steps of one training: the last one that is done counts, not their mean."""
    forks: bool = False
    """Whether a copy can go on, under other parameters, from where another trial was."""

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> Self:
        """Make one from a study's `objective:` section.

        Args:
            args: the section without its `kind`.
            root: folder of the study file; relative paths start there.
            seed: the study's seed.

        Raises:
            ConfigError: for bad input, naming file, line or field.
        """
        del root, seed
        return cls(**args)

    @abstractmethod
    def units(self) -> Sequence[str]:
        """List unit ids in evaluation order: seeded, stratified, the same for every trial."""

    @abstractmethod
    def key(self, params: Params) -> str:
        """Give the identity of what `params` would compute: configuration, data, metrics, versions.

        Raises:
            ConfigError: if no trial could run with these parameters.
        """

    @abstractmethod
    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Score the units, batch by batch; any order inside a batch.

        A batch is on record before the next one is asked for, so a batch is what a crash can
        cost. Checks `meter.cancelled` between batches where one takes long.

        Raises:
            ObjectiveFailure: a typed failure of all units not yet yielded. Any other exception
                counts as a failure of kind `objective`.
        """

    async def aevaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> AsyncIterator[Sequence[UnitScore]]:
        """Do `evaluate` without blocking an event loop; override where the work is async."""
        batches = self.evaluate(params, units, meter)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            yield batch

    def groups(self) -> Mapping[str, str]:
        """Name what units come from (a source document, a conversation), by unit.

        Units of one group are no independent evidence: they stay on one side of the split into
        search and held-out questions, and are resampled together. A unit that is not named is a
        group of its own.
        """
        return {}

    def tests(self) -> Sequence[str]:
        """List units that `units` does not, which judge what the search has found.

        For objectives that divide their data themselves; of any other, the study holds a part of
        the units out. No search is told of them.
        """
        return ()

    def strata(self) -> Mapping[str, str]:
        """Name the kind of a unit (its tags); every kind is split alike."""
        return {}

    def contents(self) -> Mapping[str, str]:
        """Give a short digest of what every unit asks and expects, by unit.

        Runs are compared on the units that say the same in both. An objective that gives none
        vouches for its ids: the same id is the same unit.
        """
        return {}

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Show what `params` do with units, for people: plain JSON values, one mapping a unit.

        Uses what is on record and spends nothing: what would have to be paid for is left out.
        Keys are described in `raytuner.ports.explanation`; an objective leaves out what it has not.
        """
        del params, units
        return ()

    def facts(self, params: Params) -> Mapping[str, float]:
        """Give figures of a configuration that no unit has of its own, e.g. {"index_mb": 12.5}.

        Asked where a trial has run, after its units, so that what it needs is at hand.
        `fact_names` lists the keys.
        """
        del params
        return {}

    def scope(self) -> str:
        """Give the identity of what all trials share; trials of other scopes do not compare."""
        return ""

    def share(self, exchange: Exchange) -> None:
        """Pass artifacts, and the data itself, to other processes through `exchange` from now on.

        Called in the driver first, then in every worker process, before any evaluation.
        """
        del exchange

    def estimate(self, params: Params, units: Sequence[str]) -> Cost:
        """Predict the cost of `evaluate`, before any money is spent."""
        del params, units
        return Cost()

    def estimate_range(self, params: Params, units: Sequence[str]) -> tuple[Cost, Cost]:
        """Predict the least and the most that `evaluate` will cost, nothing being cached."""
        cost = self.estimate(params, units)
        return cost, cost

    def unpriced(self, params: Params) -> Sequence[str]:
        """Name what a trial would pay for at a price that nobody knows."""
        del params
        return ()

    def preflight(self, points: Sequence[Params], *, remote: bool) -> None:
        """Reach out, without spending, to the services that `points` need; before a run.

        `remote`: trials run elsewhere, where keys may be that are not here.

        Raises:
            ConfigError: a key is missing or refused, a model unknown.
        """
        del points, remote

    def paid(self) -> bool:
        """Tell whether evaluating makes calls that go through the gate (`Meter.gate`)."""
        return False

    def answers(self) -> Answers | None:
        """Give the place where the driver's host keeps answers to equal calls, or None."""
        return None

    def metrics(self) -> tuple[str, ...] | None:
        """Name the metrics that `evaluate` reports, or None if only running it can tell."""
        return None

    def measures(self, metric: str) -> bool:
        """Tell whether any unit can have `metric`."""
        del metric
        return True

    def maximise(self, metric: str) -> bool:
        """Tell whether more of `metric` is better."""
        del metric
        return True

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give the baseline's value of each named parameter, or None if there is no baseline."""
        del names
        return None

    def affinity(self, params: Params) -> str:
        """Give equal strings to parameters that share expensive preparation."""
        del params
        return ""

    def plan(self, points: Sequence[Params]) -> Mapping[str, float]:
        """Count the distinct work behind `points`, e.g. {"texts to embed": 1118}."""
        del points
        return {}

    def warnings(self) -> Sequence[str]:
        """Say what looks wrong with the data, one sentence each."""
        return ()

    def rewriter(self, model: Any) -> Rewriter | None:
        """Give who writes new texts, as a search names them, or None if nobody can.

        Raises:
            ConfigError: there is no such model.
        """
        del model
        return None

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give the full configuration behind `params`, as plain YAML values."""
        return dict(params)

    def answerer(self, params: Params) -> Answerer | None:
        """Give what answers new questions as `params` say, or None if nobody asks it any."""
        del params
        return None
