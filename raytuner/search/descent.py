"""Decides what is proposed next where texts are evolved, and knows who descends from whom."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from raytuner.component import digest
from raytuner.lineage import Lineage
from raytuner.objective import Params, Value
from raytuner.search.frontier import Frontier
from raytuner.search.learner import mixed
from raytuner.search.offspring import Breeding, Child, Plan, Point


class Habits(NamedTuple):
    """How children are made.

    Attributes:
        merge: chance to be mixed from two parents.
        examples: questions that are shown to whoever writes.
        rivals: other texts that are shown.
    """

    merge: float
    examples: int
    rivals: int


class Descent:
    """A population of points, and what is made of it.

    What is drawn depends on the seed, on the number of decisions, and on what was noted and told
    before: led through the same again, it decides the same again.

    Args:
        breeding: makes points from points.
        first: points to begin with.
        habits: how children are made.
        seed: of all that is random.

    Attributes:
        frontier: what is known of points.
        turn: number of decisions so far.
        taken: digests of points that are made, but not proposed yet.
        outstanding: digests of points that are proposed and have not ended.
    """

    def __init__(
        self, breeding: Breeding, first: Sequence[Point], habits: Habits, seed: int
    ) -> None:
        self.breeding = breeding
        self.frontier = Frontier()
        self.turn = 0
        self.taken: set[str] = set()
        self.outstanding: set[str] = set()
        self._first = first
        self._habits = habits
        self._seed = seed
        self._seen: set[str] = set()
        self._lineages: dict[str, Lineage] = {}

    def note(self, child: Child) -> None:
        """Take in that a point is proposed."""
        name = digest(child.point)
        self._lineages[name] = child.lineage
        self._seen.add(name)
        self.outstanding.add(name)

    def lineage(self, params: Params) -> Lineage | None:
        """Tell where a point comes from that was proposed."""
        return self._lineages.get(digest(params))

    def decide(self, *, writes: bool, recalled: bool = False) -> Plan | None:
        """Decide what comes next; None: not before more is told.

        Args:
            writes: whether there is anybody who writes.
            recalled: it is on record that something was to be written.
        """
        rng = random.Random(mixed(self._seed, self.turn))
        first = next((point for point in self._first if self.fresh(point)), None)
        if first is not None and not recalled:
            return Plan(self.turn, "seed", first)
        parent = self.frontier.draw(rng)
        if parent is None:
            if self.outstanding:
                return None
            return Plan(self.turn, "random", self.breeding.space.sample(rng))
        other, mixing = self.frontier.draw(rng, {parent.name}), rng.random()
        if other is not None and mixing < self._habits.merge and not recalled:
            return Plan(self.turn, "merge", dict(parent.params), (parent, other))
        rest = self.breeding.varied(parent.params, rng)
        names = self.breeding.active(rest)
        if not names or not (writes or recalled):
            return Plan(self.turn, "template", dict(parent.params), (parent,))
        name = rng.choice(names)
        worst = parent.worst()[: 3 * self._habits.examples]
        return Plan(
            self.turn,
            "reflection",
            rest,
            (parent,),
            text=name,
            units=tuple(rng.sample(worst, min(self._habits.examples, len(worst)))),
            rivals=self._rivals(rest[name], name),
        )

    def made(self, plan: Plan, note: str = "") -> Child | None:
        """Make the point of a plan, without anybody who writes; None if nothing is new."""
        if plan.how in {"seed", "random"} and self.fresh(plan.point):
            return Child(plan.point, Lineage(plan.how))
        rng = random.Random(mixed(self._seed, plan.turn, 1))
        parents = plan.origins or (plan.point,)
        if plan.how == "merge":
            point = self.breeding.mixed(parents, rng, self.fresh)
            if point is not None:
                return Child(point, Lineage("merge", parents, self.generation(plan), note))
        point = self.breeding.mutated(parents[0], rng, self.fresh)
        if point is None:
            return None
        return Child(point, Lineage("template", plan.origins[:1], self.generation(plan), note))

    def written(self, plan: Plan, text: str) -> Child | str:
        """Make the point of a plan from what was written, or say why it cannot be one."""
        wrong = self.breeding.texts[plan.text].objection(text)
        if wrong is not None:
            return wrong
        if text == str(plan.point[plan.text]).strip():
            return "is the one there was"
        point = self.breeding.rewritten(plan.point, plan.text, text)
        if not self.fresh(point):
            return "is one that has been tried"
        count = len(plan.units)
        note = f"shown {count} question{'s' * (count > 1)} that failed" if count else ""
        return Child(point, Lineage("reflection", plan.origins, self.generation(plan), note))

    def generation(self, plan: Plan) -> int:
        """Count one more than that of the youngest parent."""
        known = [self.lineage(params) for params in plan.origins]
        return max(((one.generation or 0) + 1 if one else 1 for one in known), default=0)

    def fresh(self, point: Params) -> bool:
        """Tell whether nobody has proposed or tried a point that may be."""
        name = digest(point)
        known = name in self._seen or name in self.taken or name in self.frontier
        return not known and self.breeding.space.violated(point) is None

    def _rivals(self, own: Value, name: str) -> tuple[tuple[str, float], ...]:
        found: dict[str, float] = {}
        for candidate in self.frontier.usable():
            text, score = candidate.params.get(name), candidate.score
            if isinstance(text, str) and text != own and score is not None:
                found.setdefault(text, float(score))
        return tuple(found.items())[: self._habits.rivals]
