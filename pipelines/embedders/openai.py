"""Embeddings of any OpenAI-compatible server, through the official client.

Responsible for request sizes and for what requests and answers say. The key comes from the
environment only and is held by no component, message or cache key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from pipelines.embedders.batching import distinct, encodable
from pipelines.embedders.paid import Call, PaidEmbedder
from pipelines.embedders.remote import unit_vectors
from pipelines.llm.attempts import Policy
from pipelines.llm.endpoint import DEFAULT_URL, Endpoint, checked_url, chosen_url, report_of
from pipelines.llm.prices import Price, find_price
from pipelines.llm.wire import probe, translated
from pipelines.roles import Embedded
from pipelines.tokenizers import tokenizer
from pipelines.types import IntArray, Vectors
from raytuner.component import digest
from raytuner.objective import Cost, Meter, ObjectiveFailure
from raytuner.ports.gate import Report


class OpenAI(PaidEmbedder, kind="openai"):
    """Embed through `POST {base_url}/embeddings`.

    Limits as documented for OpenAI (https://platform.openai.com/docs/api-reference/embeddings):
    8,191 tokens a text, 2,048 texts and 300,000 tokens a request, counted with cl100k. The
    server may answer the same text with slightly different vectors; the cache keeps the first.
    """

    unkeyed: ClassVar[frozenset[str]] = PaidEmbedder.unkeyed | {
        "api_key_env", "batch_size", "deadline", "max_tokens_per_request",
        "retries", "timeout",
    }  # fmt: skip

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
    timeout: float = Field(default=60.0, gt=0, description="seconds for one attempt")
    deadline: float = Field(
        default=300.0, gt=0, description="seconds for all attempts, waiting for its turn aside"
    )
    retries: int = Field(default=3, ge=0, le=20, description="further attempts of a request")
    api_key_env: str | None = Field(
        default="OPENAI_API_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable with the key; null: the server needs none",
    )
    azure_api_version: str | None = Field(
        default=None, description="for Azure addresses without /openai/v1, e.g. 2024-10-21"
    )

    @field_validator("base_url")
    @classmethod
    def _plain_url(cls, value: str | None) -> str | None:
        return None if value is None else checked_url(value, "base_url")

    @property
    def name(self) -> str:
        """Give the model's name."""
        return self.model

    def url(self) -> str:
        """Give the server in use, without a trailing slash."""
        return chosen_url(self.base_url)

    def endpoint(self) -> Endpoint:
        """Give the server in use and how to reach it."""
        return Endpoint(self.url(), self.api_key_env, self.timeout, self.azure_api_version)

    def identity(self) -> tuple[Any, ...]:
        """Name Azure's version only where there is one: other keys are older than the field."""
        role, kind, version, fields = super().identity()
        kept = {k: v for k, v in fields.items() if k != "azure_api_version" or v is not None}
        return role, kind, version, kept

    def fingerprint(self) -> str:
        """Name server, model, width, prefixes and limit."""
        fields = {**self.identity()[3], "base_url": self.url()}
        return f"openai/{self.model}/{digest(self.version, fields)}"

    def rates(self) -> Price | None:
        """Give the study's price, or the list price of OpenAI and its like."""
        return find_price(self.model, base_url=self.url(), given=self.given_price())

    def check(self) -> None:
        """Look for the key."""
        self.endpoint().key()

    async def probe(self) -> None:
        """Ask for the description of the model."""
        await probe(self.endpoint(), self.model)

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts in concurrent requests; equal texts are sent once.

        Raises:
            BudgetExhaustedError: there is no money, or the sweep is ending.
            ConfigError: if there is no key, or the server refuses it.
            ObjectiveFailure: rate_limit, timeout or provider.
        """
        prefix = self.query_prefix if query else self.document_prefix
        unique, inverse = distinct([encodable(prefix + text) for text in texts])
        if not unique:
            return Embedded(np.zeros((0, self.dimensions or 0), np.float32), inverse)
        self.endpoint().key()
        with meter.stage("embed"):
            sent, lengths, cut = shortened(unique, self.max_tokens_per_text)
            batches = request_batches(lengths, self.batch_size, self.max_tokens_per_request)
            calls = [self._call(sent[batch], sum(lengths[batch])) for batch in batches]
            policy = Policy(self.timeout, self.deadline, self.retries)
            answers = self.pay(calls, self._translate, policy, meter, self.concurrency)
            parts = [
                self._vectors(answer, batch.stop - batch.start)
                for answer, batch in zip(answers, batches, strict=True)
            ]
        widths = {part.shape[1] for part in parts}
        if len(widths) > 1:
            raise ObjectiveFailure(
                "provider", f"{self.url()} gave vectors of different widths: {sorted(widths)}"
            )
        meter.count("texts embedded", len(unique))
        return Embedded(np.concatenate(parts)[inverse], cut[inverse])

    def _call(self, texts: Sequence[str], tokens: int) -> Call[list[Any]]:
        async def attempt() -> tuple[list[Any], Report]:
            extra = {} if self.dimensions is None else {"dimensions": self.dimensions}
            embeddings = self.endpoint().client().embeddings.with_raw_response
            raw = await embeddings.create(model=self.model, input=list(texts), **extra)
            response = raw.parse()
            cost = self._cost(response, tokens)
            return list(response.data), report_of(raw.headers, Report(cost=cost))

        return Call(tokens, attempt)

    def _cost(self, response: Any, estimated: int) -> Cost:
        """Take the tokens that the server says it used, or our own count where it says nothing."""
        tokens = getattr(getattr(response, "usage", None), "prompt_tokens", None)
        if not isinstance(tokens, int) or tokens < 0:
            tokens = estimated
        return Cost(self.usd(tokens), tokens_in=tokens, calls=1)

    def _translate(self, error: Exception) -> tuple[Exception, Report]:
        return translated(error, self.endpoint())

    def _vectors(self, rows: Sequence[Any], expected: int) -> Vectors:
        """Order the rows by their `index`, which need not be the order they come in."""
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
