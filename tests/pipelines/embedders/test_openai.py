import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.embedders import OpenAI
from pipelines.embedders.openai import request_batches, shortened
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure, Tally

from .server import WIDTH, as_json, embedding_list, error, rows_of, vector_of

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


def test_vectors_are_normalised_and_in_the_order_of_the_texts(server):
    texts = [f"text {i}" for i in range(25)] + ["text 3"]
    embedded = embed(server, texts, batch_size=4, concurrency=3)
    assert embedded.vectors.dtype == np.float32
    assert np.allclose(embedded.vectors, [unit(text) for text in texts], atol=1e-6)
    assert embedded.cut.tolist() == [0] * 26
    assert sorted(len(body["input"]) for body in server.requests) == [1, 4, 4, 4, 4, 4, 4]


def test_requests_run_at_the_same_time_up_to_the_limit(server):
    server.delay = 0.05
    embed(server, [str(i) for i in range(12)], batch_size=1, concurrency=3)
    assert server.most_busy == 3


def test_tokens_and_calls_are_accounted(server):
    meter = Tally()
    embed(server, ["a", "b", "c", "a"], meter, batch_size=2, usd_per_million_tokens=2.0)
    assert meter.cost.calls == 2
    assert meter.cost.tokens_in == 30
    assert meter.cost.usd == pytest.approx(30 * 2e-6)
    assert meter.counts == {"texts embedded": 3, "tokens embedded": 30}


def test_money_is_reserved_before_and_released_after_a_failure(server):
    class Ledger(Tally):
        held = 0.0
        seen: tuple[float, ...] = ()

        def reserve(self, usd):
            self.held += usd
            self.seen = (*self.seen, usd)

        def settle(self, reserved, cost):
            self.held -= reserved
            super().settle(reserved, cost)

    ledger = Ledger()
    server.script = [error(400, "no")]
    with pytest.raises(ObjectiveFailure):
        embed(server, ["one two three"], ledger, usd_per_million_tokens=1e6)
    assert ledger.seen == (3.0,)
    assert ledger.held == 0
    assert ledger.cost == Cost()


def test_a_spent_budget_stops_before_the_request(server):
    class Broke(Tally):
        def reserve(self, usd):
            raise RuntimeError("no money")

    with pytest.raises(RuntimeError, match="no money"):
        embed(server, ["a"], Broke())
    assert server.requests == []


def test_prefixes_and_dimensions_reach_the_server(server):
    fields = {"query_prefix": "query: ", "document_prefix": "passage: ", "dimensions": 4}
    asked = embed(server, ["x"], query=True, **fields)
    embed(server, ["x"], **fields)
    assert [body["input"] for body in server.requests] == [["query: x"], ["passage: x"]]
    assert server.requests[0]["dimensions"] == 4
    assert np.allclose(asked.vectors, [unit("query: x", 4)], atol=1e-6)


def test_long_texts_are_cut_and_counted(server):
    embedded = embed(server, ["word " * 30, "short"], max_tokens_per_text=10)
    assert embedded.cut.tolist() == [21, 0]
    assert server.requests[0]["input"] == [("word " * 10).strip(), "short"]


@given(st.lists(st.text(max_size=40), max_size=5), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_shortened_texts_are_prefixes_within_the_limit(texts, limit):
    sent, lengths, cut = shortened(texts, limit)
    for text, kept, length, lost in zip(texts, sent, lengths, cut, strict=True):
        assert text.startswith(kept)
        assert length <= limit
        assert (lost > 0) == (kept != text)


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 7), st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_request_batches_keep_order_and_both_limits(lengths, texts, tokens):
    batches = request_batches(lengths, texts, tokens)
    assert [i for batch in batches for i in range(len(lengths))[batch]] == list(range(len(lengths)))
    for batch in batches:
        size = batch.stop - batch.start
        assert 1 <= size <= texts
        assert size == 1 or sum(lengths[batch]) <= tokens


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


def test_the_key_is_in_no_dump_pickle_or_fingerprint(key):
    component = OpenAI()
    kept = [component.model_dump_json(), component.fingerprint(), repr(component)]
    assert key not in "".join(kept)
    assert key.encode() not in pickle.dumps(component)


def test_server_model_and_prefixes_are_in_the_fingerprint(monkeypatch):
    base = OpenAI().fingerprint()
    keyed = [
        {"model": "text-embedding-3-large"}, {"base_url": "http://localhost:1/v1"},
        {"dimensions": 256}, {"query_prefix": "q"}, {"document_prefix": "d"},
        {"max_tokens_per_text": 100},
    ]  # fmt: skip
    assert len({base, *(OpenAI(**fields).fingerprint() for fields in keyed)}) == len(keyed) + 1
    assert OpenAI(batch_size=1, timeout=1, retries=9, concurrency=1).fingerprint() == base
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1/")
    assert OpenAI().fingerprint() == OpenAI(base_url="http://localhost:1/v1").fingerprint()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "no http"),
        ("ftp://host/v1", "no http"),
        ("https://user:pw-secret@host/v1", "no user, password or query"),
        ("https://host/v1?api-key=pw-secret", "no user, password or query"),
    ],
)
def test_bad_addresses_are_refused(monkeypatch, url, message):
    with pytest.raises(ValidationError, match=message):
        OpenAI(base_url=url)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    with pytest.raises(ConfigError, match=message) as caught:
        OpenAI().url()
    assert "pw-secret" not in str(caught.value)


def test_nothing_is_asked_for_no_texts(server):
    assert embed(server, [], dimensions=16).vectors.shape == (0, 16)
    assert server.requests == []


def test_lone_surrogates_can_be_sent(server):
    embed(server, ["half \ud83d pair"])
    assert json.loads(json.dumps(server.requests[0]["input"])) == ["half \ufffd pair"]


def test_an_answer_without_usage_is_counted_by_our_own_tokens(server):
    def without_usage(body):
        status, _, content = embedding_list(body)
        answer = json.loads(content)
        del answer["usage"]
        return as_json(status, answer)

    server.script = [without_usage]
    meter = Tally()
    embed(server, ["one two three"], meter)
    assert meter.cost.tokens_in == 3
