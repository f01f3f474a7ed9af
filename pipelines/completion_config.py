"""One configuration of a completion study: what is asked, of whom, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, field_validator

from pipelines.llm.labels import check_schema
from pipelines.llm.models import ModelRef
from pipelines.llm.types import ChatRequest, Message, Sampling
from raytuner.component import ConfigError, digest, nearest
from raytuner.objective import Params

_SHAPE = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "role": {"enum": ["system", "user", "assistant"]},
            "content": {"type": "string"},
        },
        "required": ["role", "content"],
        "additionalProperties": False,
    },
}
Conversation = Annotated[tuple[Message, ...], WithJsonSchema(_SHAPE)]
_SAMPLER = "sampler"
"""A parameter that only says which of `temperature` and `top_p` is in use, for `when`."""


class CompletionConfig(BaseModel):
    """What is asked, of whom, and how: one configuration. The names are OpenAI's and AutoGen's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: ModelRef = Field(default="gpt-4o-mini", description="who is asked")
    prompt: str | None = Field(
        default=None, description="template of one user message, with {fields} of the instance"
    )
    messages: str | Conversation | None = Field(
        default=None, description="a list of {role, content} templates, or the name of one"
    )
    max_tokens: int = Field(default=512, ge=1, description="most tokens in an answer")
    temperature: float | None = Field(default=None, ge=0, le=2, description="randomness")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="nucleus sampling; not beside temperature"
    )
    n: int = Field(default=1, ge=1, le=128, description="answers to a question")
    best_of: int | None = Field(
        default=None, ge=1, le=128, description="answers from which the endpoint picks n, if it can"
    )
    stop: str | tuple[str, ...] | None = Field(
        default=None, description="texts that end an answer; or a name in `stops`"
    )
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(default=None, description="asked for, where the endpoint knows it")
    response_schema: Mapping[str, Any] | None = Field(
        default=None, description="JSON Schema that every answer must fit"
    )

    @field_validator("messages", mode="before")
    @classmethod
    def _conversation(cls, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else conversation(value)

    @field_validator("response_schema")
    @classmethod
    def _schema(cls, value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        check_schema(value)
        return value

    @classmethod
    def parse(cls, data: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Self:
        """Validate a mapping.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        for name in data:
            if name not in cls.model_fields:
                raise _unknown(str(name), (*prefix, str(name)))
        try:
            config = cls.model_validate(data)
            config.sampling()
        except ValidationError as error:
            raise ConfigError.of(error, prefix) from error
        if config.best_of is not None and config.best_of < config.n:
            raise ConfigError(
                f"{'.'.join((*prefix, 'best_of'))}: {config.best_of} answers hold no {config.n} to "
                "pick; give n or more",
                (*prefix, "best_of"),
            )
        return config

    def override(self, params: Params) -> Self:
        """Give a copy with other values; `sampler` drops the one of the pair it does not name.

        Raises:
            ConfigError: values that a completion cannot have.
        """
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        changes: dict[str, Any] = dict(params)
        sampler = changes.pop(_SAMPLER, None)
        pair = {"temperature": "top_p", "top_p": "temperature"}
        if sampler is not None:
            if sampler not in pair:
                raise ConfigError(
                    f"{_SAMPLER}: {sampler!r} is none of temperature, top_p", (_SAMPLER,)
                )
            fields.pop(pair[sampler], None)
        for one, other in (("prompt", "messages"), ("messages", "prompt")):
            if changes.get(one) is not None and other not in changes:
                fields.pop(other, None)
        return self.parse({**fields, **changes})

    @property
    def templates(self) -> Conversation:
        """The messages of a resolved configuration."""
        return () if self.messages is None or isinstance(self.messages, str) else self.messages

    def value(self, parameter: str) -> Any:
        """Give the value that a parameter has here.

        Raises:
            ConfigError: there is no such parameter.
        """
        if parameter == _SAMPLER:
            return "temperature" if self.top_p is None else "top_p"
        if parameter not in type(self).model_fields:
            raise _unknown(parameter, (parameter,))
        return getattr(self, parameter)

    def sampling(self) -> Sampling:
        """Give the parameters of a request."""
        return Sampling(**{name: getattr(self, name) for name in Sampling.model_fields})


def request_of(config: CompletionConfig, messages: Conversation) -> ChatRequest:
    """Spell the request for one instance, whose messages are filled."""
    return ChatRequest(messages, config.sampling(), config.n, config.response_schema)


def identity_of(config: CompletionConfig) -> str:
    """Give one key for equal configurations, however spelt; models and messages are resolved."""
    asked = [list(map(list, config.templates)), config.sampling().model_dump(), config.n]
    return digest("completion", config.model, *asked, config.best_of, config.response_schema)


def conversation(value: Any) -> Conversation:
    """Read a list of {role, content}.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError(f"a conversation is a list of {{role, content}}, got {value!r:.80}")
    return tuple(_message(item) for item in value)


def _message(item: Any) -> Message:
    if isinstance(item, Message):
        return item
    if isinstance(item, list | tuple) and len(item) == 2:  # what a Message is as plain data
        item = {"role": item[0], "content": item[1]}
    if not isinstance(item, Mapping) or set(item) != {"role", "content"}:
        raise ConfigError(f"a message has `role` and `content`, nothing else, got {item!r:.80}")
    role, content = item["role"], item["content"]
    if role not in ("system", "user", "assistant"):
        raise ConfigError(f"role: {role!r} is none of system, user, assistant")
    if not isinstance(content, str):
        raise ConfigError(f"content: a template is text, got {content!r:.80}")
    return Message(role, content)


def plain(config: CompletionConfig) -> dict[str, Any]:
    """Spell a configuration as plain values, without what is not given."""
    given = config.model_dump(mode="json", exclude_none=True)
    if isinstance(config.messages, tuple):
        given["messages"] = [message._asdict() for message in config.messages]
    return given


def _unknown(name: str, field: tuple[str, ...]) -> ConfigError:
    known = list(CompletionConfig.model_fields)
    return ConfigError(
        f"{'.'.join(field)}: a completion has no such field; it has: {', '.join(known)}."
        f"{nearest(name, known)}",
        field,
    )
