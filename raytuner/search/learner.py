"""What every search that learns from results has in common, so that an algorithm is one file.

A library proposes values; this makes points of them: plain, snapped, inside the constraints,
and never the same one twice. A point that the library repeats is answered from what is known.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from raytuner.component import digest
from raytuner.lineage import Lineage
from raytuner.objective import Params, Value
from raytuner.search.goals import parts_of
from raytuner.search.port import Exhausted, Proposer, Sampled
from raytuner.search.sampling import Random
from raytuner.space import Space

_ATTEMPTS = 12
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

        `params` is an active point. Failures (`score` None, `ended`) are told too.
        """


@runtime_checkable
class Retrying(Guide, Protocol):
    """A guide that can do better than to be asked the same again.

    What looks best may be a branch of the space of which every point is known, for ever: there
    is too little of it to look bad.
    """

    def retry(self, seed: int, attempt: int) -> Mapping[str, Any] | None:
        """Propose like `suggest`, after `attempt` proposals in a row that could not be used."""


@runtime_checkable
class Descending(Guide, Protocol):
    """A guide whose proposals descend from points it has learned."""

    def lineage(self, point: Params) -> Lineage | None:
        """Tell where the point comes from that was suggested last; None: not known."""


@runtime_checkable
class Attending(Guide, Protocol):
    """A guide that wants to know what is under way."""

    def proposed(self, point: Params) -> None:
        """Take in that a point is being tried, by whomever it was proposed."""


class Learner(Sampled):
    """A search whose proposals depend on results."""

    learns: ClassVar[bool] = True

    @abstractmethod
    def guide(self, space: Space, seed: int) -> Guide:
        """Set up the library.

        Raises:
            ConfigError: if it cannot work on this space.
        """

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; equal arguments and equal reports give equal proposals."""
        return self.led(self.guide(space, seed), space, seed)

    def led(self, guide: Guide, space: Space, seed: int) -> Proposer:
        """Make points of what a guide suggests."""
        return _Fresh(guide, space, seed, self.samples)


class _Fresh:
    """Asks a guide until it gives a new point; after too many repeats, chance gives one.

    What it proposes depends on the points asked for, the outcomes told and the seed, and on
    nothing else, so that recalling and telling brings a new one to the same state.
    """

    def __init__(self, guide: Guide, space: Space, seed: int, samples: int | None) -> None:
        self._guide = guide
        self._space = space
        self._seed = seed
        self._samples = samples
        self._asked = 0
        self._chanced = ""
        self._seen: set[str] = set()
        self._known: dict[str, tuple[Params, Outcome]] = {}
        self._draws = Random().start(space, mixed(seed))

    def ask(self) -> dict[str, Value] | None:
        if self._samples is not None and self._asked >= self._samples:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        point: dict[str, Value] | None = None
        for attempt in range(_ATTEMPTS):
            raw = self._suggested(mixed(self._seed, self._asked, attempt), attempt)
            if raw is None:
                return None
            point = self._fitting(raw)
            if point is not None:
                break
        self._chanced = ""
        if point is None:
            point = self._by_chance()
            self._chanced = digest(point)
        self.recall(point)
        return point

    def lineage(self, params: Params) -> Lineage | None:
        if digest(params) == self._chanced:
            return Lineage("random")
        return self._guide.lineage(params) if isinstance(self._guide, Descending) else None

    def recall(self, params: Params) -> None:
        self._asked += 1
        self._seen.add(digest(params))
        if isinstance(self._guide, Attending):
            self._guide.proposed(params)

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        if score is not None and not all(map(math.isfinite, parts_of(score))):
            score = None  # a NaN would upset every order
        if score is None and not ended:
            return  # nothing measured so far is no failure
        if not self._space.contains(params):
            return  # trial 0 may lie where this search cannot go, and so tells it nothing
        outcome = Outcome(score, units, ended)
        self._known[digest(params)] = (params, outcome)
        self._guide.learn(params, outcome)

    def _suggested(self, seed: int, attempt: int) -> Mapping[str, Any] | None:
        if attempt and isinstance(self._guide, Retrying):
            return self._guide.retry(seed, attempt)
        return self._guide.suggest(seed)

    def _fitting(self, raw: Mapping[str, Any]) -> dict[str, Value] | None:
        """Give the point of raw values if it is a new one that may be."""
        point = self._space.active(raw)
        if self._space.violated(point):
            return None
        name = digest(point)
        if name in self._known:  # trial 0, or a repeat: it costs nothing to say what is known
            self._guide.learn(*self._known[name])
        return None if self._is_old(name) else point

    def _by_chance(self) -> dict[str, Value]:
        """Give the first of a sequence of random points that nobody has seen.

        What was skipped once is old for ever, so the sequence is never gone through again.
        """
        while True:
            point = self._draws.ask()
            if point is None:
                raise Exhausted("chance has no more points")
            if not self._is_old(digest(point)):
                return point

    def _is_old(self, name: str) -> bool:
        return name in self._seen or name in self._known


def mixed(*parts: int) -> int:
    """Give a 32-bit seed that depends on all parts and on nothing else."""
    return int(digest(*parts)[:8], 16)
