"""What a study optimises: one metric, a weighted sum of several, or a Pareto front; under limits.

metric: correctness
metric: {correctness: 1, usd_per_question: -20}     the greatest sum, question by question
metric: [correctness, usd_per_question]             the front; the first one is the quality
limits: ["usd_per_question <= 0.002", "latency_p95 <= 3"]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from raytuner.component import ConfigError, nearest
from raytuner.limits import LATENCIES, Limit
from raytuner.objective import UNIT_USD, Objective, UnitScore
from raytuner.score_table import Scored
from raytuner.search.goals import Score

Metric = str | dict[str, float] | tuple[str, ...] | None
"""What a study says it optimises."""


class Aims(BaseModel):
    """The fields of a study that say what it optimises."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Metric = Field(
        default=None,
        description="what to optimise: a metric, weights of a sum by metric, or a list for a "
        "Pareto front; default: the objective's first metric",
    )
    limits: tuple[str, ...] = Field(
        default=(),
        description="what the best trial has to keep to, such as 'usd_per_question <= 0.002'",
    )

    @field_validator("metric", mode="before")
    @classmethod
    def _metric(cls, value: Any) -> Any:
        return checked_metric(value)


@dataclass(frozen=True)
class Goal:
    """What is optimised.

    Attributes:
        metrics: one metric; those of a weighted sum; or those of a front, quality first. Empty:
            whatever the objective reports first.
        weights: of the sum; empty for any other goal.
        lower: the metrics of which less is better.
        limits: what the best configuration has to keep to.
    """

    metrics: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    lower: frozenset[str] = frozenset()
    limits: tuple[Limit, ...] = ()

    @classmethod
    def of(
        cls,
        metric: Metric,
        limits: Sequence[str],
        objective: Objective,
        usd_per_question: float | None = None,
    ) -> Goal:
        """Read what a study says, and check it against what its objective measures.

        Args:
            metric: of the study.
            limits: of the study.
            objective: reports the metrics.
            usd_per_question: the study's budget for a question, which is a limit too.

        Raises:
            ConfigError: a metric that nothing measures, weights that mean nothing, or a limit
                that is none.
        """
        names, weights = _names(metric)
        found = [Limit.parse(text, ("limits", n)) for n, text in enumerate(limits)]
        known = objective.metrics()
        if known is not None:
            names = names or known[:1]
            for name in names:
                _check_known(name, known, "metric", "the objective reports")
            measures = (*known, *LATENCIES, *objective.fact_names)
            for number, limit in enumerate(found):
                _check_known(limit.measure, measures, ("limits", number), "limits may be set on")
        lower = frozenset(name for name in names if not objective.maximise(name))
        for name, weight in zip(names, weights, strict=False):
            if name in lower and weight > 0:
                raise ConfigError(
                    f"metric: {name} is better the lower it is; give it a weight below 0, got "
                    f"{weight:g}",
                    ("metric", name),
                )
        if usd_per_question is not None:
            found.append(Limit(UNIT_USD, usd_per_question, lenient=True))
        return cls(tuple(names), weights, lower, tuple(found))

    @property
    def pareto(self) -> bool:
        """Whether a front is searched for."""
        return len(self.metrics) > 1 and not self.weights

    @property
    def name(self) -> str | None:
        """Name what trials are ranked by: a metric, or a sum as it is computed."""
        if not self.metrics:
            return None
        if not self.weights:
            return self.metrics[0]
        terms = "".join(map(_term, self.metrics, self.weights))
        return terms[3:] if self.weights[0] > 0 else f"-{terms[3:]}"

    @property
    def maximise(self) -> bool:
        """Whether more of what `name` names is better."""
        return bool(self.weights) or not self.metrics or self.metrics[0] not in self.lower

    # ---- per question

    def derived(self, score: UnitScore) -> UnitScore:
        """Add the weighted sum to the scores of a question that has all its parts."""
        if not self.weights or self.name is None or not score.scores:
            return score
        parts = [score.scores.get(name, math.nan) for name in self.metrics]
        total = math.fsum(w * part for w, part in zip(self.weights, parts, strict=True))
        if math.isnan(total):
            return score
        return score._replace(scores={**score.scores, self.name: total})

    # ---- per trial

    def score(self, table: Scored, units: int | None = None) -> float | None:
        """Give what a search maximises, over the first units; None without a full score there."""
        if self.name is None:
            return None
        if not self.pareto:
            return self._oriented(table.mean(self.name, units), self.name)
        parts = [self._oriented(table.mean(name, units), name) for name in self.metrics]
        known = [part for part in parts if part is not None]
        return Score(known) if len(known) == len(parts) else None

    def values(self, table: Scored, units: int | None = None) -> NDArray[np.float64]:
        """Give what the score averages, question by question; higher is better."""
        values = table.values(self.name or "")[:units]
        return values if self.maximise else -values

    def _oriented(self, value: float | None, name: str) -> float | None:
        return -value if value is not None and name in self.lower else value

    def lacking(self, reported: Iterable[str]) -> str | None:
        """Name a metric that the objective turns out not to report, or None.

        It may be the sum itself, if no question has all its parts.
        """
        there, wanted = set(reported), [*self.metrics, *filter(None, [self.name])]
        return next((name for name in wanted if name not in there), None)

    def settled(self, reported: Sequence[str], objective: Objective) -> Goal:
        """Take the first metric that is reported, where none was named."""
        if self.metrics or not reported:
            return self
        lower = frozenset(reported[:1]) if not objective.maximise(reported[0]) else frozenset()
        return replace(self, metrics=(reported[0],), lower=lower)

    # ---- on record

    def plain(self) -> dict[str, Any]:
        """Spell it for the journal."""
        return {
            "metrics": list(self.metrics),
            "weights": list(self.weights),
            "lower": sorted(self.lower),
            "limits": [list(limit) for limit in self.limits],
        }

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Goal:
        """Read what `plain` spells."""
        limits = tuple(Limit(*limit) for limit in facts["limits"])
        names, weights = tuple(facts["metrics"]), tuple(facts["weights"])
        return cls(names, weights, frozenset(facts["lower"]), limits)


def checked_metric(value: Any) -> Metric:
    """Check what a study gives for `metric`, whatever its objective measures.

    Raises:
        ConfigError: it is neither a name, nor weights by name, nor a list of names.
    """
    if value is None or (isinstance(value, str) and value):
        return None if value is None else str(value)
    if isinstance(value, Mapping):
        return _checked_weights(value)
    if isinstance(value, list | tuple) and value and all(isinstance(v, str) and v for v in value):
        for name in value:
            if list(value).count(name) > 1:
                raise ConfigError(f"{name} is listed twice")
        return tuple(value)
    raise ConfigError(
        "give a name, weights by name such as {recall: 1, usd_per_question: -20}, or a list of "
        f"names for a Pareto front, got {value!r:.80}"
    )


def _checked_weights(weights: Mapping[Any, Any]) -> dict[str, float]:
    for name, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or not weight:
            raise ConfigError(
                f"{name}: {weight!r:.80} is no weight; give a number other than 0, or leave the "
                "metric out"
            )
    if not weights:
        raise ConfigError("no weights are given; name one metric at least")
    return {str(name): float(weight) for name, weight in weights.items()}


def _names(metric: Metric) -> tuple[Sequence[str], tuple[float, ...]]:
    if metric is None or isinstance(metric, str):
        return ((metric,) if metric else ()), ()
    if isinstance(metric, Mapping):
        return tuple(metric), tuple(metric.values())
    return tuple(metric), ()


def _term(name: str, weight: float) -> str:
    size = "" if abs(weight) == 1 else f"{abs(weight):g} "
    return f" {'-' if weight < 0 else '+'} {size}{name}"


def _check_known(
    name: str, known: Sequence[str], field: str | tuple[str | int, ...], what: str
) -> None:
    """Refuse a name that nothing measures."""
    path = (field,) if isinstance(field, str) else field
    if name in LATENCIES and name not in known and path[0] == "metric":
        raise ConfigError(
            f"{path[0]}: {name!r} is a measure of a whole trial, not of a question: it can be a "
            f"limit (`limits: ['{name} <= 1']`), not a goal",
            path,
        )
    if name not in known:
        raise ConfigError(
            f"{path[0]}: {name!r} is not measured; {what}: {', '.join(known)}."
            f"{nearest(name, known)}",
            path,
        )


def recorded_goal(opened: Mapping[str, Any], config: Mapping[str, Any]) -> Goal:
    """Read the goal of a session, also of one that had a metric and a budget only."""
    if "goal" in opened:
        return Goal.read(opened["goal"])
    metric, most = opened["metric"], config.get("budget", {}).get("usd_per_question")
    names = (metric,) if metric else ()
    limits = () if most is None else (Limit(UNIT_USD, most, lenient=True),)
    return Goal(names, (), frozenset(() if opened["maximise"] else names), limits)
