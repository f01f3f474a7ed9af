import numpy as np
import pytest

from pipelines.embedders import OpenAI
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure, Tally

from .server import WIDTH, embedding_list, error, rows_of, vector_of

pytestmark = pytest.mark.usefixtures("key")


def embed(server, texts, meter=None, query=False, **fields):
    settings = {"retries": 0, "timeout": 5.0, "base_url": server.url, **fields}
    return OpenAI(**settings).embed(texts, query=query, meter=meter or Tally())


def failure(server, texts=("a",), **fields):
    with pytest.raises(ObjectiveFailure) as caught:
        embed(server, list(texts), **fields)
    return caught.value.failure


def unit(text, width=WIDTH):
    vector = vector_of(text, width).astype(np.float64)
    return vector / np.linalg.norm(vector)


def test_rate_limit_is_waited_out(server):
    server.script = [error(429, "slow down", retry_after="0.01")] * 2
    embedded = embed(server, ["a"], retries=2)
    assert np.allclose(embedded.vectors, [unit("a")], atol=1e-6)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "kind", "retryable"),
    [
        (error(429, "slow down"), "rate_limit", True),
        (error(429, "no money left", "insufficient_quota"), "rate_limit", False),
        (error(500, "oops"), "provider", True),
        (error(503, "overloaded"), "provider", True),
        (error(400, "bad input"), "provider", False),
        (error(404, "no such model"), "provider", False),
        (error(403, "not yours"), "provider", False),
    ],
)
def test_errors_of_the_server_become_typed_failures(server, answer, kind, retryable):
    server.script = [answer]
    found = failure(server)
    assert (found.kind, found.retryable) == (kind, retryable)
    assert server.url in found.message


def test_no_answer_in_time_is_a_timeout(server):
    server.delay = 1.0
    found = failure(server, timeout=0.1)
    assert (found.kind, found.retryable) == ("timeout", True)


def test_a_server_out_of_reach_is_retryable(server):
    url = "http://127.0.0.1:9/v1"  # the discard port: nothing listens
    found = failure(server, base_url=url)
    assert (found.kind, found.retryable) == ("provider", True)
    assert url in found.message


def malformed(content, kind="application/json"):
    return lambda _: (200, {"Content-Type": kind}, content)


@pytest.mark.parametrize(
    "answer",
    [
        malformed(b"{not json"),
        malformed(b"<html>hello</html>", "text/html"),
        malformed(b'{"object": "list"}'),
        malformed(b'{"data": []}'),
        malformed(b'{"data": [{"index": 0, "embedding": "!!"}]}'),
        malformed(b"[]"),
    ],
)
def test_malformed_answers_are_failures_of_the_provider(server, answer):
    server.script = [answer]
    assert failure(server).kind == "provider"


def changed(change):
    def answer(body):
        rows = rows_of(body)
        change(rows)
        return embedding_list(body, rows)

    return answer


def narrow(rows):
    rows[0]["embedding"] = [1.0, 2.0]


def infinite(rows):
    rows[0]["embedding"] = [float("inf")] * WIDTH


def misnumbered(rows):
    rows[0]["index"] = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop(), "1 vectors for 2 texts"),
        (narrow, "unequal width"),
        (infinite, "not finite"),
        (misnumbered, "numbered 2 vectors"),
    ],
)
def test_wrong_vectors_are_refused(server, change, message):
    server.script = [changed(change)]
    found = failure(server, ["a", "b"])
    assert (found.kind, found.retryable) == ("provider", False)
    assert message in found.message


def test_other_dimensions_than_asked_for_are_refused(server):
    server.script = [lambda body: embedding_list(body, rows_of({**body, "dimensions": 5}))]
    assert "5 dimensions, not 4" in failure(server, dimensions=4).message


def test_widths_that_differ_between_requests_are_refused(server):
    server.script = [lambda body: embedding_list(body, rows_of({**body, "dimensions": 5}))]
    found = failure(server, ["a", "b"], batch_size=1, concurrency=1)
    assert "different widths: [5, 8]" in found.message


def test_a_missing_key_names_the_variable(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        embed(server, ["a"])
    assert server.requests == []


def test_a_server_without_keys_needs_none(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert embed(server, ["a"], api_key_env=None).vectors.shape == (1, WIDTH)


def test_the_key_comes_from_the_named_variable(server, monkeypatch):
    monkeypatch.setenv("MY_CREDENTIAL", "another-secret-value")
    embed(server, ["a"], api_key_env="MY_CREDENTIAL")
    assert server.keys == ["Bearer another-secret-value"]


def test_a_refused_key_names_variable_and_server_but_never_the_key(server, key):
    server.script = [error(401, f"Incorrect API key provided: {key[:8]}***{key[-4:]}")]
    with pytest.raises(ConfigError) as caught:
        embed(server, ["a"])
    message = str(caught.value)
    assert "OPENAI_API_KEY" in message
    assert server.url in message
    assert key[:8] not in message
    assert key[-4:] not in message


@pytest.mark.parametrize("status", [400, 429, 500])
def test_messages_that_quote_the_key_are_scrubbed(server, monkeypatch, status):
    monkeypatch.setenv("MY_CREDENTIAL", "plain-looking-value")
    server.script = [error(status, "you sent plain-looking-value")]
    message = failure(server, api_key_env="MY_CREDENTIAL").message
    assert "plain-looking-value" not in message
    assert "***" in message


def test_a_refused_key_is_said_once_and_asks_no_further(server):
    server.usual = error(401, "Incorrect API key provided")
    with pytest.raises(ConfigError, match="refused"):
        embed(server, [str(i) for i in range(40)], batch_size=1, concurrency=2, retries=3)
    assert len(server.requests) <= 2


def test_only_what_may_pass_is_tried_again(server, no_pauses):
    server.script = [error(503, "overloaded"), error(400, "no such input")]
    assert "no such input" in failure(server, retries=5).message
    assert len(server.requests) == 2
