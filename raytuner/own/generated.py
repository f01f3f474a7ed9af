"""What a generator yields: metrics, money and notes of a step, and the state after it."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from raytuner.checkpoints import Checkpoint
from raytuner.objective import COSTS, Cost, Failure, ObjectiveFailure
from raytuner.own.reading import as_number, read_result, spent
from raytuner.training import Step

NOTHING = Cost()
PAST = "@past"
"""Name, in a state, of what was known after each step until then."""


class Given(NamedTuple):
    """What a generator has yielded: a step, and the state after it, if it gave one."""

    step: Step
    state: Checkpoint | None = None


def read_step(given: Any, metric: str) -> Given:
    """Read a yield: a number called `metric`, or metrics, cost and notes; and a state, or none.

    Raises:
        TypeError: the state is no mapping.
    """
    scores, state = given, None
    if isinstance(given, tuple) and len(given) == 2:
        scores, state = given
    if (number := as_number(scores)) is not None:
        scores = {metric: number}
    if not isinstance(scores, Mapping) or not scores:
        return failed(f"the generator gave {reprlib.repr(given)}; a step is metrics by name")
    try:
        found = read_result(scores)
    except ObjectiveFailure as error:
        return failed(error.failure.message, spent(scores))
    for name, value in found.scores.items():
        if not math.isfinite(value):
            given = reprlib.repr(scores[name])
            return failed(f"{name} is {given}; a score is a finite number", found.cost)
    step = Step(found.scores, found.cost, found.notes or None)
    return Given(step, None if state is None else parted(state))


def remembering(state: Checkpoint, past: Sequence[Mapping[str, float]]) -> Checkpoint:
    """Add to a state what was known after each step until then."""
    return Checkpoint(state.arrays, {**state.facts, PAST: list(past)})


def required(step: Step) -> tuple[str, ...]:
    """Name the metrics that every further step has to have: not all steps need cost money."""
    return tuple(name for name in step.scores if name not in COSTS)


def complete(step: Step, wanted: Sequence[str], number: int) -> Step:
    """Refuse a step that lacks a metric."""
    if step.failure is not None:
        return step
    lacking = next((name for name in wanted if name not in step.scores), None)
    if lacking is None:
        return step
    if step.notes and lacking in step.notes:
        told = f"{lacking} is {reprlib.repr(step.notes[lacking])}; a score is a finite number"
        reason = f"step {number}: {told}"
    else:
        reason = f"step {number} gave no {lacking!r}; it gave {', '.join(step.scores)}"
    return Step({}, step.cost, failure=Failure("objective", reason))


def failed(reason: str, cost: Cost = NOTHING) -> Given:
    """Make a step that failed."""
    return Given(Step({}, cost, failure=Failure("objective", reason)))


def parted(state: Any) -> Checkpoint:
    """Part a state into arrays and plain values.

    Raises:
        TypeError: it holds something else.
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"a state is arrays and plain values by name, got {reprlib.repr(state)}")
    arrays = {str(k): np.asarray(v) for k, v in state.items() if hasattr(v, "__array__")}
    facts = {str(k): v for k, v in state.items() if k not in arrays}
    return Checkpoint(arrays, facts)


def joined(state: Checkpoint | None) -> dict[str, Any] | None:
    """Give a state as it was yielded."""
    if state is None:
        return None
    facts = {name: value for name, value in state.facts.items() if name != PAST}
    return {**facts, **state.arrays}
