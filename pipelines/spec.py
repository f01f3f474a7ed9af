"""The `objective:` section of a RAG study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator

from pipelines.llm.models import LanguageModel, check_named
from pipelines.llm.outputs import Outputs, Treatment, models_schema, named_models
from pipelines.workspace import Sources

DEFAULT_METRICS = ("recall@1000tok", "recall", "precision", "iou", "ndcg@10")


class RagOutputs(Outputs):
    """How labelled answers of a RAG count: what holds no answer is worth nothing."""

    empty: Treatment = Field(default="zero", description="without text")
    filtered: Treatment = Field(default="zero", description="refused by model or filter")
    invalid: Treatment = Field(default="zero", description="no JSON of the schema")


class RagSpec(Sources):
    """The `objective:` section of a RAG study."""

    shapes: ClassVar[Mapping[str, tuple[Any, str]]] = {
        **Sources.shapes,
        "metrics": (list | tuple, "a list such as [recall, ndcg@10]"),
        "pipeline": (Mapping, "stages such as `chunker: sentence`"),
    }

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
        spec = cls.read(args, "a rag")
        check_named(spec.models)
        return spec
