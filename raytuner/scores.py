"""What an objective hands over, made safe to record: a score is a finite number, else a failure."""

from __future__ import annotations

import contextlib
import json
import math
import numbers
from collections.abc import Mapping
from typing import Any

from raytuner.component import ConfigError
from raytuner.foreign_errors import recognised
from raytuner.objective import Cost, Failure, ObjectiveFailure, UnitScore
from raytuner.strike import own_secrets, strike, struck

_LONGEST = 2000
"""Characters of a failure's message that are kept."""


def checked(score: UnitScore) -> UnitScore:
    """Give a score that can be recorded: NaN is missing data, whatever it is called."""
    try:
        usd, *counts = score.cost
        cost, seconds = Cost(float(usd), *map(int, counts)), float(score.seconds)
        if not math.isfinite(usd) or not math.isfinite(seconds):
            raise ValueError(f"cost {usd!r}, seconds {seconds!r}")
    except (TypeError, ValueError, OverflowError) as error:
        reason = f"the objective gave no finite cost or time ({error})"
        return _without(UnitScore(score.unit, {}), reason)
    score = score._replace(cost=cost, seconds=seconds)
    if score.failure is not None:
        return score._replace(scores={}, notes=None, failure=_plain(score.failure))
    if not isinstance(score.scores, Mapping) or not score.scores:
        return _without(score, f"the objective gave no score: {score.scores!r}"[:_LONGEST])
    for metric, value in score.scores.items():
        if not _finite(value):
            reason = f"the objective gave {metric} = {value!r}"[:_LONGEST]
            return _without(score, f"{reason}; a score is a finite number")
    scores = {str(metric): float(value) for metric, value in score.scores.items()}
    return score._replace(scores=scores, notes=_json_only(score.notes))


def _without(score: UnitScore, reason: str) -> UnitScore:
    return score._replace(scores={}, notes=None, failure=Failure("objective", reason))


def _plain(failure: Failure) -> Failure:
    message = strike(str(failure.message))[:_LONGEST]  # a service may quote the key it was given
    return Failure(failure.kind, message, bool(failure.retryable))


def _finite(value: Any) -> bool:
    try:
        return isinstance(value, numbers.Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _json_only(notes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Keep what the journal can hold, without the keys that a tool or a model may have told."""
    kept = {}
    secrets = own_secrets()
    for name, value in notes.items() if isinstance(notes, Mapping) else ():
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            json.dumps(value, allow_nan=False)
            kept[str(name)] = struck(value, secrets)
    return kept or None


def failure_of(error: BaseException) -> Failure:
    """Classify an exception that escaped an objective."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, ObjectiveFailure):
        return _plain(error.failure)
    if isinstance(error, ConfigError):
        return _plain(Failure("config", str(error)))
    if isinstance(error, TimeoutError):
        return _plain(Failure("timeout", text, retryable=True))
    if isinstance(error, MemoryError):
        return _plain(Failure("out_of_memory", text))
    if isinstance(error, Exception) and (known := recognised(error, text)) is not None:
        return _plain(known)
    return _plain(Failure("objective", text))
