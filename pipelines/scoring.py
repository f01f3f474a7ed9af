"""Scores responses with every metric that is defined for their question, and what that cost.

Knows metrics and responses; where questions come from and who asks is the objective's affair.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from pipelines.metrics import parse_metric
from pipelines.pipeline import Pipeline
from pipelines.roles import Bench, Metric
from pipelines.types import Question, Response
from raytuner.component import ConfigError
from raytuner.gate import Gate
from raytuner.objective import Cost, Meter


def parse_metrics(given: Sequence[str | Mapping[str, Any]]) -> tuple[Metric, ...]:
    """Make the metrics of a study.

    Raises:
        ConfigError: an unknown metric, or one that is listed twice.
    """
    metrics = []
    for number, item in enumerate(given):
        try:
            metric = parse_metric(item) if isinstance(item, str) else Metric.model_validate(item)
        except ValidationError as error:
            raise ConfigError.of(error, ("metrics", number)) from error
        except ConfigError as error:
            raise ConfigError(f"metrics.{number}: {error}", ("metrics", number)) from error
        metrics.append(metric)
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"metrics: {name} is listed twice", ("metrics",))
    return tuple(metrics)


def score_table(
    metrics: Sequence[Metric],
    questions: Sequence[Question],
    responses: Sequence[Response],
    pipeline: Pipeline,
    bench: Bench,
) -> list[dict[str, float]]:
    """Score every question with every metric that is defined for it.

    Returns:
        One mapping of metric names to scores per question, in their order.
    """
    table: list[dict[str, float]] = [{} for _ in questions]
    for metric in metrics:
        rows = [i for i, question in enumerate(questions) if metric.applies(question)]
        asked = [questions[i] for i in rows]
        given = [
            _everything(pipeline, questions[i]) if metric.needs_chunks else responses[i]
            for i in rows
        ]
        for i, score in zip(rows, metric.scores(asked, given, bench), strict=True):
            table[i][metric.name] = score
    return table


def _everything(pipeline: Pipeline, question: Question) -> Response:
    spans = [span for group in question.evidence for span in group]
    return Response(pipeline.chunks_touching(spans))


class Spending:
    """A meter that passes everything on and remembers what was spent since it was last asked."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._spent = Cost()

    def reserve(self, usd: float) -> None:
        """Set money aside."""
        self._meter.reserve(usd)

    def settle(self, reserved: float, cost: Cost) -> None:
        """Replace a reservation by the real cost, and remember it."""
        self._meter.settle(reserved, cost)
        self._spent = self._spent.plus(cost)

    def spend(self, cost: Cost) -> None:
        """Note a cost."""
        self._meter.spend(cost)
        self._spent = self._spent.plus(cost)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self._meter.count(name, amount)

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Time a stage."""
        return self._meter.stage(name)

    @property
    def cancelled(self) -> bool:
        """Whether the sweep wants this work to end early."""
        return self._meter.cancelled

    @property
    def gate(self) -> Gate | None:
        """The sweep's gate for paid calls."""
        return self._meter.gate

    def take(self, units: int) -> list[Cost]:
        """Share what was spent since the last call among some units; the shares sum up to it."""
        spent, self._spent = self._spent, Cost()
        whole = [divmod(amount, units) for amount in spent[1:]]
        return [
            Cost(spent.usd / units, *(each + (number < rest) for each, rest in whole))
            for number in range(units)
        ]
