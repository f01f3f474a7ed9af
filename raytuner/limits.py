"""What the best configuration may not exceed: limits, who breaks them, who is stopped for it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from raytuner.component import ConfigError
from raytuner.latency import latencies, latency_of
from raytuner.objective import UNIT_USD
from raytuner.trial import Trial

LATENCIES: Mapping[str, float] = {"latency_p50": 0.5, "latency_p95": 0.95}
"""Measures of a whole trial, and the share of questions that are to be answered in that time."""
FIRST = 8
"""Questions before anything is concluded; the first rung."""
_ROUNDING = 1e-9
_RISK = 0.05
"""Chance that a trial at a limit is ever stopped, over all looks at it."""
_FORM = re.compile(r"\s*(?P<measure>\S.*?)\s*(?P<sign><=|>=|==|=|<|>)\s*(?P<bound>\S.*?)\s*")


class Limit(NamedTuple):
    """One limit, on the mean of a metric or on a measure of the whole trial.

    Attributes:
        measure: its name.
        bound: the greatest value that is allowed, or the smallest.
        most: whether it is the greatest.
        lenient: whether a trial that does not measure it keeps to it.
    """

    measure: str
    bound: float
    most: bool = True
    lenient: bool = False

    @classmethod
    def parse(cls, text: str, field: tuple[str | int, ...] = ("limits",)) -> Limit:
        """Read `usd_per_question <= 0.002`.

        Raises:
            ConfigError: it is not of this form.
        """
        found = _FORM.fullmatch(text)
        if found is None or found["sign"] not in {"<=", ">="}:
            raise ConfigError(
                f"limits: {text!r} is no limit; write a measure, <= or >=, and a number, such as "
                "'usd_per_question <= 0.002'",
                field,
            )
        try:
            bound = float(found["bound"])
        except ValueError:
            bound = math.nan
        if not math.isfinite(bound):
            reason = f"limits: {found['bound']!r} in {text!r} is no number"
            raise ConfigError(reason, field)
        return cls(found["measure"], bound, found["sign"] == "<=")

    def __str__(self) -> str:
        return f"{self.measure} {'<=' if self.most else '>='} {self.bound:g}"

    def value(self, trial: Trial) -> float | None:
        """Measure a trial; None where it is not measured, or not yet on every question."""
        if self.measure in LATENCIES:
            found = latency_of(trial)
            return None if found is None else found[self.measure == "latency_p95"]
        if self.measure in trial.metrics:
            return trial.mean(self.measure)
        return trial.facts.get(self.measure)

    def breaks(self, value: float) -> bool:
        """Tell whether a value is beyond the limit, by more than a mean may be off by rounding."""
        slack = _ROUNDING * max(abs(value), abs(self.bound))
        return value > self.bound + slack if self.most else value < self.bound - slack

    def reason(self, value: float) -> str:
        """Say that a value is beyond the limit."""
        if self.measure == UNIT_USD and self.lenient:
            return f"${value:.3g} a question, above the budget of ${self.bound:g}"
        side = "above" if self.most else "below"
        return f"{self.measure} {value:.4g}, {side} the limit of {self.bound:g}"

    def evidence(self, trial: Trial, units: int, risk: float) -> float | None:
        """Give what a trial measures so far if it surely breaks the limit, else None.

        Sure of a metric is the one-sided confidence bound of its mean (Student t); sure of a
        latency that so many questions above the limit are too many by the binomial law; a fact
        of the configuration is sure at once.
        """
        if self.measure in LATENCIES:
            return self._slow(trial, units, risk)
        if self.measure in trial.facts and self.measure not in trial.metrics:
            value = trial.facts[self.measure]
            return value if self.breaks(value) else None
        values = trial.values(self.measure)[:units]
        values = values[~np.isnan(values)]
        n = len(values)
        if n < FIRST:
            return None
        from scipy.special import stdtrit

        mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n)
        margin = float(stdtrit(n - 1, 1 - risk)) * error
        return mean if self.breaks(mean - margin if self.most else mean + margin) else None

    def _slow(self, trial: Trial, units: int, risk: float) -> float | None:
        seconds = latencies(trial, units)
        n, share = len(seconds), LATENCIES[self.measure]
        if n < FIRST:
            return None
        from scipy.special import bdtr, bdtrc

        beyond = int((seconds > self.bound).sum())
        chance = bdtrc(beyond - 1, n, 1 - share) if self.most else bdtr(beyond, n, 1 - share)
        return float(np.quantile(seconds, share)) if chance <= risk else None


class Limits:
    """Stops trials that surely break a limit, and tells who cannot win.

    Each trial is looked at once a rung; look number i has the risk 5 % / (i (i + 1)) for every
    limit, which adds up to 5 % however many there are.

    Args:
        limits: any number.
    """

    def __init__(self, limits: Sequence[Limit] = ()) -> None:
        self.limits = tuple(limits)
        self._looks: dict[str, int] = {}

    def look(self, trial: Trial, units: int) -> str | None:
        """Look at a trial that has answered its first `units` units; say why it has to stop."""
        if not self.limits:
            return None
        number = self._looks[trial.key] = self._looks.get(trial.key, 0) + 1
        risk = _RISK / (number * (number + 1))
        for limit in self.limits:
            value = limit.evidence(trial, units, risk)
            if value is not None:
                return limit.reason(value)
        return None

    def broken(self, trial: Trial) -> str | None:
        """Say which limit a trial that has answered every question breaks; None: all are kept.

        What is not measured is not known to be kept.
        """
        for limit in self.limits:
            value = limit.value(trial)
            if value is None and not limit.lenient:
                return f"{limit.measure} is not measured, and limited to {limit.bound:g}"
            if value is not None and limit.breaks(value):
                return limit.reason(value)
        return None


def spelled(limits: Sequence[Limit]) -> list[list[Any]]:
    """Spell limits as plain values for the journal."""
    return [list(limit) for limit in limits]
