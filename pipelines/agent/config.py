"""One configuration of an agent: its prompt, its tools, its helpers, and when it has to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.config import RagConfig
from pipelines.llm.models import ModelRef
from pipelines.llm.types import Sampled

AgentType = Literal["function", "react"]
SUMMARY_PROMPT = (
    "The following is a conversation between a user and an assistant. Write a concise summary of "
    "what it says, with every name and number that may be asked about later."
)


class History(BaseModel):
    """What becomes of an earlier conversation that is long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: int | None = Field(
        default=None, ge=0, description="this many are kept as they are; older ones are summarised"
    )
    tokens: int | None = Field(
        default=None, ge=0, description="the same, by tokens as GPT-4 counts them"
    )
    summary_prompt: str = Field(
        default=SUMMARY_PROMPT, min_length=1, description="system prompt of the summary"
    )


class SubAgent(BaseModel):
    """An agent that the main one can hand off to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field(min_length=1, description="what it is for; the main agent reads this")
    system_prompt: str = Field(default="", description="its own")
    tools: tuple[str, ...] = Field(default=(), description="names of its tools")


class AgentConfig(Sampled):
    """An agent, and what it may use."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: ModelRef = Field(default="gpt-4o-mini", description="who is asked")
    type: AgentType = Field(
        default="function",
        description="function: tools by the model's own protocol; react: by text, for any model",
    )
    system_prompt: str = Field(default="", description="what the agent is told before all else")
    max_iterations: int = Field(
        default=20,
        ge=2,
        description="turns of models after which it is over, as LlamaIndex counts: the answer has "
        "to come one turn before",
    )
    tools: tuple[str, ...] | None = Field(
        default=None, description="names of the tools in use; null: all"
    )
    tool_descriptions: Mapping[str, str] = Field(
        default_factory=dict, description="what tools are for, in place of their docstrings"
    )
    agents: Mapping[str, SubAgent] = Field(
        default_factory=dict, description="agents that can be handed off to, by name"
    )
    sub_agents: tuple[str, ...] | None = Field(
        default=None, description="names of those in use; null: all"
    )
    history: History = Field(default_factory=History, description="of earlier conversations")
    search: RagConfig | None = Field(
        default=None, description="the pipeline behind the tool `search`"
    )
    max_tokens: int = Field(default=512, ge=1, description="most tokens of a turn")
    temperature: float | None = Field(default=None, ge=0, le=2, description="randomness")
    top_p: float | None = Field(default=None, gt=0, le=1, description="not beside temperature")
    seed: int | None = Field(default=None, description="asked for, where the endpoint knows it")

    def helpers(self) -> dict[str, SubAgent]:
        """Give the sub-agents in use, by name."""
        chosen = self.agents if self.sub_agents is None else self.sub_agents
        return {name: self.agents[name] for name in self.agents if name in chosen}

    def in_use(self, declared: tuple[str, ...]) -> tuple[str, ...]:
        """Give the names of the main agent's tools, in the order in which they were declared."""
        return tuple(name for name in declared if self.tools is None or name in self.tools)

    def trimmed(self, declared: tuple[str, ...]) -> AgentConfig:
        """Drop what is not in use, so that equal agents are equal however they are spelled."""
        helpers = self.helpers()
        own = self.in_use(declared)
        used = {*own, *(name for one in helpers.values() for name in one.tools)}
        told = {name: text for name, text in self.tool_descriptions.items() if name in used}
        changes = {
            "tools": own,
            "tool_descriptions": told,
            "agents": helpers,
            "sub_agents": tuple(helpers),
            "search": self.search if "search" in used else None,
        }
        return self.model_copy(update=changes)
