"""What to try next: proposals drawn from the search, told apart, counted and put in order."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from raytuner.budget import Budget, Spent
from raytuner.component import ConfigError, digest
from raytuner.events import repeat_event
from raytuner.journal import Journal
from raytuner.lineage import Origin
from raytuner.objective import Objective, Params, Value
from raytuner.search.port import (
    Deferred,
    Eager,
    Exhausted,
    Observing,
    Proposer,
    Tracing,
    Unaffordable,
)
from raytuner.sweeping.order import Order, Proposal

_REPEATS = 1_000
"""Proposals in a row that bring nothing new; then there is nothing new."""


class Cleaner(Protocol):
    """The one thing a sweep wants of a space."""

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Clean a proposal: plain values, snapped, inactive parameters dropped."""


class _Told(NamedTuple):
    """What a proposer was told last of a trial that has ended."""

    score: float | None
    units: int | None


class Intake:
    """Draws proposals until the search or the budget of trials ends.

    Args:
        proposer: gives parameters to try.
        space: cleans them.
        objective: gives the key of what they compute.
        order: who runs next.
        budget: how many trials there may be.
        journal: where repeated proposals are recorded; None if the search proposes them again.
    """

    def __init__(
        self,
        *,
        proposer: Proposer,
        space: Cleaner,
        objective: Objective,
        order: Order,
        budget: Budget,
        journal: Journal | None = None,
    ) -> None:
        self.exhausted = False
        self.short: str | None = None
        self._proposer = proposer
        self._space = space
        self._objective = objective
        self._order = order
        self._budget = budget
        self._journal = journal
        self._seen: dict[str, list[Params]] = {}
        self._told: dict[str, _Told] = {}
        self._again: set[str] = set()
        self._asked = 0
        self._proposed = 0

    @property
    def empty(self) -> bool:
        """Whether no proposal waits, and none will come."""
        return self.exhausted and not self._order.waiting

    @property
    def awaited(self) -> bool:
        """Whether proposals are being made in the background that will be tried."""
        return (
            not self.exhausted
            and isinstance(self._proposer, Deferred)
            and self._proposer.making > 0
        )

    def fill(self, *, running: bool) -> None:
        """Draw as many proposals as may wait.

        Args:
            running: whether a result is still to come that may bring the search on.
        """
        repeats = 0
        while not self.exhausted and self._order.wants_more and not self._enough():
            first = isinstance(self._proposer, Eager) and self._proposer.eager
            try:
                point = self._proposer.ask()
            except Exhausted as end:
                self.exhausted = True
                self.short = str(end) if isinstance(end, Unaffordable) else self.short
                return
            if point is None:
                return
            new = self.admit(self._space.active(point), first=first, origin=self._origin(point))
            repeats = 0 if new else repeats + 1
            if repeats == _REPEATS:
                self.exhausted = not running
                return

    def _origin(self, point: Params) -> Origin | None:
        """Tell which trials a point that was just asked for descends from, if the search does."""
        if not isinstance(self._proposer, Tracing):
            return None
        lineage = self._proposer.lineage(point)
        if lineage is None:
            return None
        keys = []
        for parent in lineage.parents:
            with contextlib.suppress(ConfigError):  # a parent that could not run has no key
                keys.append(self._objective.key(parent))
        generation = -1 if lineage.generation is None else lineage.generation
        return Origin(lineage.how, tuple(keys), generation, lineage.note)

    def _enough(self) -> bool:
        """Tell whether what is made in the background is all that the budget of trials lets in."""
        one = self._proposer
        if not isinstance(one, Deferred) or one.ready:
            return False
        short = self._budget.exceeded(Spent(trials=self._proposed + one.making))
        if short and not one.making:
            self.short, self.exhausted = short, True
        return bool(short)

    def admit(
        self,
        params: Params,
        *,
        baseline: bool = False,
        first: bool = False,
        origin: Origin | None = None,
    ) -> bool:
        """Queue a proposal, if it is new; a repeated one is answered from what is known.

        Args:
            params: the proposal.
            baseline: whether it is the configuration as it stood, which no search proposed.
            first: whether it is to run before all others.
            origin: which trials it descends from, if the search says so.
        """
        refused = ""
        try:
            key = self._objective.key(params)
        except ConfigError as error:
            key, refused = refused_key(params), str(error)
        if key in self._seen:
            return self._repeated(key, params, baseline=baseline)
        # The first proposals count, not the first to run, which depends on who waits for whom.
        self.short = self._budget.exceeded(Spent(trials=self._proposed))
        if self.short and not baseline:
            self.exhausted = True
            return True
        number = self._count(baseline=baseline)
        self._order.push(Proposal(key, params, number, baseline, refused, first, origin))
        self._seen[key] = [params]
        return True

    def recall(self, key: str, params: Params, *, baseline: bool = False, again: bool) -> None:
        """Take in a proposal of an earlier session, in its turn; it is not queued.

        Args:
            key: the trial's key.
            params: what was proposed.
            baseline: whether it is the configuration as it stood, which no search proposed.
            again: whether the search is asked from the beginning, and so will propose it again.
        """
        repeated = key in self._seen
        if again or baseline:
            self._seen[key] = [params]
            self._again.add(key)
            return
        self._proposer.recall(params)
        if repeated:
            self._answer(key, params)
            return
        self._seen[key] = [params]
        self._count(baseline=False)

    def _repeated(self, key: str, params: Params, *, baseline: bool) -> bool:
        """Answer a repeated proposal; tell whether it was to be expected."""
        if key in self._again:
            self._again.discard(key)
            self._count(baseline=baseline)
            return True
        if self._journal is not None:
            self._journal.append(repeat_event(key, params), durable=False)
        self._answer(key, params)
        return False

    def _answer(self, key: str, params: Params) -> None:
        """Tell the search of another spelling of a trial what is known, now and later."""
        self._seen[key].append(params)
        if key in self._told:
            told = self._told[key]
            self._proposer.tell(params, told.score, units=told.units)

    def _count(self, *, baseline: bool) -> int:
        """Count a proposal; give its number, 0 for the first."""
        number = self._asked
        self._asked += 1
        self._proposed += not baseline
        return number

    def observe(self, key: str, units: Sequence[str], values: NDArray[np.float64]) -> None:
        """Tell a search that looks at single questions what a trial has scored there."""
        if isinstance(self._proposer, Observing):
            for params in self._seen[key]:
                self._proposer.observe(params, units, values)

    def recall_making(self, number: int, point: str | None) -> None:
        """Take in that an earlier session began to make a proposal (None), or what it became."""
        if not isinstance(self._proposer, Deferred):
            return
        if point is None:
            self._proposer.recall_begun(number)
        else:
            self._proposer.recall_made(number, point)

    def tell(self, key: str, score: float | None, units: int | None, *, ended: bool) -> None:
        """Tell the search what became of a trial, under every spelling it proposed."""
        for params in self._seen[key]:
            self._proposer.tell(params, score, units=units, ended=ended)
        if ended:
            self._told[key] = _Told(score, units)


def refused_key(params: Params) -> str:
    """Give the key of a proposal that the objective has refused to give one."""
    return digest("refused", params)
