"""Recognises what clients of services raise, by name and status, without importing any of them.

openai, anthropic, httpx, aiohttp, requests and google-api-core call the same things alike.
"""

from __future__ import annotations

from typing import Any

from raytuner.objective import Failure, FailureKind

_NAMES: dict[FailureKind, frozenset[str]] = {
    "rate_limit": frozenset(
        {"RateLimitError", "TooManyRequests", "ResourceExhausted", "ThrottlingException"}
    ),
    "timeout": frozenset(
        {
            "APITimeoutError", "ConnectTimeout", "DeadlineExceeded", "GatewayTimeout", "Timeout",
            "PoolTimeout", "ReadTimeout", "TimeoutException", "TimeoutExpired", "WriteTimeout",
        }
    ),
    "provider": frozenset(
        {
            "APIConnectionError", "ClientConnectionError", "ConnectError", "ConnectionError",
            "InternalServerError", "NetworkError", "RemoteProtocolError", "ServiceUnavailable",
        }
    ),
    "out_of_memory": frozenset({"OutOfMemoryError"}),
}  # fmt: skip
"""Class names, of an exception or of what it derives from, by what they mean."""


def recognised(error: BaseException, text: str) -> Failure | None:
    """Classify an exception by its class names and its HTTP status; None: nothing is known of it.

    Args:
        error: raised by whatever client.
        text: what the failure is to say.
    """
    status = _status(error)
    if getattr(error, "code", None) == "insufficient_quota":  # openai's 429 that waiting won't cure
        return Failure("provider", text)
    if status in {401, 403}:
        return Failure("config", text)
    if status is not None and (kind := _kind_of(status)) is not None:
        return Failure(kind, text, retryable=True)
    names = {cls.__name__ for cls in type(error).__mro__}
    for kind, known in _NAMES.items():
        if names & known:
            return Failure(kind, text, retryable=kind != "out_of_memory")
    return None


def _kind_of(status: int) -> FailureKind | None:
    if status == 429:
        return "rate_limit"
    if status in {408, 504}:
        return "timeout"
    return "provider" if 500 <= status < 600 else None


def _status(error: BaseException) -> int | None:
    """Find an HTTP status, where clients keep it."""
    for place in (error, getattr(error, "response", None)):
        for name in ("status_code", "status"):
            found: Any = getattr(place, name, None)
            if isinstance(found, int) and not isinstance(found, bool):
                return int(found)
    return None
