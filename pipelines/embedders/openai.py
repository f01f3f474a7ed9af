"""Embeddings of any OpenAI-compatible server, through the official client.

Responsible for request sizes, concurrency, typed failures and accounting. The key comes from
the environment only and is held by no component, message or cache key.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field, field_validator

from pipelines.embedders.batching import distinct, encodable, in_threads
from pipelines.embedders.remote import unit_vectors
from pipelines.roles import Embedded, Embedder
from pipelines.scrub import scrubbed
from pipelines.tokenizers import tokenizer
from pipelines.types import IntArray, Vectors
from raytuner.component import ConfigError, digest
from raytuner.objective import Cost, Meter, ObjectiveFailure

DEFAULT_URL = "https://api.openai.com/v1"


class OpenAI(Embedder, kind="openai"):
    """Embed through `POST {base_url}/embeddings`.

    Limits as documented for OpenAI (https://platform.openai.com/docs/api-reference/embeddings):
    8,191 tokens a text, 2,048 texts and 300,000 tokens a request, counted with cl100k. The
    server may answer the same text with slightly different vectors; the cache keeps the first.
    """

    exclusive: ClassVar[bool] = False
    unkeyed: ClassVar[frozenset[str]] = frozenset(
        {
            "api_key_env", "batch_size", "concurrency", "max_tokens_per_request", "retries",
            "timeout", "usd_per_million_tokens",
        }
    )  # fmt: skip

    model: str = Field(default="text-embedding-3-small", min_length=1, description="model name")
    base_url: str | None = Field(
        default=None, description=f"server; null: $OPENAI_BASE_URL, else {DEFAULT_URL}"
    )
    dimensions: int | None = Field(
        default=None, ge=1, description="width to ask for; null: the model's own"
    )
    query_prefix: str = Field(default="", description="put before every query")
    document_prefix: str = Field(default="", description="put before every document")
    max_tokens_per_text: int = Field(
        default=8191, ge=1, description="longer texts are cut here, and counted"
    )
    max_tokens_per_request: int = Field(default=300_000, ge=1, description="tokens in a request")
    batch_size: int = Field(default=512, ge=1, le=2048, description="texts in a request")
    concurrency: int = Field(default=4, ge=1, le=64, description="requests at a time")
    timeout: float = Field(default=60.0, gt=0, description="seconds for one attempt")
    retries: int = Field(default=3, ge=0, le=20, description="further attempts of a request")
    api_key_env: str | None = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable with the key; null: the server needs none",
    )
    usd_per_million_tokens: float = Field(
        default=0.0, ge=0, description="price, for the budget; 0: free or unknown"
    )

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else _checked_url(value, "base_url")

    def url(self) -> str:
        """Give the server in use, without a trailing slash."""
        chosen = self.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
        return _checked_url(chosen, "OPENAI_BASE_URL")

    def fingerprint(self) -> str:
        """Name server, model, width, prefixes and limit."""
        fields = {**self.identity()[3], "base_url": self.url()}
        return f"openai/{self.model}/{digest(self.version, fields)}"

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts in concurrent requests; equal texts are sent once.

        Raises:
            ConfigError: if there is no key, or the server refuses it.
            ObjectiveFailure: rate_limit, timeout or provider.
        """
        prefix = self.query_prefix if query else self.document_prefix
        unique, inverse = distinct([encodable(prefix + text) for text in texts])
        if not unique:
            return Embedded(np.zeros((0, self.dimensions or 0), np.float32), inverse)
        key = self._key()
        with meter.stage("embed"):
            sent, lengths, cut = shortened(unique, self.max_tokens_per_text)
            batches = request_batches(lengths, self.batch_size, self.max_tokens_per_request)
            parts = self._requests(sent, lengths, batches, key, meter)
        widths = {part.shape[1] for part in parts}
        if len(widths) > 1:
            raise ObjectiveFailure(
                "provider", f"{self.url()} gave vectors of different widths: {sorted(widths)}"
            )
        meter.count("texts embedded", len(unique))
        return Embedded(np.concatenate(parts)[inverse], cut[inverse])

    def _key(self) -> str:
        if self.api_key_env is None:
            return "none"
        key = os.environ.get(self.api_key_env, "").strip()
        if not key:
            raise ConfigError(
                f"embedder openai: the environment variable {self.api_key_env} (api_key_env) is "
                f"not set; put the key of {self.url()} there, or set api_key_env to null"
            )
        return key

    def _requests(
        self,
        texts: Sequence[str],
        lengths: Sequence[int],
        batches: Sequence[slice],
        key: str,
        meter: Meter,
    ) -> list[Vectors]:
        import openai

        lock = threading.Lock()  # a meter need not be thread-safe

        with openai.OpenAI(
            api_key=key, base_url=self.url(), timeout=self.timeout, max_retries=self.retries
        ) as client:

            def request(batch: slice) -> Vectors:
                reserved = sum(lengths[batch]) * self.usd_per_million_tokens / 1e6
                cost = Cost()
                with lock:
                    meter.reserve(reserved)
                try:
                    response = self._create(client, texts[batch])
                    cost = self._cost(response, sum(lengths[batch]))
                    return self._vectors(response, batch.stop - batch.start)
                finally:
                    with lock:
                        meter.settle(reserved, cost)
                        meter.count("tokens embedded", cost.tokens_in)

            return list(in_threads(request, batches, self.concurrency))

    def _create(self, client: Any, texts: Sequence[str]) -> Any:
        import openai

        extra = {} if self.dimensions is None else {"dimensions": self.dimensions}
        try:
            return client.embeddings.create(model=self.model, input=list(texts), **extra)
        except openai.OpenAIError as error:
            raise failure_of(error, self.url(), self.api_key_env) from None
        except (ValueError, TypeError, AttributeError) as error:
            text = scrubbed(error, self.api_key_env)
            raise ObjectiveFailure(
                "provider",
                f"{self.url()} did not answer with a list of embeddings: {text}",
                retryable=True,
            ) from None

    def _cost(self, response: Any, estimated: int) -> Cost:
        """Take the tokens that the server says it used, or our own count where it says nothing."""
        tokens = getattr(getattr(response, "usage", None), "prompt_tokens", None)
        if not isinstance(tokens, int) or tokens < 0:
            tokens = estimated
        return Cost(tokens * self.usd_per_million_tokens / 1e6, tokens_in=tokens, calls=1)

    def _vectors(self, response: Any, expected: int) -> Vectors:
        """Order the rows by their `index`, which need not be the order they come in."""
        rows = list(response.data)
        numbers = [getattr(row, "index", None) for row in rows]
        if len(rows) == expected and set(numbers) != set(range(expected)):
            raise ObjectiveFailure(
                "provider",
                f"{self.url()} numbered {expected} vectors {numbers[:5]}..., not 0, 1, ...",
            )
        ordered = sorted(rows, key=lambda row: row.index) if len(rows) == expected else rows
        return unit_vectors(
            [getattr(row, "embedding", None) for row in ordered],
            expected=expected,
            dimensions=self.dimensions,
            source=self.url(),
        )


def failure_of(error: Any, url: str, key_name: str | None) -> Exception:
    """Translate an exception of the openai package: what failed, and is trying again of use?"""
    import openai

    if isinstance(error, openai.AuthenticationError):
        # The server's own message quotes parts of the key.
        return ConfigError(f"the key in {key_name or 'no variable'} was refused by {url} (401)")
    text = scrubbed(error, key_name)
    if isinstance(error, openai.RateLimitError):
        lasting = getattr(error, "code", None) == "insufficient_quota"
        return ObjectiveFailure("rate_limit", f"{url}: {text}", retryable=not lasting)
    if isinstance(error, openai.APITimeoutError):
        return ObjectiveFailure("timeout", f"{url} did not answer in time", retryable=True)
    if isinstance(error, openai.APIConnectionError):
        cause = scrubbed(error.__cause__ or error, key_name)
        return ObjectiveFailure("provider", f"{url} is out of reach: {cause}", retryable=True)
    status = getattr(error, "status_code", 500)
    passing = status >= 500 or status in (408, 409)
    return ObjectiveFailure("provider", f"{url}: {text}", retryable=passing)


def shortened(texts: Sequence[str], limit: int) -> tuple[list[str], list[int], IntArray]:
    """Cut texts to `limit` cl100k tokens.

    Returns:
        The texts as sent, their lengths in tokens, and the tokens each lost (int64 [n]).
    """
    counter = tokenizer("cl100k")
    sent: list[str] = []
    lengths: list[int] = []
    cut = np.zeros(len(texts), np.int64)
    for position, text in enumerate(texts):
        whole = length = counter.count(text)
        kept = text
        while length > limit:  # a text cut inside a word can count more tokens than it had there
            kept = kept[: int(counter.starts(kept)[limit])]
            length = counter.count(kept)
        sent.append(kept)
        lengths.append(length)
        cut[position] = whole - length
    return sent, lengths, cut


def request_batches(lengths: Sequence[int], most_texts: int, most_tokens: int) -> list[slice]:
    """Cut a sequence of texts into requests within both limits, in order; each has a text."""
    batches: list[slice] = []
    start = tokens = 0
    for position, length in enumerate(lengths):
        full = position - start >= most_texts or tokens + length > most_tokens
        if full and position > start:
            batches.append(slice(start, position))
            start, tokens = position, 0
        tokens += length
    return [*batches, slice(start, len(lengths))] if lengths else []


def _checked_url(url: str, name: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name} {url!r} is no http(s) address such as {DEFAULT_URL}")
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            f"{name} for {parts.hostname} must hold no user, password or query: "
            "give the key by environment (api_key_env)"
        )
    return url.rstrip("/")
