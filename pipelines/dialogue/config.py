"""The configuration of a chatbot, and the section of a dialogue study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.llm.models import ModelRef
from pipelines.llm.templates import template_fields
from pipelines.llm.types import Sampled
from pipelines.tasks.outcome import TaskSpec


class BotConfig(Sampled):
    """Who answers, and how: one configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: ModelRef = Field(default="gpt-4o-mini", description="who answers")
    system: str = Field(
        default="", description="template of the system message, with {fields} of the dialogue"
    )
    history: int | None = Field(
        default=None, ge=0, description="earlier turns that the model is told; null: all of them"
    )
    max_tokens: int = Field(default=512, ge=1, description="most tokens in an answer")
    temperature: float | None = Field(default=None, ge=0, le=2, description="randomness")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="nucleus sampling; not beside temperature"
    )
    stop: str | tuple[str, ...] | None = Field(default=None, description="texts that end an answer")
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(default=None, description="asked for, where the endpoint knows it")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        template_fields(self.system)
        return self


class Passing(BaseModel):
    """When a turn counts as passed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    metric: str = Field(description="one of the metrics of a turn")
    least: float = Field(default=1.0, description="its value from which a turn has passed")


class DialogueSpec(TaskSpec):
    """The `objective:` section of a dialogue study."""

    wanted: ClassVar[Mapping[str, str]] = {
        **TaskSpec.wanted,
        "instances": "a file or a list of dialogues, each with `turns: [{user: …, expect: …}]`",
    }

    bot: dict[str, Any] = Field(
        default_factory=dict, description="the configuration as it stands: trial 0"
    )
    reference: str = Field(
        default="expect", description="the field of a turn that metrics compare its answer with"
    )
    passing: Passing | None = Field(
        default=None,
        description="adds turns_passed, the share of turns that pass, and dialogue_passed, "
        "whether all do",
    )
