"""A server that speaks OpenAI's protocol: its address, its key, one client per process.

The key comes from the environment only and is held by no component, message or cache key.
"""

from __future__ import annotations

import os
import re
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipelines.llm.connections import connected
from pipelines.scrub import scrubbed
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure
from raytuner.ports.gate import Report

DEFAULT_URL = "https://api.openai.com/v1"
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


class Endpoint(NamedTuple):
    """Where calls go.

    Attributes:
        url: without a trailing slash.
        key_name: environment variable with the key; None: the server needs none.
        timeout: seconds for one attempt.
        azure: version of Azure's API, for addresses of its older kind; None: any other server.
    """

    url: str
    key_name: str | None
    timeout: float = 60.0
    azure: str | None = None

    def key(self) -> str:
        """Give the key.

        Raises:
            ConfigError: if there is none.
        """
        if self.key_name is None:
            return "none"
        key = os.environ.get(self.key_name, "").strip()
        if not key:
            raise ConfigError(
                f"the environment variable {self.key_name} (api_key_env) is not set; put the key "
                f"of {self.url} there, or set api_key_env to null"
            )
        return key

    def client(self) -> Any:
        """Give this process's client; retries are not its affair.

        Raises:
            ConfigError: if there is no key.
        """
        return connected(self.url, self.key(), self.timeout, self.azure)


def chosen_url(given: str | None) -> str:
    """Give the address that holds: the one given, $OPENAI_BASE_URL, or OpenAI's own.

    Raises:
        ConfigError: if it is none, or holds a secret.
    """
    if given is not None:
        return checked_url(given, "base_url")
    return checked_url(os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL, "OPENAI_BASE_URL")


def checked_url(url: str, name: str) -> str:
    """Give an address without its trailing slash.

    Raises:
        ConfigError: if it is no http(s) address, or holds user, password or query.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name} {url!r} is no http(s) address such as {DEFAULT_URL}")
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            f"{name} for {parts.hostname} must hold no user, password or query: "
            "give the key by environment (api_key_env)"
        )
    return url.rstrip("/")


def failure_of(error: BaseException, url: str, key_name: str | None) -> Exception:
    """Translate what a call raised: what failed, and is trying again of use?

    Args:
        error: of the openai package, of the HTTP library under it, or of reading the body.
        url: of the server.
        key_name: the environment variable whose value no message may quote.
    """
    import openai

    if isinstance(error, openai.AuthenticationError):
        # The server's own message quotes parts of the key.
        return ConfigError(f"the key in {key_name or 'no variable'} was refused by {url} (401)")
    text = scrubbed(error, key_name)
    if isinstance(error, openai.PermissionDeniedError | openai.NotFoundError):
        return ConfigError(f"{url}: {text}")
    if isinstance(error, openai.RateLimitError):
        lasting = getattr(error, "code", None) == "insufficient_quota"
        return ObjectiveFailure("rate_limit", f"{url}: {text}", retryable=not lasting)
    if (broken := _broken_line(error)) is not None:  # before timeouts: aiohttp's look like them
        reason = scrubbed(broken, key_name)
        return ObjectiveFailure("provider", f"{url} is out of reach: {reason}", retryable=True)
    if isinstance(error, openai.APITimeoutError | TimeoutError) or _named(error, "Timeout"):
        return ObjectiveFailure("timeout", f"{url} did not answer in time", retryable=True)
    if isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError):
        return ObjectiveFailure("config", f"{url} refuses the request: {text}")
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        passing = status >= 500 or status in (408, 409)
        return ObjectiveFailure("provider", f"{url}: {text}", retryable=passing)
    if isinstance(error, openai.APIConnectionError) or _named(error, "ReadError", "ProtocolError"):
        cause = scrubbed(error.__cause__ or error, key_name)
        return ObjectiveFailure("provider", f"{url} is out of reach: {cause}", retryable=True)
    return ObjectiveFailure(
        "provider", f"{url} gave an answer that cannot be read: {text}", retryable=True
    )


def _broken_line(error: BaseException) -> BaseException | None:
    """Give the operating system's word that there is no connection, if that is behind it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and not isinstance(cause, TimeoutError):
            return cause
        cause = cause.__cause__
    return None


def unsent(error: BaseException) -> bool:
    """Tell whether there never was a connection, so that no endpoint can charge for anything.

    httpx's ConnectTimeout says nothing of the kind: over aiohttp a call that was dropped has it.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | socket.gaierror):
            return True
        if _named(cause, "ClientConnectorError", "ConnectError"):  # aiohttp's and httpx's
            return True
        cause = cause.__cause__
    return False


def _named(error: BaseException, *names: str) -> bool:
    """Tell the HTTP library's errors by name: which library it is depends on openai's version."""
    return any(name in kind.__name__ for kind in type(error).__mro__ for name in names)


def report_of(headers: Any, report: Report) -> Report:
    """Add what the headers of an answer say of the rate limits."""
    return report._replace(
        requests_limit=_whole(headers.get("x-ratelimit-limit-requests")),
        tokens_limit=_whole(headers.get("x-ratelimit-limit-tokens")),
        requests_left=_left(headers, "requests"),
        tokens_left=_left(headers, "tokens"),
    )


def throttled(error: BaseException) -> Report | None:
    """Say how the endpoint refused a call as one too many; None for any other error."""
    import openai

    if not isinstance(error, openai.RateLimitError) or error.code == "insufficient_quota":
        return None
    headers = error.response.headers
    report = Report(throttled=True, retry_after=_retry_after(headers))
    return report_of(headers, report)


def _retry_after(headers: Any) -> float | None:
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return seconds / unit
    return None


def _left(headers: Any, what: str) -> tuple[int, float] | None:
    left = _whole(headers.get(f"x-ratelimit-remaining-{what}"))
    reset = _duration(headers.get(f"x-ratelimit-reset-{what}"))
    return None if left is None or reset is None else (left, reset)


def _whole(text: str | None) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def _duration(text: str | None) -> float | None:
    """Read OpenAI's durations: `1s`, `6m0s`, `20ms`, or a bare number of seconds."""
    bare = _number(text)
    if bare is not None or text is None:
        return bare
    if not _DURATION.fullmatch(text.strip()):
        return None
    parts = _PART.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
