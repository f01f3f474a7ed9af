"""Role LanguageModel: who is asked, what it may cost, and what its endpoint allows."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from pipelines.llm import wire
from pipelines.llm.endpoint import Endpoint, checked_url, chosen_url
from pipelines.llm.prices import Price, find_price
from pipelines.llm.types import Attempt, ChatRequest, Label
from pipelines.scrub import refuse_secrets
from raytuner.component import Component, ConfigError, digest, nearest
from raytuner.ports.gate import Limits, Report

_OURS = frozenset({
    "model", "messages", "n", "stream", "max_tokens", "max_completion_tokens", "response_format",
    "seed", "logprobs", "temperature", "top_p", "stop", "presence_penalty", "frequency_penalty",
    "tools", "tool_choice", "parallel_tool_calls",
})  # fmt: skip
"""Fields of a request that the client sets."""


class LanguageModel(Component):
    """A model that answers messages."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({
        "requests_per_minute", "tokens_per_minute", "concurrency", "timeout", "deadline",
        "retries", "price", "free", "lane_name",
    })  # fmt: skip

    price: Price | None = Field(
        default=None, description="dollars per million tokens; null: list price where it is known"
    )
    free: bool = Field(default=False, description="costs nothing: a model on your own machine")
    requests_per_minute: int | None = Field(default=None, ge=1, description="null: not known")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="null: not known")
    concurrency: int = Field(default=32, ge=1, le=10_000, description="calls at the same time")
    lane_name: str | None = Field(
        default=None, description="models with the same lane_name share one set of limits"
    )
    timeout: float = Field(default=60.0, gt=0, description="seconds for one attempt")
    deadline: float = Field(
        default=300.0, gt=0, description="seconds for all attempts, waiting for its turn aside"
    )
    retries: int = Field(default=4, ge=0, le=20, description="further attempts after the first")

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Identify who answers: endpoint, model and whatever else decides the answer."""

    @abstractmethod
    async def attempt(self, request: ChatRequest, first: int, count: int) -> Attempt:
        """Ask once for the samples `first` to `first + count - 1`.

        Raises:
            Exception: anything; `translate` says what it means.
        """

    @abstractmethod
    def translate(self, error: Exception) -> tuple[Exception, Report]:
        """Turn what `attempt` raised into an ObjectiveFailure or ConfigError, and a report."""

    def check(self) -> None:
        """Look whether it can be asked from this process at all.

        Raises:
            ConfigError: a key or a package is missing.
        """

    async def probe(self) -> None:
        """Ask the endpoint, without spending, whether it takes key and model.

        Raises:
            ConfigError: it does not. An endpoint that does not answer raises nothing.
        """

    @abstractmethod
    def rates(self) -> Price | None:
        """Give the price, or None where nobody knows it."""

    def lane(self) -> str:
        """Give the digest of what shares its limits."""
        return digest("lane", self.lane_name or self.fingerprint())

    def limits(self) -> Limits:
        """Give the limits of its lane."""
        return Limits(self.requests_per_minute, self.tokens_per_minute, self.concurrency)

    def members(self) -> tuple[LanguageModel, ...]:
        """List the models that are really asked: itself, or those it is made of."""
        return (self,)


ModelRef = str | LanguageModel
"""A model: by its name in the study's `models`, by the name OpenAI gives it, or in full."""


class OpenAIModel(LanguageModel, kind="openai"):
    """Any endpoint that speaks OpenAI's chat protocol: OpenAI, Azure, vLLM, Ollama, LM Studio."""

    model: str = Field(min_length=1, description="model name; on Azure the deployment's")
    base_url: str | None = Field(
        default=None, description="server; null: $OPENAI_BASE_URL, else OpenAI's"
    )
    api_key_env: str | None = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable with the key; null: the server needs none",
    )
    azure_api_version: str | None = Field(
        default=None, description="for Azure addresses without /openai/v1, e.g. 2024-10-21"
    )
    length_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="what the endpoint calls the limit of an answer"
    )
    extra: Mapping[str, Any] = Field(
        default_factory=dict, description="further fields of every request, e.g. best_of, top_k"
    )

    @field_validator("extra")
    @classmethod
    def _only_further(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in value:
            if name in _OURS:
                raise ConfigError(
                    f"{name} is no further field: it is set where the model is asked, and what is "
                    "set there is what is paid for and kept"
                )
        return refuse_secrets("extra", value)

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else checked_url(value, "base_url")

    @property
    def name(self) -> str:
        """Give the model's name."""
        return self.model

    def endpoint(self) -> Endpoint:
        """Give the server in use."""
        url = chosen_url(self.base_url)
        return Endpoint(url, self.api_key_env, self.timeout, self.azure_api_version)

    def fingerprint(self) -> str:
        """Name server and model."""
        url = chosen_url(self.base_url)
        known = [self.version, url, self.azure_api_version, self.length_field, self.extra]
        return f"openai/{self.model}/{digest(*known)}"

    def identity(self) -> tuple[Any, ...]:
        """Put the server in use in place of how it is found; who pays is no matter."""
        return ("LanguageModel", self.kind, self.version, self.fingerprint())

    def check(self) -> None:
        """Look for the key."""
        self.endpoint().key()

    async def probe(self) -> None:
        """Ask for the description of the model."""
        await wire.probe(self.endpoint(), self.model)

    def rates(self) -> Price | None:
        """Give the study's price, or the list price of OpenAI and its like."""
        url = chosen_url(self.base_url)
        return find_price(self.model, base_url=url, given=self.price, free=self.free)

    async def attempt(self, request: ChatRequest, first: int, count: int) -> Attempt:
        """Ask once."""
        endpoint, price = self.endpoint(), self.rates()
        return await wire.chat(endpoint, self, price, request, first, count)

    def translate(self, error: Exception) -> tuple[Exception, Report]:
        """Read the openai package's errors."""
        return wire.translated(error, self.endpoint())


class Fallback(LanguageModel, kind="fallback"):
    """Several models, asked in turn until one gives an acceptable answer."""

    models: tuple[ModelRef, ...] = Field(min_length=1, description="first the one to prefer")
    reject: tuple[Label, ...] = Field(
        default=("empty", "filtered", "invalid"),
        description="labels of answers that the next model is asked instead of",
    )
    reject_pattern: str | None = Field(
        default=None, description="regular expression; an answer it is found in is rejected too"
    )

    @field_validator("reject_pattern")
    @classmethod
    def _can_be_read(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ConfigError(f"no regular expression: {error}") from None
        return value

    @property
    def name(self) -> str:
        """Join the names."""
        return " > ".join(model.name for model in self.members())

    def fingerprint(self) -> str:
        """Cover all its models and rules."""
        members = [model.fingerprint() for model in self.members()]
        return f"fallback/{digest(self.version, members, self.reject, self.reject_pattern)}"

    def members(self) -> tuple[LanguageModel, ...]:
        """List its models, first the one that is asked first."""
        return tuple(model for ref in self.models for model in resolved(ref).members())

    def identity(self) -> tuple[Any, ...]:
        """Cover all its models and rules."""
        return ("LanguageModel", self.kind, self.version, self.fingerprint())

    def rates(self) -> Price | None:
        """Refuse: each of its models has its own."""
        raise TypeError("a fallback has no price of its own: ask its members")

    async def attempt(self, request: ChatRequest, first: int, count: int) -> Attempt:
        """Refuse: the client asks its members."""
        del request, first, count
        raise TypeError("a fallback is not asked itself: ask its members")

    def translate(self, error: Exception) -> tuple[Exception, Report]:
        """Refuse: the client asks its members."""
        del error
        raise TypeError("a fallback is not asked itself: ask its members")


def resolved(
    ref: ModelRef, models: Mapping[str, LanguageModel] | None = None, inside: tuple[str, ...] = ()
) -> LanguageModel:
    """Give the model that a reference stands for.

    Args:
        ref: a name or a model.
        models: the study's named models. Where there are any, a name must be one of them;
            otherwise it is a model of the default endpoint.
        inside: names of the fallbacks around it.

    Raises:
        ConfigError: an unknown name, with the known ones and the nearest; or a fallback that
            falls back on itself.
    """
    if isinstance(ref, Fallback) and models:
        members = tuple(resolved(member, models, inside) for member in ref.models)
        return ref.model_copy(update={"models": members})
    if isinstance(ref, LanguageModel):
        return ref
    if not models:
        return OpenAIModel(model=ref)
    if ref in inside:
        raise ConfigError(
            f"model {ref!r} is a fallback that comes back to itself: {' > '.join((*inside, ref))}",
            ("models",),
        )
    if ref not in models:
        raise ConfigError(
            f"model {ref!r} is not one of the study's models: {', '.join(models)}."
            f"{nearest(ref, models)}",
            ("models",),
        )
    return resolved(models[ref], models, (*inside, ref))


def check_named(models: Mapping[str, LanguageModel]) -> None:
    """Look whether fallbacks name models that there are.

    Raises:
        ConfigError: one does not, or comes back to itself.
    """
    for name in models:
        try:
            resolved(name, models)
        except ConfigError as error:
            raise ConfigError(f"models.{name}: {error.message}", ("models", name)) from None


def unpriced(models: Sequence[LanguageModel]) -> list[LanguageModel]:
    """List the models that are really asked and have no known price."""
    asked = [member for model in models for member in model.members()]
    return [model for model in asked if model.rates() is None]
