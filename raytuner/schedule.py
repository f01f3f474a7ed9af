"""What a copy in population-based training has gone through before it was changed.

M. Jaderberg et al., "Population Based Training of Neural Networks", 2017 (arXiv:1711.09846): its
result is no configuration but a schedule. Here the schedule is a part of a trial's parameters, so
that equal schedules are one trial, share their checkpoints, and can be trained again at will.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from raytuner.component import ConfigError
from raytuner.objective import Params, Value, tupled

_ENDLESS = 2**62
HISTORY = "@history"
"""Name, in parameters, of what came before them; no parameter of a space can be called so."""


class Segment(NamedTuple):
    """Parameters that hold until so many steps are done."""

    until: int
    params: Params


Schedule = tuple[Segment, ...]
"""Segments in order; `until` grows from one to the next."""


def schedule_of(params: Params, steps: int) -> Schedule:
    """Give the schedule of a trial.

    Args:
        params: its parameters, perhaps with a history.
        steps: how many steps there are.
    """
    history = params.get(HISTORY, ())
    found = [_segment(entry) for entry in (history if isinstance(history, tuple) else ())]
    return _joined([*found, Segment(steps, current(params))])


def current(params: Params) -> Params:
    """Give parameters without their history."""
    return {name: value for name, value in params.items() if name != HISTORY}


def forked(parent: Params, changed: Params, at: int) -> dict[str, Value]:
    """Give the parameters of a copy that goes on from a parent's checkpoint.

    Args:
        parent: its parameters, perhaps with a history.
        changed: what holds from here on, without a history.
        at: steps that the parent had done; 0 makes it a new trial.
    """
    past = until(schedule_of(parent, _ENDLESS), at) if at else ()
    earlier = _joined([*past, Segment(_ENDLESS, changed)])[:-1]
    history: Value = tuple(
        (until, *((name, params[name]) for name in sorted(params))) for until, params in earlier
    )
    return {**changed, HISTORY: history} if history else dict(changed)


def changes(params: Params) -> tuple[int, ...]:
    """List the steps after which the parameters of a trial were changed; none for most trials."""
    return tuple(segment.until for segment in schedule_of(params, _ENDLESS)[:-1])


def at_step(schedule: Schedule, step: int) -> Params:
    """Give the parameters that hold in a step, counted from 1."""
    return next((s.params for s in schedule if step <= s.until), schedule[-1].params)


def until(schedule: Schedule, step: int) -> Schedule:
    """Cut a schedule after a step: all that decides the state after it."""
    cut = [Segment(min(s.until, step), s.params) for s in schedule]
    return tuple(s for n, s in enumerate(cut) if n == 0 or s.until > cut[n - 1].until)


def spelled(schedule: Schedule) -> list[dict[str, Any]]:
    """Spell a schedule as plain YAML values."""
    return [{"until": until, **params} for until, params in schedule]


def read_schedule(given: Any, steps: int) -> Params:
    """Read what `spelled` gives, as the parameters of a trial.

    Raises:
        ConfigError: no list of mappings with a growing `until`, the last being `steps`.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise ConfigError(f"schedule: give a list of {{until, ...}}, got {given!r:.80}")
    params: dict[str, Value] = {}
    done = 0
    for number, one in enumerate(given):
        until = one.get("until") if isinstance(one, Mapping) else None
        if not isinstance(until, int) or isinstance(until, bool) or until <= done:
            raise ConfigError(
                f"schedule[{number}]: `until` is a number of steps above {done}, got {one!r:.80}"
            )
        values = {name: tupled(value) for name, value in one.items() if name != "until"}
        params, done = forked(params, values, done) if done else values, until
    if done != steps:
        raise ConfigError(f"schedule: it ends after {done} steps, and there are {steps}")
    return params


def _segment(entry: Any) -> Segment:
    until, *items = entry
    return Segment(int(until), {str(name): value for name, value in items})


def _joined(segments: Sequence[Segment]) -> Schedule:
    """Join neighbours with equal parameters, and leave out empty ones."""
    found: list[Segment] = []
    for segment in segments:
        if found and dict(found[-1].params) == dict(segment.params):
            found[-1] = segment
        elif segment.until > (found[-1].until if found else 0):
            found.append(segment)
    return tuple(found)
