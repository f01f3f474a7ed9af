"""What passes between those who ask a language model and the client: requests and replies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from raytuner.component import RaytunerError
from raytuner.objective import Cost, Failure
from raytuner.ports.gate import Report

Label = Literal["truncated", "empty", "filtered", "invalid"]
"""Why an answer is not what was asked for: cut at `max_tokens`, without text, refused by a
content filter, or no JSON of the schema. An answer with a label is a result, not a failure."""
LABELS: tuple[Label, ...] = get_args(Label)


class Message(NamedTuple):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ToolCall(NamedTuple):
    """A function that a model wants called.

    Attributes:
        id: what its result will be named by.
        name: of the function; perhaps of none that there is.
        arguments: as the model wrote them: the JSON of an object, or not.
    """

    id: str
    name: str
    arguments: str


class Calling(NamedTuple):
    """What a model said when it wanted functions called."""

    content: str
    calls: tuple[ToolCall, ...]
    role: Literal["assistant"] = "assistant"


class ToolResult(NamedTuple):
    """What a function gave for the call of this id."""

    content: str
    call_id: str
    role: Literal["tool"] = "tool"


Turn = Message | Calling | ToolResult
"""One step of a conversation, with functions or without."""


@dataclass(frozen=True)
class Tools:
    """Functions that a model may want called.

    Attributes:
        functions: each with `name`, `description` and `parameters`, a JSON Schema.
        required: whether it has to call one.
        parallel: whether it may call several at a time.
    """

    functions: tuple[Mapping[str, Any], ...]
    required: bool = False
    parallel: bool = True


class Sampling(BaseModel):
    """How the next token is chosen, and how many there may be; the names are OpenAI's.

    What is None is not sent: the endpoint's own default holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_tokens: int = Field(
        default=512, ge=1, description="most tokens in an answer; what a call reserves money for"
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="randomness")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="nucleus sampling; not beside temperature"
    )
    stop: str | tuple[str, ...] | None = Field(default=None, description="texts that end an answer")
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    seed: int | None = Field(
        default=None, description="seed of the first sample; sample i is asked with seed + i"
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.temperature is not None and self.top_p is not None:
            raise ValueError(
                f"temperature ({self.temperature:g}) and top_p ({self.top_p:g}) are both given; "
                "vary one of them and leave the other out"
            )
        return self

    def sent(self) -> dict[str, Any]:
        """Give what is sent, the seed aside."""
        given = self.model_dump(exclude_none=True, exclude={"seed"})
        if isinstance(self.stop, tuple):
            given["stop"] = list(self.stop)
        return given


class Sampled(BaseModel):
    """A configuration that has fields of `Sampling` among its own."""

    @model_validator(mode="after")
    def _can_be_sampled(self) -> Self:
        self.sampling()
        return self

    def sampling(self) -> Sampling:
        """Give the parameters of a request."""
        own = type(self).model_fields
        return Sampling(
            **{name: getattr(self, name) for name in Sampling.model_fields & own.keys()}
        )


@dataclass(frozen=True)
class ChatRequest:
    """What is asked of a model.

    Attributes:
        messages: the conversation so far.
        sampling: how to answer.
        samples: independent answers wanted.
        schema: JSON Schema that every answer must fit, or None for free text.
        logprobs: whether the mean log probability of the answer's tokens is wanted.
        tools: functions it may call, or None.
    """

    messages: tuple[Turn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    samples: int = 1
    schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    tools: Tools | None = None


@dataclass(frozen=True)
class Completion:
    """One answer.

    Attributes:
        text: what the model said; may be empty.
        label: what is wrong with it, or None.
        usage: tokens, and dollars at list price, asked for alone and nothing being cached.
        seconds: how long the call took that brought it.
        logprob: mean log probability of its tokens, if asked for and given.
        data: the parsed JSON where a schema was given and the answer fits it.
        cached: whether it was there already.
        calls: functions that are to be called before there is an answer.
    """

    text: str
    label: Label | None = None
    usage: Cost = field(default_factory=Cost)
    seconds: float = 0.0
    logprob: float | None = None
    data: Any = None
    cached: bool = False
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What became of a request: its samples in order, or a failure.

    Attributes:
        samples: as many as were asked for; empty after a failure.
        failure: why there is no answer.
        paid: what was really spent on it, failed attempts included.
        usage: what it costs at list price where nothing is cached and all samples are asked for
            together: the prompt counts once. Of a fallback, with the models that were passed over.
        seconds: a user would have waited for it: the longest of the calls that brought its
            samples, as they were really made. Neither failed attempts nor waiting for leave are
            in it. Of a fallback, with the answers that were passed over.
    """

    samples: tuple[Completion, ...] = ()
    failure: Failure | None = None
    paid: Cost = field(default_factory=Cost)
    usage: Cost = field(default_factory=Cost)
    seconds: float = 0.0

    @property
    def first(self) -> Completion:
        """The first sample."""
        return self.samples[0]


class CallFailedError(RaytunerError):
    """A call brought no usable answer: a failure, or an answer with a label."""

    def __init__(self, failure: Failure | None, label: Label | None = None) -> None:
        super().__init__(failure.message if failure is not None else f"the answer is {label}")
        self.failure = failure
        self.label = label


class Sample(NamedTuple):
    """One answer as an endpoint gave it.

    Attributes:
        text: content of the message, or what it says to refuse; may be empty.
        finish: why it ended: stop, length, content_filter, ... or empty.
        tokens_in: of the whole prompt.
        tokens_out: its own tokens, or its share of those of a call.
        cached_in: tokens of the prompt that the endpoint had cached.
        logprob: mean log probability of its tokens, or None.
        refused: whether the model or a filter refused to answer.
        calls: functions it wants called.
    """

    text: str
    finish: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cached_in: int = 0
    logprob: float | None = None
    refused: bool = False
    calls: tuple[ToolCall, ...] = ()


class Attempt(NamedTuple):
    """What one call brought: at least one sample, perhaps fewer than asked for."""

    samples: tuple[Sample, ...]
    report: Report = Report()
