"""What every search that learns from results has in common, so that an algorithm is one file.

A library proposes values; this makes points of them: plain, snapped, inside the constraints,
and never the same one twice. A point that the library repeats is answered from what is known.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from pydantic import Field

from raytuner.component import digest
from raytuner.objective import Params, Value
from raytuner.search.port import Exhausted, Proposer, Search
from raytuner.search.sampling import Random
from raytuner.space import Space

_ATTEMPTS = 20
"""How often a library may repeat itself or leave the constraints before chance chooses."""


class Outcome(NamedTuple):
    """What is known of a point.

    Attributes:
        score: finite, higher is better; None if the trial failed.
        units: how many units the score rests on; None for all of them.
        ended: False while the trial may go on.
    """

    score: float | None
    units: int | None = None
    ended: bool = True


class Guide(Protocol):
    """A library behind a search: proposes raw values, and learns."""

    def suggest(self, seed: int) -> Mapping[str, Any] | None:
        """Propose a value per active parameter; inactive ones may be there, and are dropped.

        Everything random comes from `seed`, so that equal outcomes and an equal seed give an
        equal proposal, also in another process. None: not before more outcomes are learned.
        """

    def learn(self, params: Params, outcome: Outcome) -> None:
        """Take in what became of a point, asked for or not; the latest outcome of a point holds.

        `params` is an active point. Failures (`score` None) are told too.
        """


class Learner(Search):
    """A search whose proposals depend on results."""

    learns: ClassVar[bool] = True

    samples: int | None = Field(
        default=None,
        ge=1,
        description="How many points to try; null: until the budget or a finite space ends.",
    )

    @abstractmethod
    def guide(self, space: Space, seed: int) -> Guide:
        """Set up the library.

        Raises:
            ConfigError: if it cannot work on this space.
        """

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; equal arguments and equal reports give equal proposals."""
        return _Fresh(self.guide(space, seed), space, seed, self.samples)

    def total(self, space: Space) -> int | None:
        """Count the proposals: `samples`, or all points of the space if these are fewer."""
        counts = [n for n in (self.samples, space.total()) if n is not None]
        return min(counts, default=None)


class _Fresh:
    """Asks a guide until it gives a new point; after too many repeats, chance gives one."""

    def __init__(self, guide: Guide, space: Space, seed: int, samples: int | None) -> None:
        self._guide = guide
        self._space = space
        self._seed = seed
        self._samples = samples
        self._asked = 0
        self._seen: set[str] = set()
        self._known: dict[str, tuple[Params, Outcome]] = {}

    def ask(self) -> dict[str, Value] | None:
        if self._asked == self._samples:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        point: dict[str, Value] | None = None
        for attempt in range(_ATTEMPTS):
            raw = self._guide.suggest(_mixed(self._seed, self._asked, attempt))
            if raw is None:
                return None
            point = self._fitting(raw)
            if point is not None:
                break
        if point is None:
            point = self._by_chance()
        self.recall(point)
        return point

    def recall(self, params: Params) -> None:
        self._asked += 1
        self._seen.add(digest(params))

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        outcome = Outcome(score, units, ended)
        self._known[digest(params)] = (params, outcome)
        self._guide.learn(params, outcome)

    def _fitting(self, raw: Mapping[str, Any]) -> dict[str, Value] | None:
        """Give the point of raw values if it is a new one that may be."""
        point = self._space.active(raw)
        if self._space.violated(point):
            return None
        name = digest(point)
        if name in self._known:  # trial 0, or a repeat: it costs nothing to say what is known
            self._guide.learn(*self._known[name])
        return None if name in self._seen or name in self._known else point

    def _by_chance(self) -> dict[str, Value]:
        """Draw a point nobody has seen, however few are left."""
        draws = Random().start(self._space, _mixed(self._seed, self._asked, _ATTEMPTS))
        while True:
            point = draws.ask()
            if point is not None and digest(point) not in self._seen | self._known.keys():
                return point


def _mixed(*parts: int) -> int:
    """Give a 32-bit seed that depends on all parts and on nothing else."""
    return int(digest(*parts)[:8], 16)
