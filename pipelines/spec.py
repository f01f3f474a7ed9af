"""The `objective:` section of a RAG study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator

from pipelines.llm.models import LanguageModel, check_named
from pipelines.llm.outputs import Outputs, Treatment, models_schema, named_models
from pipelines.workspace import Sources
from raytuner.component import ConfigError, refuse_unknown

DEFAULT_METRICS = ("recall@1000tok", "recall", "precision", "iou", "ndcg@10")


class RagOutputs(Outputs):
    """How labelled answers of a RAG count: what holds no answer is worth nothing."""

    empty: Treatment = Field(default="zero", description="without text")
    filtered: Treatment = Field(default="zero", description="refused by model or filter")
    invalid: Treatment = Field(default="zero", description="no JSON of the schema")


class RagSpec(Sources):
    """The `objective:` section of a RAG study."""

    metrics: tuple[str | dict[str, Any], ...] = Field(
        default=DEFAULT_METRICS,
        min_length=1,
        description="what is measured; the first is optimised unless `metric` says otherwise",
    )
    pipeline: dict[str, Any] = Field(
        default_factory=dict,
        description="the configuration as it stands: trial 0, and what is not tuned",
    )
    models: dict[str, LanguageModel] = Field(
        default_factory=dict,
        description="language models by the names that stages, metrics and the space use",
        json_schema_extra=models_schema,
    )
    outputs: RagOutputs = Field(
        default_factory=RagOutputs, description="how truncated, empty, ... answers count"
    )

    def sources(self) -> Sources:
        """Give the part that says where the data is."""
        return Sources(**{name: getattr(self, name) for name in Sources.model_fields})

    @field_validator("models", mode="before")
    @classmethod
    def _openai_unless_said(cls, value: Any) -> Any:
        return named_models(value)

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        """Validate the section.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        refuse_unknown(args, cls.model_fields, "a rag objective has no such field; it has")
        given = {"golden": None, **args}
        for name, (kind, wanted) in _SHAPES.items():
            if name in given and not isinstance(given[name], kind):
                raise ConfigError(f"{name}: give {wanted}, got {given[name]!r}", (name,))
        try:
            spec = cls.model_validate(args)
        except ValidationError as error:
            raise ConfigError.of(error) from error
        check_named(spec.models)
        return spec


_SHAPES: Mapping[str, tuple[Any, str]] = {
    "golden": (str | Mapping, "the file or folder of questions"),
    "metrics": (list | tuple, "a list such as [recall, ndcg@10]"),
    "pipeline": (Mapping, "stages such as `chunker: sentence`"),
}
