"""What calls cost: prices of the study, and list prices from a package that is read offline."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from raytuner.component import digest

_MILLION = 1e6
_DAY = [timedelta(minutes=30 * half_hours) for half_hours in range(49)]
_OTHER_UNITS = ("output_reasoning_mtok", "output_citation_mtok")
"""Kinds of output with a price of their own that `usage` does not tell apart."""
_SEARCHES = re.compile(r"\b(?:search|deep-research|sonar|online)\b")
"""Models that look things up on the web unasked and bill each look."""
_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home", "test")


class Price(BaseModel):
    """Dollars per million tokens, and per call."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input: float = Field(ge=0, description="dollars per million tokens of the prompt")
    output: float = Field(
        default=0.0, ge=0, description="dollars per million tokens of the answer; 0: embeddings"
    )
    cached_input: float | None = Field(
        default=None,
        ge=0,
        description="dollars per million tokens of the prompt that the endpoint had cached; "
        "null: as input",
    )
    request: float = Field(default=0.0, ge=0, description="dollars per call, whatever its length")

    def cost(self, tokens_in: int, tokens_out: int, cached: int = 0) -> float:
        """Give the dollars that a call costs.

        Args:
            tokens_in: of the prompt, the cached ones included.
            tokens_out: of all answers.
            cached: those of the prompt that the endpoint says it had cached.
        """
        cached = max(0, min(cached, tokens_in))
        reread = self.input if self.cached_input is None else self.cached_input
        tokens = (tokens_in - cached) * self.input + cached * reread + tokens_out * self.output
        # Split sums round differently: what is settled must not pass what was reserved.
        return min(tokens / _MILLION + self.request, self.worst(tokens_in, tokens_out))

    def worst(self, tokens_in: int, tokens_out: int) -> float:
        """Give the most that a call of so many tokens can cost, however many are cached."""
        dearer = max(self.input, self.cached_input or 0.0)
        return (tokens_in * dearer + tokens_out * self.output) / _MILLION + self.request


FREE = Price(input=0.0, output=0.0)
"""What a model on one's own machine costs."""


def find_price(
    model: str, *, base_url: str, given: Price | None, free: bool = False
) -> Price | None:
    """Give the price of a model: the study's own, else the list price of its provider.

    A list price is a bound. Where it depends on the length of the prompt, on the time of day or
    on whether the provider writes its cache, this is the dearest, so that what is reserved always
    suffices: a short prompt to a model with long-context rates is counted at those. It is for
    text at standard speed; whoever asks for a priority tier gives the price.

    Args:
        model: the name that the endpoint knows it by.
        base_url: of the endpoint; its host says who the provider is.
        given: the study's price.
        free: whether the study declares the model free.

    Returns:
        None where nobody knows: an endpoint that is no listed provider's, an unlisted model, one
        that is not billed by tokens and calls alone, or the extra `prices` is not installed.
    """
    if given is not None:
        return given
    return FREE if free else _list_price(model, base_url)


def price_table_digest(prices: Mapping[str, Price]) -> str:
    """Give one key for equal prices of equal models, to be kept with what they were used for."""
    return digest("prices", {model: price.model_dump() for model, price in prices.items()})


@lru_cache(maxsize=1024)
def _list_price(model: str, base_url: str) -> Price | None:
    url = _public_url(base_url)
    if url is None:
        return None
    try:
        # Two seconds, and optional. The table is part of the package: nothing is fetched unless
        # somebody starts its `UpdatePrices`, and we never do.
        import genai_prices
    except ImportError:
        return None
    try:
        found = genai_prices.calc_price(genai_prices.Usage(), model, provider_api_url=url)
    except (LookupError, ValueError):
        return None
    if not _same_host(found.provider.api_pattern, url):
        return None
    now = datetime.now(UTC)
    day = [vars(found.model.get_prices(now + after)) for after in _DAY]
    return _dearest(f"{model} {found.model.id}".lower(), day)


def _public_url(base_url: str) -> str | None:
    """Give scheme, host and path of a public address; None for a machine of one's own."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    try:
        own = not ipaddress.ip_address(host).is_global
    except ValueError:
        own = "." not in host or host.rsplit(".", maxsplit=1)[-1] in _LOCAL_NAMES
    return None if own else f"{parts.scheme}://{host}{parts.path.rstrip('/')}/"


def _same_host(pattern: str, url: str) -> bool:
    """Tell api.openai.com from api.openai.com.proxy.example: patterns are matched as prefixes."""
    found = re.match(pattern, url)
    return found is not None and (url[found.end() - 1] in "./" or url[found.end()] == "/")


def _dearest(names: str, day: Iterable[Mapping[str, Any]]) -> Price | None:
    """Read one price from those of a day; None if tokens and calls do not decide the bill.

    Units of other media (audio, images) and of tools do not occur in calls of text.
    """
    rates: dict[str, float] = {}
    for prices in day:
        for unit, value in prices.items():
            if value is not None:
                rates[unit] = max(_highest(value), rates.get(unit, 0.0))
    if "input_mtok" not in rates or any(unit in rates for unit in _OTHER_UNITS):
        return None
    if "requests_kcount" not in rates and _SEARCHES.search(names):
        return None
    # Providers that bill their cache's filling do so unasked, except for Claude.
    write = 0.0 if "claude" in names else rates.get("cache_write_mtok", 0.0)
    return Price(
        input=max(rates["input_mtok"], write),
        output=rates.get("output_mtok", 0.0),
        cached_input=rates.get("cache_read_mtok"),
        request=rates.get("requests_kcount", 0.0) / 1000,
    )


def _highest(value: Any) -> float:
    """Give a rate; of rates by length of prompt, the highest."""
    if hasattr(value, "tiers"):
        return max(float(value.base), *(float(tier.price) for tier in value.tiers))
    return float(value)
