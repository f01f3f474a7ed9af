"""What embedders that others host have in common: a price, limits, and calls through the gate."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from pydantic import Field

from pipelines.llm.accounts import Counts, count_calls, told
from pipelines.llm.attempts import Attempting, Outcome, Policy, Translating, persist
from pipelines.llm.prices import FREE, Price
from pipelines.roles import Embedder
from raytuner.component import ConfigError, digest
from raytuner.objective import Meter, ObjectiveFailure
from raytuner.paying.turnstile import standalone_gate
from raytuner.ports.gate import Demand, Gate, Limits, Report, run_in_background

_Value = TypeVar("_Value")
_STAGE = "embed"
_REFUSALS = (400, 403, 404, 422)
"""Statuses that are about one request: they end its trial, and another model may do better."""


class Call(NamedTuple, Generic[_Value]):
    """A request that is to be made.

    Attributes:
        tokens: the most it can use.
        attempt: makes it once.
    """

    tokens: int
    attempt: Attempting[_Value]


class PaidEmbedder(Embedder):
    """An embedder whose calls cost money or are limited in number."""

    exclusive: ClassVar[bool] = False
    unkeyed: ClassVar[frozenset[str]] = frozenset({
        "concurrency", "free", "lane_name", "requests_per_minute", "tokens_per_minute",
        "usd_per_million_tokens",
    })  # fmt: skip

    usd_per_million_tokens: float | None = Field(
        default=None, ge=0, description="price; null: list price where it is known"
    )
    free: bool = Field(default=False, description="costs nothing: a model on your own machine")
    requests_per_minute: int | None = Field(default=None, ge=1, description="null: not known")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="null: not known")
    concurrency: int = Field(default=4, ge=1, le=64, description="requests at a time")
    lane_name: str | None = Field(
        default=None, description="models with the same lane_name share one set of limits"
    )

    @property
    @abstractmethod
    def name(self) -> str:
        """What accounts call it."""

    def given_price(self) -> Price | None:
        """Give the price that the study states, or None."""
        if self.usd_per_million_tokens is None:
            return FREE if self.free else None
        return Price(input=self.usd_per_million_tokens)

    def rates(self) -> Price | None:
        """Give the price, or None where nobody knows it."""
        return self.given_price()

    def usd(self, tokens: int) -> float:
        """Give what so many tokens cost; 0 where nobody knows."""
        price = self.rates()
        return price.cost(tokens, 0) if price else 0.0

    def check(self) -> None:
        """Look whether it can be asked from this process; see `LanguageModel.check`."""

    async def probe(self) -> None:
        """Ask, without spending, whether key and model are taken; see `LanguageModel.probe`."""

    def lane(self) -> str:
        """Give the digest of what shares its limits."""
        return digest("lane", self.lane_name or self.fingerprint())

    def pay(
        self,
        calls: Sequence[Call[_Value]],
        translate: Translating,
        policy: Policy,
        meter: Meter,
        at_once: int,
    ) -> list[_Value]:
        """Make calls through the gate; give what they brought.

        After a failure those under way end, as they are paid for, and no more begin. What all of
        them took is accounted whatever happens.

        Args:
            calls: any number.
            translate: says what an exception means.
            policy: how often to try.
            meter: has the gate, and is told what the calls took.
            at_once: calls at the same time.

        Raises:
            BudgetExhaustedError: there is no money, or the sweep is ending.
            ConfigError: the server refuses the key, or there is none.
            ObjectiveFailure: the first failure.
        """
        outcomes: dict[int, Outcome[_Value]] = {}
        gate = meter.gate or standalone_gate()
        try:
            run_in_background(self._make(calls, translate, policy, gate, at_once, outcomes))
        finally:
            counts: Counts = {}
            for outcome in list(outcomes.values()):
                count_calls(counts, self.name, outcome)
                meter.spend(outcome.paid)
            told(counts, meter, _STAGE)
        meter.count("tokens embedded", sum(one.paid.tokens_in for one in outcomes.values()))
        return [outcomes[number].value for number in range(len(calls))]  # type: ignore[misc]

    async def _make(
        self,
        calls: Sequence[Call[_Value]],
        translate: Translating,
        policy: Policy,
        gate: Gate,
        at_once: int,
        outcomes: dict[int, Outcome[_Value]],
    ) -> None:
        turn = asyncio.Semaphore(at_once)
        errors: list[Exception] = []
        limits = Limits(self.requests_per_minute, self.tokens_per_minute, self.concurrency)

        def read(error: Exception) -> tuple[Exception, Report]:
            failure, report = translate(error)
            if getattr(error, "status_code", None) in _REFUSALS:
                return ObjectiveFailure("provider", str(failure)), report
            return failure, report

        async def make(number: int, call: Call[_Value]) -> None:
            async with turn:
                if errors:
                    return
                demand = Demand(self.lane(), limits, self.usd(call.tokens), call.tokens)
                outcome: Outcome[_Value] = Outcome()
                outcomes[number] = outcome
                try:
                    await persist(gate, demand, call.attempt, read, policy, outcome)
                except Exception as error:  # noqa: BLE001 - raised when the others have ended
                    errors.append(error)
                    return
                if (failure := outcome.failure) is not None:
                    kind, message, again = failure.kind, failure.message, failure.retryable
                    errors.append(ObjectiveFailure(kind, message, retryable=again))

        await asyncio.gather(*(make(number, call) for number, call in enumerate(calls)))
        if errors:
            raise next((error for error in errors if isinstance(error, ConfigError)), errors[0])


def bought(embedder: Embedder) -> bool:
    """Tell whether vectors come from calls that cost money: an embedder's own, or its source's."""
    source = embedder.source()
    return isinstance(embedder, PaidEmbedder) or (source is not None and bought(source))
