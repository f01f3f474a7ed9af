import httpx
import openai
import pytest

from pipelines.llm.endpoint import (
    DEFAULT_URL,
    Endpoint,
    checked_url,
    chosen_url,
    failure_of,
    report_of,
    throttled,
)
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure
from raytuner.ports.gate import Report
from tests.pipelines.llm.errors import refused

URL = "http://127.0.0.1:1/v1"
KEY = "sk-test-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


# --- addresses, keys and clients


def test_the_address_given_comes_before_the_environments_and_that_before_openais(monkeypatch):
    assert chosen_url(None) == DEFAULT_URL
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:2/v1/")
    assert chosen_url(None) == "http://localhost:2/v1"
    assert chosen_url("http://localhost:3/") == "http://localhost:3"


@pytest.mark.parametrize("url", ["localhost:1", "ftp://host", "https://", ""])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigError, match="no http"):
        checked_url(url, "base_url")


@pytest.mark.parametrize("url", ["https://me:pw-secret@host/v1", "https://host/v1?key=pw-secret"])
def test_secrets_in_addresses_are_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="no user, password or query") as caught:
        checked_url(url, "base_url")
    assert "pw-secret" not in str(caught.value)


def test_a_missing_key_names_its_variable(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY.*not set"):
        Endpoint(URL, "OPENAI_API_KEY").client()
    assert Endpoint(URL, None).key() == "none"


def test_one_client_serves_an_endpoint_and_a_key_and_never_tries_again_itself(monkeypatch):
    endpoint = Endpoint(URL, "OPENAI_API_KEY")
    client = endpoint.client()
    assert Endpoint(URL, "OPENAI_API_KEY").client() is client
    assert (client.max_retries, client.timeout) == (0, 60.0)
    assert Endpoint(URL, "OPENAI_API_KEY", timeout=5.0).client() is not client
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    assert endpoint.client() is not client


def test_azures_older_addresses_have_a_client_of_their_own():
    client = Endpoint("https://me.openai.azure.com", "OPENAI_API_KEY", azure="2024-10-21").client()
    assert isinstance(client, openai.AsyncAzureOpenAI)


def test_the_key_is_in_no_representation():
    assert KEY not in repr(Endpoint(URL, "OPENAI_API_KEY"))


# --- what errors mean


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (400, None, "config", False),
        (402, None, "provider", False),
        (408, None, "provider", True),
        (409, None, "provider", True),
        (413, None, "provider", False),
        (422, None, "config", False),
        (429, None, "rate_limit", True),
        (429, "insufficient_quota", "rate_limit", False),
        (500, None, "provider", True),
        (503, None, "provider", True),
        (529, None, "provider", True),
    ],
)
def test_statuses_become_typed_failures(status, code, kind, retryable):
    failure = failure_of(refused(status, code=code), URL, "OPENAI_API_KEY").failure
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert URL in failure.message


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_request_will_pass_is_a_configuration_error(status):
    error = failure_of(refused(status), URL, "OPENAI_API_KEY")
    assert isinstance(error, ConfigError)
    assert URL in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_message_quotes_the_key(monkeypatch, status):
    monkeypatch.setenv("MINE", "plain-looking-value")
    error = refused(status, f"you sent plain-looking-value, {KEY} and {KEY[:12]}")
    assert "plain-looking-value" not in str(failure_of(error, URL, "MINE"))
    assert KEY not in str(failure_of(error, URL, "MINE"))


REQUEST = httpx.Request("POST", URL)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (openai.APITimeoutError(REQUEST), "timeout", "in time"),
        (TimeoutError(), "timeout", "in time"),
        (httpx.ReadTimeout("stalled"), "timeout", "in time"),
        (openai.APIConnectionError(request=REQUEST), "provider", "out of reach"),
        (httpx.ReadError("reset"), "provider", "out of reach"),
        (httpx.RemoteProtocolError("cut"), "provider", "out of reach"),
        (ValueError("no JSON"), "provider", "cannot be read"),
        (AttributeError("'list' object has no attribute"), "provider", "cannot be read"),
    ],
)
def test_broken_lines_and_bodies_may_pass(error, kind, words):
    failure = failure_of(error, URL, None).failure
    assert (failure.kind, failure.retryable) == (kind, True)
    assert words in failure.message


def test_the_cause_of_a_broken_line_is_told():
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = OSError("connection refused")
    found = failure_of(error, URL, None)
    assert isinstance(found, ObjectiveFailure)
    assert "connection refused" in str(found)


# --- what headers say of limits

LIMITS = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "29000",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "6m0s",
}


def test_limits_are_read_from_headers():
    report = report_of(httpx.Headers(LIMITS), Report())
    assert report == Report(
        requests_limit=500,
        tokens_limit=30_000,
        requests_left=(499, 0.12),
        tokens_left=(29_000, 360),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("6m0s", 360), ("20ms", 0.02), ("1h2m3.5s", 3723.5), ("17", 17), ("0.5", 0.5),
     (" 8.64s ", 8.64), ("1m", 60), ("0s", 0)],
)  # fmt: skip
def test_durations(text, seconds):
    headers = {**LIMITS, "x-ratelimit-reset-requests": text}
    assert report_of(headers, Report()).requests_left == (499, pytest.approx(seconds))


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1 s", "s", "nan", "inf", "-5", "1d", None])
def test_durations_that_are_none(text):
    headers = {**LIMITS, "x-ratelimit-reset-requests": text}
    assert report_of(headers, Report()).requests_left is None


@pytest.mark.parametrize("text", ["", "many", "-1", "nan", "inf", None])
def test_amounts_that_are_none(text):
    headers = dict.fromkeys(LIMITS, text)
    assert report_of(headers, Report()) == Report()


def test_headers_that_are_not_there_say_nothing():
    assert report_of({}, Report(throttled=True)) == Report(throttled=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"retry-after": "7"}, 7), ({"retry-after": "0.5"}, 0.5),
     ({"retry-after-ms": "250", "retry-after": "7"}, 0.25), ({"retry-after": "soon"}, None)],
)  # fmt: skip
def test_how_long_to_stay_away(headers, seconds):
    report = throttled(refused(429, headers={**headers, **LIMITS}))
    assert (report.throttled, report.retry_after) == (True, seconds)
    assert report.requests_left == (499, 0.12)


def test_only_one_too_many_is_throttled():
    assert throttled(refused(429, code="insufficient_quota")) is None
    assert throttled(refused(500)) is None
    assert throttled(ValueError()) is None
