"""Reads what an objective of the user's own gives for a unit: metrics, money, and the rest."""

from __future__ import annotations

import math
import numbers
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from raytuner.component import nearest
from raytuner.objective import COSTS, UNIT_TOKENS, UNIT_USD, Cost, ObjectiveFailure

SINGLE = "score"
"""Name of a metric that is given as a bare number."""


class Reading(NamedTuple):
    """What was given for one unit.

    Attributes:
        scores: numbers by metric; whether they are finite is for others to say.
        cost: what it has cost, if that was said.
        notes: what was given beside the numbers.
    """

    scores: dict[str, float]
    cost: Cost
    notes: dict[str, Any]


def read_result(given: Any, metrics: Sequence[str] = ()) -> Reading:
    """Tell metrics from money and from what merely accompanies them.

    Args:
        given: a number; or a mapping, whose numbers are metrics. `cost_usd` in it is dollars spent;
            `cost` may be a mapping of `usd`, `tokens_in`, `tokens_out` and `calls`. Both are
            reported as `usd_per_question` and `tokens_per_question` too.
        metrics: that must be there.

    Raises:
        ObjectiveFailure: nothing was given, no number, not a metric that must be there, or a cost
            that is none.
    """
    number = as_number(given)
    if number is not None:
        given = {(metrics[0] if len(metrics) == 1 else SINGLE): number}
    elif (score := as_number(getattr(given, "score", None))) is not None:
        given = {**(getattr(given, "metadata", None) or {}), SINGLE: score}
    if not isinstance(given, Mapping):
        what = "nothing" if given is None else reprlib.repr(given)
        raise _failed(
            f"gave {what}; give metrics, such as {{{metrics[0] if metrics else SINGLE!r}: 0.5}}"
        )
    fields = {str(name): value for name, value in given.items()}
    cost, scores = _cost(fields)
    for name in list(fields):
        if (number := as_number(fields[name])) is not None:
            scores[name] = number
            del fields[name]
    _check(scores, metrics, fields)
    return Reading(scores, cost, fields)


def measured(declared: Sequence[str]) -> tuple[str, ...] | None:
    """Name what a study may optimise and limit: what is declared, the goal first, and costs.

    None if nothing is declared: only a result can tell.
    """
    return tuple(dict.fromkeys((*declared, *COSTS))) if declared else None


def spent(given: Any) -> Cost:
    """Tell what a result has cost, also one that is none for want of a metric."""
    if not isinstance(given, Mapping):
        return Cost()
    try:
        return _cost({str(name): value for name, value in given.items()})[0]
    except ObjectiveFailure:
        return Cost()


def as_number(value: Any) -> float | None:
    """Give a number as a float, NumPy's and those of tensors without a shape too; else None."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    if not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf


def _check(scores: Mapping[str, float], metrics: Sequence[str], rest: Mapping[str, Any]) -> None:
    for name in metrics:
        if name not in scores:
            if name in rest:
                raise _failed(
                    f"gave {name} = {reprlib.repr(rest[name])}; a score is a finite number"
                )
            there = ", ".join(scores) or "no number"
            raise _failed(f"did not give {name}; it gave: {there}.{nearest(name, scores)}")
    if not scores:
        shown = reprlib.repr(dict(rest))
        raise _failed(f"gave no metric: {shown}; a score is a finite number")


def _cost(fields: dict[str, Any]) -> tuple[Cost, dict[str, float]]:
    """Take the money out of what was given."""
    scores: dict[str, float] = {}
    cost = Cost()
    usd = fields.pop("cost_usd", None)
    if usd is not None:
        cost = Cost(usd=_amount("cost_usd", usd))
        scores[UNIT_USD] = cost.usd
    parts = fields.get("cost")
    if isinstance(parts, Cost):
        parts = {name: value for name, value in parts._asdict().items() if value}
    if isinstance(parts, Mapping):
        del fields["cost"]
        unknown = [name for name in parts if name not in Cost._fields]
        if unknown:
            raise _failed(f"gave a cost with {unknown[0]!r}; it has: {', '.join(Cost._fields)}")
        amounts = {name: _amount(f"cost.{name}", value) for name, value in parts.items()}
        tokens = {name: int(amounts.get(name, 0)) for name in ("tokens_in", "tokens_out")}
        calls = int(amounts.get("calls", 0))
        cost = Cost(cost.usd + amounts.get("usd", 0.0), **tokens, calls=calls)
        if "usd" in amounts:
            scores[UNIT_USD] = cost.usd
        if any(tokens.values()):
            scores[UNIT_TOKENS] = float(sum(tokens.values()))
    return cost, scores


def _amount(name: str, value: Any) -> float:
    number = as_number(value)
    if number is None or not math.isfinite(number) or number < 0:
        raise _failed(f"gave {name} = {reprlib.repr(value)}; an amount is a number of 0 or more")
    return number


def _failed(reason: str) -> ObjectiveFailure:
    return ObjectiveFailure("objective", f"the objective {reason}")
