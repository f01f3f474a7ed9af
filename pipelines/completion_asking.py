"""Asks a language model about instances: templates filled, answers told shortly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.completion_config import CompletionConfig, request_of
from pipelines.completion_data import Instance, Instances, filled
from pipelines.llm.batch import Ask, Dialogue
from pipelines.llm.client import Client
from pipelines.llm.models import resolved
from pipelines.llm.types import Completion, Reply
from raytuner.objective import Cost, Meter, ObjectiveFailure

STAGE = "answer"
_LONGEST_NOTE = 500


@dataclass(frozen=True)
class Created:
    """What a model said.

    Attributes:
        texts: n answers.
        labels: what is wrong with each, or None.
        cost: at list price; what it costs where nothing is cached.
        paid: what was really paid for it.
    """

    texts: tuple[str, ...]
    labels: tuple[str | None, ...]
    cost: Cost
    paid: Cost

    @property
    def text(self) -> str:
        """The first answer."""
        return self.texts[0]


def create(config: CompletionConfig, context: Instance, client: Client, meter: Meter) -> Created:
    """Ask about one instance.

    Args:
        config: models, conversations and stop texts are resolved.
        context: fields for the templates.
        client: asks.
        meter: where work is counted.

    Raises:
        ConfigError: a field that the context lacks.
        ObjectiveFailure: the model did not answer; the kind says how.
    """
    known = Instances([context], ["given as context"], "id")
    known.check(config.templates, "context")
    (reply,) = client.complete([_ask(config, context)], meter, STAGE)
    if reply.failure is not None:
        failure = reply.failure
        raise ObjectiveFailure(failure.kind, failure.message, retryable=failure.retryable)
    texts = tuple(sample.text for sample in reply.samples)
    labels = tuple(sample.label for sample in reply.samples)
    return Created(texts, labels, reply.usage, reply.paid)


def dialogue(config: CompletionConfig, instance: Instance) -> Dialogue[Reply]:
    """Lead one instance to its answers."""
    (reply,) = yield [_ask(config, instance)]
    return reply


def told(samples: Sequence[Completion]) -> Mapping[str, Any]:
    """Say for the record what was answered: the first answer, cut short, and what is wrong."""
    notes: dict[str, Any] = {"answer": samples[0].text[:_LONGEST_NOTE]}
    labels = Counter(sample.label for sample in samples if sample.label is not None)
    return {**notes, "labels": dict(sorted(labels.items()))} if labels else notes


def _ask(config: CompletionConfig, instance: Instance) -> Ask:
    return Ask(resolved(config.model), request_of(config, filled(config.templates, instance)))
