"""Any installed LlamaIndex LLM, named by its import path.

Importing this module registers the kind; LlamaIndex itself is imported when a model is asked.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field, field_validator

from pipelines.llm.imported import (
    ClassArgs,
    ClassPath,
    fingerprint,
    loaded,
    title,
    translated_by_name,
)
from pipelines.llm.models import LanguageModel
from pipelines.llm.prices import FREE, Price
from pipelines.llm.types import Attempt, ChatRequest, Message, Sample, Turn
from pipelines.llm.wire import BadBodyError, read_completion, response_format
from pipelines.scrub import scrubbed
from pipelines.tokenizers import encodable, tokenizer
from raytuner.component import ConfigError, RaytunerError
from raytuner.objective import Cost
from raytuner.ports.gate import Report

_BASE = "llama_index.core.llms.llm:LLM"
_SPEAKS_OPENAI = "llama_index.llms.openai"
_UNREAD = (AttributeError, IndexError, KeyError, TypeError, ValueError)
_SET_ELSEWHERE = {
    "max_tokens": "give it where the model is asked",
    "max_retries": "give `retries` beside `args` instead",
    "timeout": "give `timeout` beside `args` instead",
}


class LlamaIndexModel(LanguageModel, kind="llama-index"):
    """A class derived from LlamaIndex's LLM.

    Keys are read by the class from its own environment variable. Name the server in `args` where
    it is not the class's own: answers are kept by path and arguments. What a request leaves out
    is the class's own default (LlamaIndex's OpenAI sends temperature 0.1). Classes for OpenAI
    take a JSON Schema, seeds and several samples at once; any other gets the schema as a message.
    """

    path: ClassPath = Field(
        description="class to use, as module:Class, e.g. llama_index.llms.openai:OpenAI"
    )
    args: ClassArgs = Field(default_factory=dict)

    @field_validator("args")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, remedy in _SET_ELSEWHERE.items():
            if name in value:
                raise ConfigError(f"args.{name} {value[name]!r} would overrule ours: {remedy}")
        return value

    @property
    def name(self) -> str:
        """Give the model's name, or the class's."""
        return title(self.path, self.args)

    def fingerprint(self) -> str:
        """Name the class, its arguments and the release of the package that holds it."""
        return fingerprint(self.version, self.path, self.args)

    def identity(self) -> tuple[Any, ...]:
        """Cover the package's release too; who pays is no matter."""
        return ("LanguageModel", self.kind, self.version, self.fingerprint())

    def check(self) -> None:
        """Make the class, and let it say whether it knows the model.

        Raises:
            ConfigError: the class cannot be imported, or refuses its arguments.
        """
        llm = self._llm()
        try:
            llm.metadata  # noqa: B018 - where a class looks its model up
        except Exception as error:  # noqa: BLE001 - any class, any exception
            raise ConfigError(f"{self.path}: {scrubbed(error)}") from None

    def rates(self) -> Price | None:
        """Give the study's price."""
        return self.price or (FREE if self.free else None)

    async def attempt(self, request: ChatRequest, first: int, count: int) -> Attempt:
        """Ask once; a class that does not speak OpenAI's protocol gives one sample a time."""
        from llama_index.core.base.llms.types import ChatMessage, MessageRole

        if request.tools is not None:
            raise ConfigError(
                f"{self.path}: a model of kind llama-index is offered no tools here; ask it of "
                "kind openai, or have the agent be of type react"
            )
        llm = self._llm()
        messages, options = _spelled(request, first, count, openai=_speaks_openai(llm))
        response = await llm.achat(
            [
                ChatMessage(role=MessageRole(turn.role), content=encodable(turn.content))
                for turn in messages
            ],
            **options,
        )
        raw = response.raw
        if isinstance(getattr(raw, "choices", None), list):
            samples, cost = read_completion(raw, self.rates(), request, count)
            return Attempt(samples, Report(cost=cost))
        return self._read(request, str(response.message.content or ""), raw)

    def translate(self, error: Exception) -> tuple[Exception, Report]:
        """Read the openai package's errors, and others by name.

        Classes for OpenAI trust every answer; what they raise over one that is no completion is
        what our own client says of it.
        """
        ours = isinstance(error, RaytunerError) or "keyword argument" in str(error)
        if isinstance(error, _UNREAD) and not ours and _speaks_openai(self._llm()):
            error = BadBodyError(f"{type(error).__name__}: {error}")
        return translated_by_name(error, self.path)

    def _llm(self) -> Any:
        fixed = {"max_retries": 0, "timeout": self.timeout}
        return loaded(self.path, self.args, _BASE, "language model", **fixed)

    def _read(self, request: ChatRequest, text: str, raw: Any) -> Attempt:
        """Read an answer of unknown make; its cost is known only if its usage is."""
        used = _usage(raw)
        count = tokenizer("cl100k").count
        asked = sum(count(message.content) for message in request.messages)
        tokens_in, tokens_out = used or (asked, count(text))
        price = self.rates()
        usd = price.cost(tokens_in, tokens_out) if price else 0.0
        report = Report(cost=Cost(usd, tokens_in, tokens_out, 1) if used else None)
        return Attempt((Sample(text, _finish(raw), tokens_in, tokens_out),), report)


def _speaks_openai(llm: Any) -> bool:
    return any(kind.__module__.startswith(_SPEAKS_OPENAI) for kind in type(llm).__mro__)


def _spelled(
    request: ChatRequest, first: int, count: int, *, openai: bool
) -> tuple[list[Turn], dict[str, Any]]:
    """Give messages and options as the class takes them."""
    messages, options = list(request.messages), request.sampling.sent()
    if not openai:
        if request.schema is not None:
            wish = f"Answer with JSON alone, of this JSON Schema: {json.dumps(request.schema)}"
            messages.insert(0, Message("system", wish))
        return messages, options
    if request.schema is not None:
        options["response_format"] = response_format(request.schema)
    if request.sampling.seed is not None:
        options["seed"] = request.sampling.seed + first
    if count > 1:
        options["n"] = count
    if request.logprobs:
        options["logprobs"] = True
    return messages, options


def _usage(raw: Any) -> tuple[int, int] | None:
    """Find tokens in and out under the names that services give them."""
    usage = _item(raw, "usage")
    for names in (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")):
        found = [_item(usage, name) for name in names]
        if all(isinstance(amount, int) and amount >= 0 for amount in found):
            return found[0], found[1]
    return None


def _finish(raw: Any) -> str:
    """Find why an answer ended, in OpenAI's words."""
    reason = _item(raw, "finish_reason") or _item(raw, "stop_reason") or _item(raw, "done_reason")
    return "length" if reason in ("length", "max_tokens") else str(reason or "")


def _item(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)
