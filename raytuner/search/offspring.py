"""How a point of a space with texts descends from others: which parents, and what is changed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raytuner.lineage import Lineage
from raytuner.objective import Params, Value
from raytuner.search.axes import complete
from raytuner.search.frontier import Candidate
from raytuner.search.population import changed_value
from raytuner.search.sentences import changed, merged
from raytuner.space import Space
from raytuner.spaces.texts import Text

Point = dict[str, Value]
Fresh = Callable[[Params], bool]
"""Whether a point may be proposed: nobody has tried it, and it breaks no constraint."""

_TRIES = 60
_REDRAW, _FACTOR = 0.25, 1.2
"""Of a parameter that changes: chance to be drawn anew, and what a number is multiplied by."""


@dataclass(frozen=True)
class Child:
    """A point that may be proposed, and where it comes from."""

    point: Point
    lineage: Lineage


class Breeding:
    """Makes points from points.

    Args:
        space: has at least one text.
        change: chance of a parameter that is no text to change in a child.
    """

    def __init__(self, space: Space, change: float) -> None:
        self.space = space
        self.texts: Mapping[str, Text] = {
            name: domain for name, domain in space.domains.items() if isinstance(domain, Text)
        }
        self._change = change

    def first(self, standing: Params | None, seed: int) -> list[Point]:
        """List points with every seed of every text, whatever else there is as it stands."""
        rng, found = random.Random(seed), list[Point]()
        known = {
            name: value
            for name, value in (standing or {}).items()
            if name in self.space.domains and self.space.domains[name].contains(value)
        }
        for number in range(max(len(text.seeds) for text in self.texts.values())):
            own = {n: text.seeds[number % len(text.seeds)] for n, text in self.texts.items()}
            for attempt in range(_TRIES):
                rest = known if attempt < _TRIES // 2 else {}
                point = complete(self.space, {**rest, **own}, rng)
                if self.space.violated(point) is None:
                    found.append(self.space.active(point))
                    break
        return [point for place, point in enumerate(found) if point not in found[:place]]

    def active(self, params: Params) -> list[str]:
        """Name the texts that a point has."""
        return [name for name in self.texts if name in params]

    def varied(self, params: Params, rng: random.Random) -> Point:
        """Change some of the parameters that are no texts; constraints are kept."""
        for _ in range(_TRIES):
            new = {
                name: value
                if name in self.texts or rng.random() >= self._change
                else changed_value(self.space.domains[name], value, rng, _REDRAW, _FACTOR)
                for name, value in params.items()
            }
            point = complete(self.space, new, rng)
            if self.space.violated(point) is None:
                return point
        return dict(params)

    def mutated(self, parent: Params, rng: random.Random, fresh: Fresh) -> Point | None:
        """Change a sentence of a text, and perhaps other parameters; None if nothing is new."""
        for _ in range(_TRIES):
            point = self.varied(parent, rng)
            if names := self.active(point):
                name = rng.choice(names)
                text = changed(self.texts[name], str(point[name]), rng)
                point[name] = point[name] if text is None else text
            if fresh(point):
                return point
        return None

    def mixed(self, parents: Sequence[Params], rng: random.Random, fresh: Fresh) -> Point | None:
        """Mix two points: sentences of both texts, other parameters from either."""
        one, other = parents
        for _ in range(_TRIES):
            new: dict[str, Any] = {}
            for name, value in one.items():
                second = other.get(name, value)
                if name in self.texts:
                    mixture = merged(self.texts[name], str(value), str(second), rng)
                    new[name] = value if mixture is None else mixture
                else:
                    new[name] = rng.choice([value, second])
            point = complete(self.space, new, rng)
            if fresh(point):
                return point
        return None

    def rewritten(self, rest: Params, name: str, text: str) -> Point:
        """Put a text into a point, which it has to fit."""
        return self.space.active({**rest, name: text})


@dataclass
class Plan:
    """What is to be made next.

    Attributes:
        turn: number of the decision; with the seed of the search it decides all that is drawn.
        how: `seed`, `random`, `template`, `merge` or `reflection`.
        point: of `seed` and `random`, what is proposed; of `reflection`, all but the new text.
        parents: the most important one first.
        text: of `reflection`, the parameter that is rewritten.
        units: of `reflection`, the questions that are shown.
        rivals: of `reflection`, other texts and their scores.
        number: of those that are made in the background.
        made: digest of what that became in an earlier session.
        child: what it became.
        started: whether it is under way.
    """

    turn: int
    how: str
    point: Point
    parents: tuple[Candidate, ...] = ()
    text: str = ""
    units: tuple[str, ...] = ()
    rivals: tuple[tuple[str, float], ...] = ()
    number: int = -1
    made: str = ""
    child: Child | None = None
    started: bool = False

    @property
    def origins(self) -> tuple[Params, ...]:
        """The points of the parents."""
        return tuple(dict(parent.params) for parent in self.parents)
