"""Runs trials that share expensive preparation next to each other, cheap preparation first.

The first trial of a group warms what the others re-use, so it runs alone; independent groups
run side by side. A study that is stopped early has then seen most configurations for its money.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice
from typing import NamedTuple

from raytuner.component import RaytunerError
from raytuner.lineage import Origin
from raytuner.objective import Objective, Params

_COMPARED = 8
"""How many groups are compared by what they need prepared; to know that may mean to cut their
documents, which is not lost but should not hold up the first trials."""


class Proposal(NamedTuple):
    """A configuration that waits for its turn.

    Attributes:
        key: identity of the configuration.
        params: active parameters.
        number: 0 for the first one that was proposed, whenever it runs.
        baseline: whether it is the configuration as it stood.
        refused: why it cannot run, or nothing.
        first: whether it runs before all others, whatever it needs.
        origin: which trials it descends from, if a search says so.
    """

    key: str
    params: Params
    number: int
    baseline: bool = False
    refused: str = ""
    first: bool = False
    origin: Origin | None = None


class Order:
    """A small buffer of proposals, handed out group by group.

    Args:
        objective: says what shares preparation (`Objective.affinity`), and how much that is
            (`Objective.plan`).
        lookahead: proposals held at most. 1 keeps the search's own order, which a search that
            learns from results needs.
    """

    def __init__(self, objective: Objective, lookahead: int) -> None:
        self._objective = objective
        self._lookahead = max(1, lookahead)
        self._first: deque[Proposal] = deque()
        self._groups: OrderedDict[str, deque[Proposal]] = OrderedDict()
        self._weights: dict[str, float] = {}
        self._warm: set[str] = set()
        self._warming: set[str] = set()
        self.waiting = 0

    @property
    def wants_more(self) -> bool:
        """Whether there is room for another proposal."""
        return self.waiting < self._lookahead

    def push(self, proposal: Proposal) -> None:
        """Add a proposal."""
        if proposal.first or proposal.baseline:
            self._first.append(proposal)
        else:
            self._groups.setdefault(self._group(proposal), deque()).append(proposal)
        self.waiting += 1

    def pop(self) -> Proposal | None:
        """Take the proposal that is best run now; None if there is none."""
        if self._first:
            proposal = self._first.popleft()
        elif (group := self._choose()) is not None:
            proposal = self._groups[group].popleft()
            if not self._groups[group]:
                del self._groups[group]
        else:
            return None
        self.waiting -= 1
        if (group := self._group(proposal)) not in self._warm:
            self._warming.add(group)
        return proposal

    def _group(self, proposal: Proposal) -> str:
        return "" if proposal.refused else self._objective.affinity(proposal.params)

    def ended(self, params: Params) -> None:
        """Note that a trial has ended, so that what it prepared is there."""
        group = self._objective.affinity(params)
        self._warming.discard(group)
        self._warm.add(group)

    def _choose(self) -> str | None:
        """Prefer a group that is warm, then the cheapest of those that nobody is warming."""
        warm = next((group for group in self._groups if group in self._warm), None)
        if warm is not None:
            return warm
        cold = list(islice((g for g in self._groups if g not in self._warming), _COMPARED))
        if len(cold) > 1:
            return min(cold, key=self._weight)  # the oldest of equals
        return next(iter(cold or self._groups), None)

    def _weight(self, group: str) -> float:
        """Say how much a group needs prepared, in whatever its objective counts."""
        if group not in self._weights:
            proposal = self._groups[group][0]
            try:
                work = {} if proposal.refused else self._objective.plan([proposal.params])
            except RaytunerError:  # its trials will say so
                work = {}
            self._weights[group] = sum(work.values())
        return self._weights[group]
