"""Scores responses with every metric that is defined for their question, and what that cost.

Knows metrics and responses; where questions come from and who asks is the objective's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pipelines.llm.models import LanguageModel
from pipelines.llm.naming import with_models
from pipelines.llm.outputs import Outputs
from pipelines.metrics import parse_metric
from pipelines.pipeline import Answered, Pipeline
from pipelines.roles import Bench, Judgement, Metric
from pipelines.types import Question, Response
from raytuner.component import ConfigError
from raytuner.objective import Cost, Failure, Meter, Relay


def parse_metrics(
    given: Sequence[str | Mapping[str, Any]], models: Mapping[str, LanguageModel] | None = None
) -> tuple[Metric, ...]:
    """Make the metrics of a study.

    Args:
        given: names, or mappings with a `kind`.
        models: the study's language models, which judges may name.

    Raises:
        ConfigError: an unknown metric or model, or a metric that is listed twice.
    """
    metrics = []
    for number, item in enumerate(given):
        try:
            metric = parse_metric(item) if isinstance(item, str) else Metric.model_validate(item)
            metric = with_models(metric, models or {})
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


@dataclass
class Scored:
    """The scores of one question.

    Attributes:
        scores: by metric; those that are defined for it.
        failure: why one of them cannot be had, so that none counts.
        notes: what judges had to say.
    """

    scores: dict[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def take(self, metric: str, given: float | Judgement | Failure) -> None:
        """Note what a metric gave."""
        if isinstance(given, Failure):
            self.failure = self.failure or given
        elif isinstance(given, Judgement):
            self.scores[metric] = given.score
            self.notes.setdefault("judged", {})[metric] = given.notes
        else:
            self.scores[metric] = given


def score_table(
    metrics: Sequence[Metric],
    questions: Sequence[Question],
    answered: Sequence[Answered],
    pipeline: Pipeline,
    bench: Bench,
    outputs: Outputs,
) -> list[Scored]:
    """Score every question with every metric that is defined for it.

    Answers with a label that counts as zero are not shown to metrics that look at answers.

    Returns:
        What every question has got, in their order.
    """
    table = [Scored(failure=_failed(one, outputs)) for one in answered]
    for metric in metrics:
        rows = []
        for i, question in enumerate(questions):
            if table[i].failure is not None or not metric.applies(question):
                continue
            if metric.needs_answer and outputs.treatment(answered[i].response.label) == "zero":
                table[i].take(metric.name, 0.0)
            else:
                rows.append(i)
        asked = [questions[i] for i in rows]
        given = [
            _everything(pipeline, questions[i]) if metric.needs_chunks else answered[i].response
            for i in rows
        ]
        for i, score in zip(rows, metric.scores(asked, given, bench), strict=True):
            table[i].take(metric.name, score)
    return table


def _failed(one: Answered, outputs: Outputs) -> Failure | None:
    """Say why a question has no score before anything is measured."""
    if one.failure is not None:
        return one.failure
    label = one.response.label
    if outputs.treatment(label) == "fail":
        return Failure("provider", f"the answer is {label}, which counts as missing here")
    return None


def _everything(pipeline: Pipeline, question: Question) -> Response:
    spans = [span for group in question.evidence for span in group]
    return Response(pipeline.chunks_touching(spans))


class Spending(Relay):
    """A meter that passes everything on and remembers what was spent since it was last asked."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter)
        self._spent = Cost()

    def settle(self, reserved: float, cost: Cost) -> None:
        """Replace a reservation by the real cost, and remember it."""
        super().settle(reserved, cost)
        self._spent = self._spent.plus(cost)

    def spend(self, cost: Cost) -> None:
        """Note a cost, and remember it."""
        super().spend(cost)
        self._spent = self._spent.plus(cost)

    def take(self, units: int) -> list[Cost]:
        """Share what was spent since the last call among some units; the shares sum up to it."""
        spent, self._spent = self._spent, Cost()
        whole = [divmod(amount, units) for amount in spent[1:]]
        return [
            Cost(spent.usd / units, *(each + (number < rest) for each, rest in whole))
            for number in range(units)
        ]
