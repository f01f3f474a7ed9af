"""Runs trials that share expensive preparation next to each other.

The first trial of a group warms what the others re-use, so it runs alone; independent groups
run side by side.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

from raytuner.objective import Objective, Params


class Proposal(NamedTuple):
    """A configuration that waits for its turn.

    Attributes:
        key: identity of the configuration.
        params: active parameters.
        number: 0 for the first one that was proposed, whenever it runs.
        baseline: whether it is the configuration as it stood.
        refused: why it cannot run, or nothing.
    """

    key: str
    params: Params
    number: int
    baseline: bool = False
    refused: str = ""


class Order:
    """A small buffer of proposals, handed out group by group.

    Args:
        objective: says what shares preparation (`Objective.affinity`).
        lookahead: proposals held at most. 1 keeps the search's own order, which a search that
            learns from results needs.
    """

    def __init__(self, objective: Objective, lookahead: int) -> None:
        self._objective = objective
        self._lookahead = max(1, lookahead)
        self._groups: OrderedDict[str, deque[Proposal]] = OrderedDict()
        self._warm: set[str] = set()
        self._warming: set[str] = set()
        self.waiting = 0

    @property
    def wants_more(self) -> bool:
        """Whether there is room for another proposal."""
        return self.waiting < self._lookahead

    def push(self, proposal: Proposal) -> None:
        """Add a proposal."""
        group = "" if proposal.refused else self._objective.affinity(proposal.params)
        self._groups.setdefault(group, deque()).append(proposal)
        self.waiting += 1

    def pop(self) -> Proposal | None:
        """Take the proposal that is best run now; None if there is none."""
        group = self._choose()
        if group is None:
            return None
        queue = self._groups[group]
        proposal = queue.popleft()
        if not queue:
            del self._groups[group]
        self.waiting -= 1
        if group not in self._warm:
            self._warming.add(group)
        return proposal

    def ended(self, params: Params) -> None:
        """Note that a trial has ended, so that what it prepared is there."""
        group = self._objective.affinity(params)
        self._warming.discard(group)
        self._warm.add(group)

    def _choose(self) -> str | None:
        """Prefer a group that is warm, then one nobody is warming, then the oldest."""
        for wanted in (self._warm.__contains__, lambda group: group not in self._warming):
            for group in self._groups:
                if wanted(group):
                    return group
        return next(iter(self._groups), None)
