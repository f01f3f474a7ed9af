"""Proposes texts: decides on one after the other, and has those written that somebody writes."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raytuner.component import digest
from raytuner.lineage import Lineage
from raytuner.objective import Params
from raytuner.search.descent import Descent
from raytuner.search.goals import parts_of
from raytuner.search.offspring import Child, Plan, Point
from raytuner.search.port import Exhausted, Unaffordable, Workroom
from raytuner.search.writing import Desk, Written

_BARREN = 5
"""Texts in a row that bring nothing new, and for which fragments bring nothing either."""
_NOTHING = "nothing new can be made of the texts and fragments there are"


class Author:
    """Proposes texts; see `raytuner.search.port.Deferred`.

    Its lock is never held while the sweep is called, as the sweep calls here under its own.

    Args:
        descent: decides.
        samples: how many points to propose; None: no end.
        desk: has texts written; None: nobody writes.
        writers: how many texts may be written at a time.
    """

    def __init__(
        self,
        descent: Descent,
        *,
        samples: int | None = None,
        desk: Desk | None = None,
        writers: int = 1,
    ) -> None:
        self._descent = descent
        self._space = descent.breeding.space
        self._samples = samples
        self._desk = desk
        self._writers = writers
        self._room: Workroom | None = None
        self._lock = threading.RLock()
        self._asked = self._begun = self._barren = 0
        self._pending: dict[int, Plan] = {}
        self._ready: list[Plan] = []
        self._over = ""
        self._closed = False

    # ---- asked

    def ask(self) -> Point | None:
        """Give what is written, or decide on something else; see `Proposer.ask`."""
        with self._lock:
            if self._over:
                raise Unaffordable(self._over)
            while self._ready:
                child = self._taken(self._ready.pop(0))
                if child is not None:
                    return self._given(child)
            self._check()
            self._start()
            if self._full:
                return None
            plan = self._descent.decide(writes=self._desk is not None)
            if plan is None:
                return None
            if plan.how != "reflection" or self._room is None:
                return self._proposed(plan)
            self._descent.turn += 1
            self._keep(plan, self._begun)
            self._start(again=False)
            return None

    def lineage(self, params: Params) -> Lineage | None:
        """Tell where a point comes from; see `Tracing`."""
        with self._lock:
            return self._descent.lineage(params)

    @property
    def making(self) -> int:
        """Count the texts that are being written, and those that wait to be asked for."""
        return len(self._pending)

    @property
    def ready(self) -> bool:
        """Whether `ask` has something to give, or to go on with."""
        with self._lock:
            return bool(self._ready) or any(not p.started for p in self._pending.values())

    @property
    def _full(self) -> bool:
        """Whether nothing more can be begun for now."""
        enough = self._samples is not None and self._asked + self.making >= self._samples
        return enough or self.making >= self._writers

    def _check(self) -> None:
        if self._pending:
            return
        if self._samples is not None and self._asked >= self._samples:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        if self._barren >= _BARREN:
            raise Exhausted(_NOTHING)

    def _proposed(self, plan: Plan) -> Point | None:
        child = self._descent.made(plan)
        if child is not None:
            self._descent.turn += 1
            return self._given(child)
        if self._pending or self._descent.outstanding:  # what comes of them may bring on more
            return None
        raise Exhausted(_NOTHING)

    def _taken(self, plan: Plan) -> Child | None:
        del self._pending[plan.number]
        if plan.child is None:
            self._barren += 1
            return None
        self._descent.taken.discard(digest(plan.child.point))
        return plan.child

    def _given(self, child: Child) -> Point:
        self._barren = 0
        self._asked += 1
        self._descent.note(child)
        return dict(child.point)

    def _keep(self, plan: Plan, number: int) -> None:
        plan.number = number
        self._pending[number] = plan
        self._begun = number + 1

    def _start(self, *, again: bool = True) -> None:
        """Have written what is not under way: what was just begun, or in an earlier session."""
        for plan in self._pending.values():
            if not plan.started and self._desk is not None and self._room is not None:
                plan.started = True
                self._descent.taken.discard(plan.made)
                self._desk.start(plan, self._room, self._use, self._settle, again=again)

    # ---- told

    def observe(self, params: Params, units: Sequence[str], values: NDArray[np.float64]) -> None:
        """Take in scores of single questions.

        Raises:
            ValueError: a question is none that is searched with.
        """
        with self._lock:
            if self._room is not None and not set(units) <= set(self._room.units):
                raise ValueError("a search is never told of questions that are held out")
            if self._space.contains(params):
                self._descent.frontier.observe(params, units, values)

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        """Take in a score; see `Proposer.tell`."""
        if score is not None and not all(map(math.isfinite, parts_of(score))):
            score = None  # a NaN would upset every order
        with self._lock:
            if ended:
                self._descent.outstanding.discard(digest(params))
            if (score is not None or ended) and self._space.contains(params):
                self._descent.frontier.learn(params, score, units)

    # ---- an earlier session

    def recall(self, params: Params) -> None:
        """Take in a proposal: one that was written, or one that is decided on here again."""
        with self._lock:
            self._asked += 1
            self._descent.note(Child(dict(params), self._recalled(digest(params))))

    def _recalled(self, name: str) -> Lineage:
        plan = next((p for p in self._pending.values() if p.made == name), None)
        if plan is not None:
            del self._pending[plan.number]
            self._descent.taken.discard(name)
            return Lineage("reflection", plan.origins, self._descent.generation(plan))
        plan = self._descent.decide(writes=self._desk is not None)
        child = None if plan is None else self._descent.made(plan)
        self._descent.turn += 1
        return child.lineage if child and digest(child.point) == name else Lineage("template")

    def recall_begun(self, number: int) -> None:
        """Decide again what was to be written then."""
        with self._lock:
            if number < self._begun:
                return
            plan = self._descent.decide(writes=True, recalled=True)
            self._descent.turn += 1
            self._begun = number + 1
            if plan is not None and plan.how == "reflection":
                self._keep(plan, number)

    def recall_made(self, number: int, point: str) -> None:
        """Take in what was written."""
        with self._lock:
            plan = self._pending.get(number)
            if plan is not None and point:
                plan.made = point
                self._descent.taken.add(point)
            elif plan is not None:
                del self._pending[number]

    # ---- written, in threads

    def attach(self, room: Workroom) -> None:
        """Take what is needed to have texts written."""
        self._room = room

    def close(self) -> None:
        """Take nothing more that is written."""
        with self._lock:
            self._closed = True

    def _use(self, plan: Plan, said: str) -> str:
        """Make a child of what was written; give why it cannot be one, or nothing."""
        with self._lock:
            child = self._descent.written(plan, said.strip())
            if isinstance(child, str):
                return child
            self._take(plan, child)
        return ""

    def _settle(self, plan: Plan, written: Written) -> None:
        """Put on record what became of a plan, and have it asked for."""
        room = self._room
        with self._lock:
            if self._closed or room is None:
                return
            if written.over:
                self._over = written.failure
            elif written.failure:
                self._take(plan, self._descent.made(plan, f"nothing written: {written.failure}"))
        name = "" if plan.child is None else digest(plan.child.point)
        room.made(plan.number, name, written.failure)
        with self._lock:
            self._ready.append(plan)
        room.wake()

    def _take(self, plan: Plan, child: Child | None) -> None:
        plan.child = child
        if child is not None:
            self._descent.taken.add(digest(child.point))
