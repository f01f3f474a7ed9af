"""What clients of services raise is recognised; the clients are real, where they are installed."""

import subprocess

import httpx
import openai
import pytest

from raytuner.scores import failure_of

REQUEST = httpx.Request("POST", "http://127.0.0.1/v1")


def status(code, body=None):
    response = httpx.Response(code, request=REQUEST, json=body or {})
    client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1")
    return client._make_status_error_from_response(response)


class Answer:
    status = 503


class Wrapped(Exception):
    response = Answer()


@pytest.mark.parametrize(
    ("error", "kind", "retryable"),
    [
        (status(429), "rate_limit", True), (status(500), "provider", True),
        (status(503), "provider", True), (status(408), "timeout", True),
        (status(401), "config", False), (status(403), "config", False),
        (status(400), "objective", False), (status(404), "objective", False),
        (status(429, {"error": {"code": "insufficient_quota"}}), "provider", False),
        (openai.APITimeoutError(request=REQUEST), "timeout", True),
        (openai.APIConnectionError(request=REQUEST), "provider", True),
        (httpx.ReadTimeout("slow"), "timeout", True), (httpx.ConnectError("no"), "provider", True),
        (subprocess.TimeoutExpired("x", 1), "timeout", True), (TimeoutError(), "timeout", True),
        (ConnectionResetError("gone"), "provider", True), (Wrapped(), "provider", True),
        (MemoryError(), "out_of_memory", False), (ValueError("429"), "objective", False),
        (type("OutOfMemoryError", (RuntimeError,), {})(), "out_of_memory", False),
        (type("Odd", (Exception,), {"status_code": True})(), "objective", False),
    ],
)  # fmt: skip
def test_kinds(error, kind, retryable):
    failure = failure_of(error)
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert type(error).__name__ in failure.message
