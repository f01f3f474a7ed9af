"""The judge of population-based training: at every step, the worst make room.

M. Jaderberg et al., "Population Based Training of Neural Networks", 2017 (arXiv:1711.09846).
"""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from raytuner.component import ConfigError
from raytuner.schedulers.ladder import even
from raytuner.schedulers.port import Decisions, Judge, Scheduler
from raytuner.schedulers.standby import Standby

_QUARTER = 4


class PopulationBased(Scheduler, kind="pbt"):
    """Stop the worst `quantile` of a population at every perturbation step.

    The search (`pbt` or `pb2`) proposes changed copies of the best, which take the free places.
    Where units are steps of a training, a copy goes on from its parent's checkpoint; on golden
    questions it begins with the first one, and is compared when it has answered as many as the
    others. There no place is filled any more for the last step, which nobody could be compared
    after, and which would cost a whole trial; the next trials begin a new population.
    Trials that find all places taken begin one as well, so more workers than `population` run
    several side by side.
    """

    searches: ClassVar[frozenset[str]] = frozenset({"pbt", "pb2"})

    population: int = Field(default=8, ge=2, description="Trials that advance together.")
    interval: int | None = Field(
        default=None,
        ge=1,
        description="Questions from one perturbation step to the next; null: a quarter of all.",
    )
    quantile: float = Field(
        default=0.25,
        gt=0,
        le=0.5,
        description="The share of the population, from the bottom, that is stopped at each step.",
    )
    fill_last: bool | None = Field(
        default=None,
        description="Whether free places are taken for the last step as well; null: where copies "
        "go on from checkpoints.",
    )

    def suited(self, total: int | None, *, forks: bool) -> PopulationBased:
        """Fill in whether the last step is worth a copy."""
        del total
        return self if self.fill_last is not None else self.model_copy(update={"fill_last": forks})

    def start(self, units: int, seed: int) -> Judge:
        """Begin; nothing is random.

        Raises:
            ConfigError: also if `quantile` is less than one trial of the population.
        """
        del seed
        if _share(self.quantile, self.population) == 0:
            raise ConfigError(
                f"scheduler.quantile: {self.quantile:g} of a population of {self.population} is "
                f"less than one trial; give at least {1 / self.population:.2g}",
                ("scheduler", "quantile"),
            )
        last = bool(self.fill_last)
        populations = _Populations(self.rungs(units), self.population, self.quantile, last=last)
        # Copies wait for the places of those that lose, so these are not kept in reserve.
        return populations if last else Standby(populations, units)

    def rungs(self, units: int) -> tuple[int, ...]:
        """List `interval`, twice that, ... and `units`."""
        interval = self.interval or -(-units // _QUARTER)
        return even(units, interval, interval)


def _share(quantile: float, trials: int) -> int:
    """Give how many trials a quantile is, forgiving what floats add or take away."""
    return math.floor(quantile * trials + 1e-9)


class _Population:
    """Trials of one population; they wait for each other, and for free places to be taken."""

    def __init__(self, ladder: tuple[int, ...], size: int, quantile: float, *, last: bool) -> None:
        self._ladder = ladder
        self._size = size
        self._quantile = quantile
        self._fills_last = last
        self._level = 0
        self._waiting: set[str] = set()
        self._scores: dict[str, float] = {}

    @property
    def _last(self) -> bool:
        return self._level + 1 == len(self._ladder)

    @property
    def open(self) -> bool:
        """Whether another trial may come in."""
        full = len(self._waiting) + len(self._scores) == self._size
        return not full and (not self._last or self._fills_last or len(self._ladder) == 1)

    @property
    def over(self) -> bool:
        """Whether it needs no trial and no decision any more."""
        return self._last and not self.open

    def add(self, key: str) -> int:
        if not self._waiting and not self._scores:
            self._level = 0  # all have failed: the next ones begin from the start
        self._waiting.add(key)
        return self._ladder[self._level]

    def report(self, key: str, score: float) -> Decisions:
        if key not in self._waiting:
            return {}
        self._waiting.discard(key)
        self._scores[key] = score
        return {} if len(self._scores) < self._size else self.decide()

    def drop(self, key: str) -> None:
        """Free a failed trial's place, which the next one takes."""
        self._waiting.discard(key)
        self._scores.pop(key, None)

    def decide(self) -> Decisions:
        """Stop the worst, send the others on; nobody is under way."""
        if self._last or self._waiting or not self._scores:
            return {}
        ranked = sorted(self._scores, key=lambda key: (-self._scores[key], key))
        kept = len(ranked) - _share(self._quantile, len(ranked))
        self._level += 1
        self._waiting = set(ranked[:kept])
        self._scores = {}
        return {
            **dict.fromkeys(ranked[:kept], self._ladder[self._level]),
            **dict.fromkeys(ranked[kept:]),
        }


class _Populations:
    """All populations that are not over, the oldest first."""

    def __init__(self, ladder: tuple[int, ...], size: int, quantile: float, *, last: bool) -> None:
        self._ladder, self._size, self._quantile, self._last = ladder, size, quantile, last
        self._all: list[_Population] = []
        self._of: dict[str, _Population] = {}

    def add(self, key: str) -> int:
        self._all = [population for population in self._all if not population.over]
        found = next((population for population in self._all if population.open), None)
        if found is None:
            found = _Population(self._ladder, self._size, self._quantile, last=self._last)
            self._all.append(found)
        self._of[key] = found
        return found.add(key)

    def report(self, key: str, units: int, score: float) -> Decisions:
        del units
        return self._of[key].report(key, score)

    def drop(self, key: str) -> Decisions:
        self._of[key].drop(key)
        return {}

    def drain(self) -> Decisions:
        """Decide in populations that cannot be filled with those that are there."""
        decisions: dict[str, int | None] = {}
        for population in self._all:
            decisions.update(population.decide())
        return decisions
