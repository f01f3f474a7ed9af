"""The `objective:` section of an agent study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, field_validator

from pipelines.tasks import InstanceSpec, TaskSpec
from raytuner.component import ConfigError

_TOOLS = {"type": "array", "items": {"type": "string"}}


class AgentSpec(TaskSpec):
    """The `objective:` section of an agent study."""

    wanted: ClassVar[Mapping[str, str]] = InstanceSpec.wanted

    score: Any = Field(
        default="contains",
        description="module:function that takes the answer and the item and gives a mapping of "
        "metrics; or metrics by name (exact-match, token-f1, contains, rouge-l); or a list. "
        "`success` is what it gives by that name, else its first metric",
    )
    tools: Annotated[tuple[Any, ...], WithJsonSchema(_TOOLS)] = Field(
        default=(), description="functions with docstrings, as module:function"
    )
    documents: str | tuple[str, ...] | None = Field(
        default=None, description="what the built-in tool `search` searches; as in a rag study"
    )
    agent: dict[str, Any] = Field(
        default_factory=dict, description="the configuration as it stands: trial 0"
    )
    question: str = Field(default="question", description="the field of an item with its question")
    tool_errors: Literal["fail", "judge"] = Field(
        default="fail",
        description="a run in which a tool was missing or raised: `fail`, success is 0; `judge`, "
        "its answer counts like any other",
    )

    @field_validator("tools", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"give a list such as [my_tools:look_up], got {value!r:.80}")
        return value
