"""The `objective:` section of a completion study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, WithJsonSchema, field_validator

from pipelines.completion_config import CompletionConfig, Conversation, conversation
from pipelines.llm.models import Fallback, LanguageModel, ModelRef, OpenAIModel
from pipelines.llm.naming import with_models
from pipelines.llm.outputs import Outputs
from pipelines.llm.types import Message
from pipelines.tasks.instances import InstanceSpec
from raytuner.component import ConfigError, nearest


class CompletionSpec(InstanceSpec):
    """The `objective:` section of a completion study."""

    wanted: ClassVar[Mapping[str, str]] = {**InstanceSpec.wanted, "eval_func": "a function"}

    eval_func: Annotated[Any, WithJsonSchema({"type": "string"})] = Field(
        description="module:function (or, in Python, a function) that takes the list of answers "
        "and the fields of the instance by name, and gives a mapping of metrics"
    )
    completion: dict[str, Any] = Field(
        default_factory=dict, description="the configuration as it stands: trial 0"
    )
    messages: dict[str, Conversation] = Field(
        default_factory=dict, description="conversations by the names that the space uses"
    )
    stops: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="lists of stop texts by the names that the space uses"
    )
    agg: Literal["mean"] = Field(
        default="mean", description="how the metrics of instances make one: their mean"
    )
    outputs: Outputs = Field(
        default_factory=Outputs,
        description="how truncated, empty, ... answers count; of n answers, those that count as "
        "zero are empty texts to eval_func",
    )

    @field_validator("messages", mode="before")
    @classmethod
    def _conversations(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ConfigError(
                "give names and conversations, such as `plain: [{role: user, content: …}]`, got "
                f"{value!r:.80}"
            )
        return {str(name): conversation(given) for name, given in value.items()}

    @field_validator("agg", mode="before")
    @classmethod
    def _mean_only(cls, value: Any) -> Any:
        if value != "mean":
            raise ConfigError(
                f"{value!r:.60} is no aggregate here, where configurations are compared instance "
                "by instance; give mean, and let eval_func give what is to be averaged"
            )
        return value

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        """Validate the section.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        spec = cls.read(args, "a completion")
        treated = [name for name, how in spec.outputs if how == "zero"]
        if spec.minimise and treated:
            raise ConfigError(
                f"outputs.{treated[0]}: zero would be a gain for {spec.minimise[0]}, of which less "
                "is better; say fail",
                ("outputs", treated[0]),
            )
        return spec

    def check(self, standing: CompletionConfig) -> None:
        """Look whether the configuration as it stands names what there is.

        Raises:
            ConfigError: an unknown name.
        """
        one = (standing.prompt is None) != (standing.messages is None)
        if not one or "model" not in standing.model_fields_set:
            return  # the space has to choose
        try:
            self.resolved(standing)
        except ConfigError as error:
            field = ("completion", *error.field)
            raise ConfigError(f"completion.{error.message}", field) from None

    def resolved(self, config: CompletionConfig) -> CompletionConfig:
        """Put models, conversations and stop texts in place of their names.

        Raises:
            ConfigError: an unknown name, or neither `prompt` nor `messages`, or both.
        """
        changes: dict[str, Any] = {"messages": self._conversation_of(config), "prompt": None}
        if self.stops and isinstance(config.stop, str):
            changes["stop"] = _named("stop", config.stop, self.stops)
        config = with_models(config, self.models).model_copy(update=changes)
        if config.best_of is not None:
            config = config.model_copy(update={"model": _picking(config.model, config.best_of)})
        return config

    def _conversation_of(self, config: CompletionConfig) -> Conversation:
        if (config.prompt is None) == (config.messages is None):
            both = config.prompt is not None
            raise ConfigError(
                f"prompt and messages: {'both are' if both else 'neither is'} given; a completion "
                "needs one of them",
                ("messages",),
            )
        if config.prompt is not None:
            return (Message("user", config.prompt),)
        if isinstance(config.messages, str):
            found: Conversation = _named("messages", config.messages, self.messages)
            return found
        return config.messages or ()


def _named(field: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ConfigError(
            f"{field}: {name!r:.60} is not one of those that the objective names: "
            f"{', '.join(known) or 'none'}.{nearest(name, known)}",
            (field,),
        )
    return known[name]


def _picking(model: ModelRef, best_of: int) -> LanguageModel:
    """Have a model send `best_of` with every request."""
    if isinstance(model, Fallback):
        members = tuple(_picking(member, best_of) for member in model.members())
        return model.model_copy(update={"models": members})
    if not isinstance(model, OpenAIModel):
        raise ConfigError(f"best_of: {model} cannot be asked for it", ("best_of",))
    return model.model_copy(update={"extra": {**model.extra, "best_of": best_of}})
