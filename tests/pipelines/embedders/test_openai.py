import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.embedders import OpenAI
from pipelines.embedders.openai import request_batches, shortened
from pipelines.llm.prices import FREE, Price
from raytuner.budget import BudgetExhaustedError
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure, Tally
from raytuner.ports.gate import Limits, paid_counter

from .server import WIDTH, as_json, embedding_list, error, vector_of

MODEL = "text-embedding-3-small"
PAID = ("calls", "tokens in", "nanodollars")

pytestmark = pytest.mark.usefixtures("key")


def embed(server, texts, meter=None, query=False, **fields):
    settings = {"retries": 0, "timeout": 5.0, "base_url": server.url, **fields}
    return OpenAI(**settings).embed(texts, query=query, meter=meter or Tally())


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
    assert (meter.counts["texts embedded"], meter.counts["tokens embedded"]) == (3, 30)
    paid = {what: meter.counts[paid_counter("embed", MODEL, what)] for what in PAID}
    assert paid == {"calls": 2, "tokens in": 30, "nanodollars": 60_000}


def test_money_is_reserved_before_and_released_after_a_failure(server, make_gate):
    meter = Tally(gate=make_gate())
    server.script = [error(400, "no")]
    with pytest.raises(ObjectiveFailure):
        embed(server, ["one two three"], meter, usd_per_million_tokens=1e6)
    (demand,) = meter.gate.demands
    assert (demand.usd, demand.tokens) == (3.0, 3)
    assert meter.gate.held == {}
    assert meter.cost == meter.gate.reports[0].cost == Cost(calls=1)


def test_of_a_call_that_broke_off_all_that_was_reserved_counts_as_spent(
    server, make_gate, no_pauses
):
    meter = Tally(gate=make_gate())
    server.script = [error(500, "oops")]
    embed(server, ["one two three"], meter, usd_per_million_tokens=1e6, retries=1)
    assert [report.cost for report in meter.gate.reports] == [None, Cost(10.0, 10, 0, 1)]
    assert meter.cost == Cost(13.0, 10, 0, 2)
    assert meter.counts[paid_counter("embed", MODEL, "retries")] == 1


def test_a_spent_budget_stops_before_the_request(server, make_gate):
    meter = Tally(gate=make_gate(usd=5.0))
    with pytest.raises(BudgetExhaustedError):
        embed(server, ["one two three", "four five six"], meter, usd_per_million_tokens=1e6)
    assert server.requests == []
    assert meter.cost == Cost()


def test_after_a_failure_no_request_begins_and_those_under_way_are_accounted(server, make_gate):
    meter = Tally(gate=make_gate())
    server.script = [embedding_list, error(400, "no")]
    with pytest.raises(ObjectiveFailure):
        embed(
            server, ["a", "b", "c", "d"], meter, batch_size=1, concurrency=1,
            usd_per_million_tokens=1e6,
        )  # fmt: skip
    assert len(server.requests) == 2
    assert meter.cost == Cost(10.0, 10, 0, 2)


def test_every_request_keeps_to_the_limits_of_its_lane(server, make_gate):
    meter = Tally(gate=make_gate())
    limits = {"requests_per_minute": 100, "tokens_per_minute": 2000, "concurrency": 3}
    embed(server, ["a", "b"], meter, batch_size=1, **limits)
    assert {demand.limits for demand in meter.gate.demands} == {Limits(100, 2000, 3)}
    assert {demand.lane for demand in meter.gate.demands} == {OpenAI(base_url=server.url).lane()}
    shared = [OpenAI(lane_name="team", model=model).lane() for model in ("a", "b")]
    assert shared[0] == shared[1] != OpenAI(model="a").lane()


def test_prices_are_the_studys_or_the_list_price():
    url = "https://api.openai.com/v1"
    listed = OpenAI(base_url=url).rates()
    assert listed is None or listed.input > 0  # the table is an extra
    assert OpenAI(base_url=url, usd_per_million_tokens=7).rates() == Price(input=7)
    assert OpenAI(base_url=url, free=True).rates() == FREE
    assert OpenAI(base_url="http://localhost:1/v1").rates() is None


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


def test_the_key_is_in_no_dump_pickle_or_fingerprint(key):
    component = OpenAI()
    kept = [component.model_dump_json(), component.fingerprint(), repr(component)]
    assert key not in "".join(kept)
    assert key.encode() not in pickle.dumps(component)


def test_keys_of_vectors_that_are_already_kept_stay_what_they_were():
    kept = OpenAI(base_url="https://api.openai.com/v1").fingerprint()
    assert kept == "openai/text-embedding-3-small/ad35236e3f924cdcf7503b1d317e45b3"
    kept = OpenAI(model="m", base_url="http://localhost:1/v1", dimensions=3).fingerprint()
    assert kept == "openai/m/3b749b694c697261ac0cae1b5ab40f0f"


def test_server_model_and_prefixes_are_in_the_fingerprint(monkeypatch):
    base = OpenAI().fingerprint()
    keyed = [
        {"model": "text-embedding-3-large"}, {"base_url": "http://localhost:1/v1"},
        {"dimensions": 256}, {"query_prefix": "q"}, {"document_prefix": "d"},
        {"max_tokens_per_text": 100},
    ]  # fmt: skip
    assert len({base, *(OpenAI(**fields).fingerprint() for fields in keyed)}) == len(keyed) + 1
    assert OpenAI(batch_size=1, timeout=1, retries=9, concurrency=1).fingerprint() == base
    paying = {"usd_per_million_tokens": 1, "requests_per_minute": 1, "lane_name": "x"}
    assert OpenAI(**paying, tokens_per_minute=1, free=True, deadline=1).fingerprint() == base
    assert OpenAI(azure_api_version="2024-10-21").fingerprint() != base
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


def test_azures_older_addresses_are_asked_by_deployment(endpoint):
    azure = OpenAI(model="embed-1", base_url=endpoint.root, azure_api_version="2024-10-21")
    assert azure.embed(["a b", "c"], query=False, meter=Tally()).vectors.shape == (2, 64)
    assert [r.path for r in endpoint.requests] == ["/openai/deployments/embed-1/embeddings"]
