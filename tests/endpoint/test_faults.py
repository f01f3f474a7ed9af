"""Every scripted fault as the real client meets it, and which requests it meets."""

import contextlib
import time

import openai
import pytest

from tests.endpoint.faults import ANSWERS, KINDS, Book, Fault
from tests.endpoint.fixtures import endpoint
from tests.endpoint.server import Endpoint
from tests.endpoint.test_server import CONTEXT, ask, client_of

__all__ = ["endpoint"]


@pytest.mark.parametrize(
    ("rule", "error", "headers"),
    [
        ({"status": 429}, openai.RateLimitError, {}),
        ({"status": 429, "retry_after": 0.5}, openai.RateLimitError, {"retry-after": "0.5"}),
        ({"status": 429, "retry_after_ms": 20}, openai.RateLimitError, {"retry-after-ms": "20"}),
        ({"status": 500}, openai.InternalServerError, {}),
        ({"status": 503, "retry_after": 2}, openai.InternalServerError, {"retry-after": "2"}),
        ({"status": 403}, openai.PermissionDeniedError, {}),
    ],
)
def test_refusals(endpoint, rule, error, headers):
    endpoint.fault("status", first=1, **rule)
    with pytest.raises(error) as refused:
        ask(endpoint)
    found = refused.value.response.headers
    assert {name: found.get(name) for name in headers} == headers
    assert "retry-after" in headers or "retry-after" not in found
    assert endpoint.tokens.total == 0
    assert ask(endpoint).choices
    assert endpoint.calls(status=rule["status"]) == 1


def test_no_quota_is_a_429_of_its_own_code(endpoint):
    endpoint.fault("quota")
    with pytest.raises(openai.RateLimitError) as refused:
        ask(endpoint)
    assert refused.value.code == "insufficient_quota"


def test_slow_answers_late(endpoint):
    endpoint.fault("slow", seconds=0.2)
    began = time.monotonic()
    assert ask(endpoint).choices
    assert time.monotonic() - began >= 0.2


def test_hang_lasts_until_the_client_leaves(endpoint):
    endpoint.fault("hang", first=1)
    with pytest.raises(openai.APITimeoutError):
        client_of(endpoint, timeout=0.2).chat.completions.create(
            model="good-1", messages=[{"role": "user", "content": CONTEXT}]
        )
    assert ask(endpoint).choices
    assert endpoint.calls(fault="hang", status=200) == 0


def test_an_endpoint_with_a_hanging_request_still_ends():
    with Endpoint() as endpoint:
        endpoint.fault("hang")
        client = client_of(endpoint, timeout=0.2)
        with pytest.raises(openai.APITimeoutError):
            client.embeddings.create(model="embed-1", input="a word")


def test_drop_resets_before_the_headers(endpoint):
    endpoint.fault("drop", first=1)
    with pytest.raises(openai.APIConnectionError):
        ask(endpoint)
    assert endpoint.tokens.total == 0
    assert ask(endpoint).choices


@pytest.mark.parametrize("kind", ["drop-body", "cut-body"])
def test_a_body_that_breaks_off_is_charged(endpoint, kind):
    endpoint.fault(kind, first=1)
    with pytest.raises(Exception) as broken:
        ask(endpoint)
    names = {cls.__name__ for cls in type(broken.value).__mro__}
    assert names & {"ReadError", "RemoteProtocolError", "APIConnectionError"}
    assert endpoint.tokens.total > 0
    assert not endpoint.requests[0].answered
    assert ask(endpoint).choices
    assert not endpoint.repeated()


@pytest.mark.parametrize("kind", ["malformed", "html"])
def test_bodies_that_are_no_json(endpoint, kind):
    endpoint.fault(kind, first=1)
    response = None
    with contextlib.suppress(ValueError):
        response = ask(endpoint)
    assert not hasattr(response, "choices")
    assert endpoint.calls(fault=kind, status=200) == 1


@pytest.mark.parametrize("kind", ["object", "error-object", "null-choices"])
def test_bodies_that_are_no_completion(endpoint, kind):
    endpoint.fault(kind)
    assert ask(endpoint).choices is None


def test_no_choices(endpoint):
    endpoint.fault("no-choices")
    assert ask(endpoint).choices == []


@pytest.mark.parametrize(
    ("kind", "content", "finish"),
    [
        ("null-content", None, "stop"),
        ("empty-content", "", "stop"),
        ("invalid-json", '{"score": 3, "reason": "it', "stop"),
        ("content-filter", "", "content_filter"),
        ("refusal", None, "stop"),
        ("content", "as the test says", "stop"),
    ],
)
def test_strange_answers(endpoint, kind, content, finish):
    endpoint.fault(kind, text="as the test says")
    choice = ask(endpoint).choices[0]
    assert (choice.message.content, choice.finish_reason) == (content, finish)
    assert (choice.message.refusal is not None) == (kind == "refusal")


def test_answers_too_short_and_too_long(endpoint):
    usual = ask(endpoint).choices[0].message.content
    endpoint.fault("truncated", first=1)
    endpoint.fault("over-long", first=1)
    cut, long = ask(endpoint).choices[0], ask(endpoint).choices[0]
    assert cut.finish_reason == "length"
    assert usual.startswith(cut.message.content)
    assert len(long.message.content) > 100 * len(usual)


def test_usage_that_is_not_said(endpoint):
    endpoint.fault("no-usage", first=1)
    endpoint.fault("null-usage", first=1)
    assert ask(endpoint).usage is None
    assert ask(endpoint).usage is None
    assert endpoint.tokens.total > 0
    endpoint.fault("changing-usage", skip=1)
    first, second = ask(endpoint).usage, ask(endpoint).usage
    assert second.prompt_tokens != first.prompt_tokens or endpoint.requests[-1].number % 3 == 0


@pytest.mark.parametrize("kind", ANSWERS)
def test_embeddings_survive_faults_meant_for_chat(endpoint, kind):
    endpoint.fault(kind, path="embeddings")
    client_of(endpoint).embeddings.with_raw_response.create(model="embed-1", input="a word")
    assert ask(endpoint).choices[0].message.content
    assert endpoint.calls(fault=kind) == 1


def test_rules_meet_the_first_after_some_or_a_share_or_what_a_predicate_says():
    def met(**rule):
        book = Book([Fault("drop", **rule)])
        bodies = [{"model": f"m{i % 2}", "text": "POISON é" if i == 3 else ""} for i in range(200)]
        return [
            i for i, body in enumerate(bodies) if book.of("/v1/chat/completions", body) is not None
        ]

    assert met(first=2) == [0, 1]
    assert met(first=2, skip=5) == [5, 6]
    assert met(containing="POISON é") == [3]
    assert met(model="m1", first=2) == [1, 3]
    assert met(path="embeddings") == []
    assert met(when=lambda body: body["model"] == "m0", first=1, skip=1) == [2]
    assert met(rate=0.1) == met(rate=0.1) != met(rate=0.1, seed=1)
    assert 5 <= len(met(rate=0.1)) <= 40


def test_the_first_rule_that_meets_decides():
    book = Book([Fault("drop", first=1), Fault("hang")])
    assert [book.of("/x", {}).kind for _ in range(3)] == ["drop", "hang", "hang"]
    book.clear()
    assert book.of("/x", {}) is None


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="'explode'"):
        Fault("explode")
    assert len(set(KINDS)) == len(KINDS)
    with pytest.raises(ValueError, match="when"):
        Fault("drop", when=bool).as_json()
