"""The configuration of a workflow: what each of its steps is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.llm.labels import check_schema
from pipelines.llm.models import ModelRef
from pipelines.llm.templates import template_fields
from pipelines.llm.types import Sampled
from pipelines.routing import Router
from raytuner.component import ConfigError


class StepConfig(Sampled):
    """One step: everything about it that can be tuned. All of it may be left out."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True
    )

    model: ModelRef | None = Field(default=None, description="who is asked; null: nobody")
    system: str = Field(default="", description="template of the system message; empty: none")
    prompt: str | None = Field(default=None, description="template of the user message")
    method: Router | None = Field(
        default=None, description="how the step chooses a way: keyword, embedding, llm"
    )
    response_schema: str | Mapping[str, Any] | None = Field(
        default=None,
        alias="schema",
        description="JSON Schema that the answer must fit, or the name of one in `schemas`",
    )
    max_tokens: int = Field(default=512, ge=1, description="most tokens in an answer")
    temperature: float | None = Field(default=None, ge=0, le=2, description="randomness")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="nucleus sampling; not beside temperature"
    )
    stop: str | tuple[str, ...] | None = Field(default=None, description="texts that end it")
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(default=None, description="asked for, where the endpoint knows it")
    settings: Mapping[str, Any] = Field(
        default_factory=dict, description="values of the step's own, which its code reads"
    )

    @field_validator("response_schema")
    @classmethod
    def _is_schema(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            check_schema(value)
        return value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for template in (self.system, self.prompt or ""):
            template_fields(template)
        return self

    @property
    def asks(self) -> bool:
        """Whether the step may ask its model."""
        routes = self.method is not None and not self.method.asks and self.prompt is None
        return self.model is not None and not routes

    def check(self, name: str) -> None:
        """Look whether a step that asks knows whom.

        Raises:
            ConfigError: it does not.
        """
        why = "a prompt" if self.prompt is not None else "the method llm"
        if self.model is None and (self.prompt is not None or self._routes_by_model):
            raise ConfigError(
                f"steps.{name}.model: it is missing, and the step has {why}; name a model",
                (f"steps.{name}.model",),
            )

    @property
    def _routes_by_model(self) -> bool:
        return self.method is not None and self.method.asks


class WorkflowConfig(BaseModel):
    """The steps of a workflow by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Mapping[str, StepConfig] = Field(default_factory=dict)


class Expected(BaseModel):
    """What a step may take, for what is checked and estimated before anything runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fills: tuple[str, ...] | None = Field(
        default=None,
        description="fields of the prompt that the code fills, beside those of the item; with it "
        "every prompt is checked before anything runs",
    )
    calls: int = Field(default=1, ge=0, description="calls for an item at most, for estimates")
    filled_tokens: int = Field(
        default=1000, ge=0, description="tokens at most of what is filled in, for estimates"
    )
