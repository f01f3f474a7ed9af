"""Every way an endpoint can misbehave: tried again, a typed failure, or a labelled result."""

import socket

import pytest

from pipelines.llm.batch import Ask
from pipelines.llm.models import OpenAIModel
from pipelines.llm.prices import Price
from raytuner.ports.gate import paid_counter

MODEL = OpenAIModel(model="good-1", price=Price(input=1000, output=2000), timeout=5.0, retries=2)
SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer"}},
    "required": ["score"],
    "additionalProperties": False,
}

pytestmark = pytest.mark.usefixtures("no_pauses")

PASSING = [
    ("status", {"status": 429, "retry_after_ms": 1}),
    ("status", {"status": 429, "retry_after": 0}),
    ("status", {"status": 500}),
    ("status", {"status": 503}),
    ("status", {"status": 408}),
    ("drop", {}),
    ("drop-body", {}),
    ("cut-body", {}),
    ("malformed", {}),
    ("html", {}),
    ("object", {}),
    ("error-object", {}),
    ("null-choices", {}),
]


@pytest.mark.parametrize(("fault", "rule"), PASSING)
def test_what_may_pass_is_tried_again(client, endpoint, sweep, question, fault, rule):
    endpoint.fault(fault, first=2, **rule)
    meter = sweep()
    (reply,) = client.complete([Ask(MODEL, question())], meter, "answer")
    assert (reply.failure, reply.first.label) == (None, None)
    assert endpoint.calls() == 3
    assert meter.counts[paid_counter("answer", "good-1", "retries")] == 2
    assert meter.cost.usd >= endpoint.usd(1000, 2000)


KINDS = {"status 429": "rate_limit", "status 400": "config"}


@pytest.mark.parametrize(
    ("fault", "rule", "calls", "retryable"),
    [
        *((fault, rule, 3, True) for fault, rule in PASSING),
        ("quota", {}, 1, False),
        ("status", {"status": 400}, 1, False),
        ("status", {"status": 402}, 1, False),
    ],
)
def test_what_does_not_pass_is_a_typed_failure(
    client, endpoint, sweep, question, fault, rule, calls, retryable
):
    endpoint.fault(fault, **rule)
    (reply,) = client.complete([Ask(MODEL, question())], sweep(), "answer")
    name = f"{fault} {rule['status']}" if rule else fault
    kind = "rate_limit" if fault == "quota" else KINDS.get(name, "provider")
    assert (reply.failure.kind, reply.failure.retryable) == (kind, retryable)
    assert reply.samples == ()
    assert endpoint.calls() == calls
    assert reply.failure.message.startswith("good-1: ")
    assert endpoint.key not in reply.failure.message


def test_failures_are_never_kept(client, endpoint, sweep, question):
    endpoint.fault("status", status=500, first=3)
    ask, meter = Ask(MODEL, question()), sweep()
    assert client.complete([ask], meter, "answer")[0].failure is not None
    assert client.complete([ask], meter, "answer")[0].failure is None
    assert endpoint.calls() == 4


@pytest.mark.parametrize(
    ("fault", "label"),
    [
        ("no-choices", "empty"),
        ("null-content", "empty"),
        ("empty-content", "empty"),
        ("truncated", "truncated"),
        ("content-filter", "filtered"),
        ("refusal", "filtered"),
        ("over-long", None),
        ("changing-usage", None),
        ("no-usage", None),
        ("null-usage", None),
    ],
)
def test_what_is_strange_is_a_result_with_a_label(client, endpoint, sweep, question, fault, label):
    endpoint.fault(fault)
    ask = Ask(MODEL, question())
    meter = sweep()
    (reply,) = client.complete([ask], meter, "answer")
    assert (reply.failure, reply.first.label) == (None, label)
    assert endpoint.calls() == 1
    (again,) = client.complete([ask], sweep(), "answer")
    assert (again.first.label, again.first.text) == (label, reply.first.text)
    assert endpoint.calls() == 1
    assert meter.cost.usd >= endpoint.usd(1000, 2000) * (1 - 1e-12)
    if label is not None:
        assert meter.counts[paid_counter("answer", "good-1", label)] == 1


@pytest.mark.parametrize(
    ("fault", "label"),
    [
        (None, None),
        ("wrong-schema", "invalid"),
        ("invalid-json", "invalid"),
        ("refusal", "filtered"),
    ],
)
def test_answers_are_held_to_their_schema(client, endpoint, sweep, question, fault, label):
    if fault:
        endpoint.fault(fault)
    (reply,) = client.complete([Ask(MODEL, question(schema=SCHEMA))], sweep(), "judge")
    assert reply.first.label == label
    assert (reply.first.data is None) == (label is not None)
    assert label is not None or isinstance(reply.first.data["score"], int)


def test_an_answer_that_is_cut_at_its_limit_says_so(client, endpoint, sweep, question):
    (reply,) = client.complete([Ask(MODEL, question(max_tokens=1))], sweep(), "answer")
    assert reply.first.label == "truncated"


def test_an_endpoint_that_hangs_is_a_timeout(client, endpoint, sweep, question):
    endpoint.fault("hang")
    model = MODEL.model_copy(update={"timeout": 0.1, "retries": 1})
    meter = sweep()
    (reply,) = client.complete([Ask(model, question(max_tokens=10))], meter, "answer")
    assert (reply.failure.kind, reply.failure.retryable) == ("timeout", True)
    assert endpoint.calls() == 2
    assert meter.cost.usd > 0  # nobody knows what a call costs that broke off


def test_an_endpoint_out_of_reach_is_a_failure_of_the_provider(
    client, sweep, question, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any-0123456789abcdef")
    model = MODEL.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    (reply,) = client.complete([Ask(model, question())], sweep(), "answer")
    assert (reply.failure.kind, reply.failure.retryable) == ("provider", True)


def test_a_context_that_is_too_long_is_said_and_not_tried_again(client, endpoint, sweep, question):
    endpoint.configure(context_window=600)
    (reply,) = client.complete([Ask(MODEL, question("why " * 200))], sweep(), "answer")
    assert (reply.failure.kind, reply.failure.retryable) == ("config", False)
    assert "maximum context length" in reply.failure.message
    assert endpoint.calls() == 1


def test_one_bad_question_fails_alone(client, endpoint, sweep, question):
    endpoint.fault("status", status=500, containing="What is 3 + 1?")
    asks = [Ask(MODEL, question(f"What is {n} + 1?")) for n in range(6)]
    replies = client.complete(asks, sweep(), "answer")
    assert [reply.failure is None for reply in replies] == [True] * 3 + [False] + [True] * 2


def test_an_endpoint_that_takes_few_calls_at_a_time_gets_them_all_answered(
    client, endpoint, sweep, question
):
    endpoint.configure(concurrency=4, latency=0.01)
    model = MODEL.model_copy(update={"retries": 20})
    asks = [Ask(model, question(f"What is {n} + 1?")) for n in range(60)]
    replies = client.complete(asks, sweep(), "answer")
    assert [reply.failure for reply in replies] == [None] * 60
    assert endpoint.repeated() == []


def test_an_endpoint_that_nobody_listens_at_uses_no_money(client, endpoint, sweep, question):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        meter = sweep(usd=1000.0)
        (reply,) = client.complete(
            [Ask(MODEL.model_copy(update={"base_url": url}), question())], meter, "answer"
        )
    assert reply.failure is not None
    assert reply.failure.kind == "provider"
    assert "out of reach" in reply.failure.message
    assert meter.counts[paid_counter("answer", "good-1", "calls")] == 3
    assert meter.cost.usd == meter.gate.purse.spent == 0.0
