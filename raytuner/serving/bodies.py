"""What clients send: JSON read and checked, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from raytuner.answering import Query, Turn
from raytuner.component import ConfigError

_LONGEST_MESSAGE = 300
_UNSUPPORTED = ("tools", "functions", "logprobs", "audio", "modalities", "web_search_options")
"""Fields of OpenAI's protocol whose neglect a client would notice too late."""

_Body = TypeVar("_Body", bound=BaseModel)


class RefusalError(Exception):
    """A request that gets an error for an answer.

    Attributes:
        status: of HTTP.
        message: one sentence for whoever asked.
        kind: `type` in OpenAI's shape.
        code: for programs, or None.
        field: the field to blame, or None.
        headers: to send with it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        field: str | None = None,
        **headers: str,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind = status, message[:_LONGEST_MESSAGE], kind
        self.code, self.field = code, field[:_LONGEST_MESSAGE] if field else None
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class QueryBody(BaseModel):
    """What `POST /query` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str = ""
    fields: dict[str, str] | None = None
    top_k: int | None = Field(default=None, ge=1, le=10_000)

    @field_validator("question", "fields")
    @classmethod
    def _sound(cls, value: Any) -> Any:
        return _texts(value)

    def query(self) -> Query:
        """Give the query."""
        if self.fields is None and not self.question.strip():
            raise RefusalError(400, "question: it is missing or empty", field="question")
        return Query(self.question, self.fields)


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """Take parts for the text they hold together."""
        if isinstance(value, list):
            for part in value:
                if not isinstance(part, dict) or part.get("type") != "text":
                    raise ValueError("only parts of type text can be read")
                if not isinstance(part.get("text"), str):
                    raise ValueError("a part of type text has a text")  # noqa: TRY004 - pydantic's
            value = "\n".join(part["text"] for part in value)
        return _texts(value)


class _StreamOptions(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    include_usage: bool = False


class ChatBody(BaseModel):
    """What `POST /v1/chat/completions` takes. How a model answers is the configuration's affair."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: str
    messages: list[_Message] = Field(min_length=1)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    n: int | None = None
    response_format: dict[str, Any] | None = None
    fields: dict[str, str] | None = None

    @field_validator("fields")
    @classmethod
    def _sound(cls, value: Any) -> Any:
        return _texts(value)

    @property
    def usage_wanted(self) -> bool:
        """Whether a stream is to end with what was used."""
        return self.stream_options is not None and self.stream_options.include_usage

    def query(self) -> Query:
        """Give the query: the last message, which is a user's."""
        for name in _UNSUPPORTED:
            if (self.model_extra or {}).get(name):
                raise RefusalError(400, f"{name}: not supported here", field=name)
        if self.n not in {None, 1}:
            raise RefusalError(
                400, f"n: there is one answer to a question, got {self.n}", field="n"
            )
        if (self.response_format or {}).get("type", "text") != "text":
            reason = "response_format: answers are as the configuration has them"
            raise RefusalError(400, reason, field="response_format")
        last = self.messages[-1]
        blank = not (last.content or "").strip()
        if last.role != "user" or (blank and self.fields is None):
            reason = "messages: the last one must be a user's and hold a text"
            raise RefusalError(400, reason, field="messages")
        return Query(last.content or "", self.fields, self._earlier())

    def _earlier(self) -> tuple[Turn, ...]:
        """Give what user and assistant have said before; how to answer is not theirs to say."""
        said = [(one.role, one.content or "") for one in self.messages[:-1]]
        return tuple(Turn(role, text) for role, text in said if role in ("user", "assistant"))


def read_body(body: bytes, shape: type[_Body]) -> _Body:
    """Read a body.

    Raises:
        RefusalError: 400, saying what is wrong, and naming the field where there is one.
    """
    data = _json(body)
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        found = ConfigError.of(error)
        field = ".".join(map(str, found.field)) or None
        raise RefusalError(400, found.message, field=field) from None


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise RefusalError(400, "the body is not UTF-8") from None
    except RecursionError:
        raise RefusalError(400, "the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RefusalError(400, f"the body is not JSON: {error.msg}, {where}") from None
    except ValueError:
        raise RefusalError(400, "the body holds something that is no number") from None
    if not isinstance(data, dict):
        raise RefusalError(400, "the body must be a JSON object")
    return data


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _texts(value: Any) -> Any:
    """Refuse what no document can hold and no model can be sent."""
    texts = [*value, *value.values()] if isinstance(value, dict) else [value]
    for text in texts:
        if not isinstance(text, str):
            continue
        if "\0" in text:
            raise ValueError("it holds a NUL character")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError("it holds half a surrogate pair") from None
    return value
