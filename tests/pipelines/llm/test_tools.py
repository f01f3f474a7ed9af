"""Tools on the wire, in keys, and in what is kept."""

from dataclasses import replace
from types import SimpleNamespace as Item

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.cache.responses import ResponseCache
from pipelines.llm.accounts import Account
from pipelines.llm.asking import Shelf, _spelled, ask, request_keys, worst_case
from pipelines.llm.labels import read_sample
from pipelines.llm.models import OpenAIModel
from pipelines.llm.types import (
    Calling,
    ChatRequest,
    Message,
    Sample,
    Sampling,
    ToolCall,
    ToolResult,
    Tools,
)
from pipelines.llm.wire import BadBodyError, body_of, read_completion, samples_of
from pipelines.tokenizers import tokenizer
from tests.pipelines.conftest import Cashier

MODEL = OpenAIModel(model="m", base_url="http://127.0.0.1:1/v1", free=True)
BASE = ChatRequest((Message("user", "Why?"),), Sampling(seed=1))
LOOK = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
CALLED = Calling("", (ToolCall("c1", "look", '{"at": 1}'),))
AGENT = ChatRequest((*BASE.messages, CALLED, ToolResult("a cat", "c1")), tools=Tools((LOOK,)))


@pytest.fixture
def shelf():
    return Shelf(ResponseCache(None))


# --- on the wire


def test_tools_are_spelled():
    body = body_of(MODEL, AGENT, 0, 1)
    function = {"name": "look", "arguments": '{"at": 1}'}
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    ]
    assert body["tools"] == [{"type": "function", "function": LOOK}]
    assert not {"tool_choice", "parallel_tool_calls"} & set(body)


def test_further_wishes_about_tools_are_spelled():
    body = body_of(MODEL, replace(AGENT, tools=Tools((LOOK,), True, False)), 0, 1)
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)


def calling(*calls, content=None, finish="tool_calls"):
    message = Item(content=content, refusal=None, tool_calls=list(calls))
    return Item(message=message, finish_reason=finish, logprobs=None)


def call(name="look", arguments='{"at": 1}', **more):
    return Item(type="function", function=Item(name=name, arguments=arguments), **more)


def test_calls_are_read():
    given = [calling(call(id="a"), call("other", None), content="Let me see.")]
    (sample,) = samples_of(given, (5, 7, 0), calling=True)
    assert sample.calls == (ToolCall("a", "look", '{"at": 1}'), ToolCall("call_1", "other", "{}"))
    assert (sample.text, sample.tokens_out) == ("Let me see.", 7)
    assert read_sample(sample, None) == (None, None)


def test_calls_of_what_was_not_offered_are_not_looked_at():
    (sample,) = samples_of([calling(call(id="a"))], (5, 7, 0))
    assert sample.calls == ()
    assert read_sample(sample, None)[0] == "empty"


def test_a_cut_call_is_truncated():
    (sample,) = samples_of([calling(call(id="a"), finish="length")], (5, 7, 0), calling=True)
    assert read_sample(sample, None)[0] == "truncated"


@pytest.mark.parametrize(
    "given", [call(3), call("x", {"at": 1}), Item(function=None), "text", None, 5]
)
def test_what_is_no_call_is_refused(given):
    with pytest.raises(BadBodyError):
        samples_of([calling(given)], (5, 7, 0), calling=True)


def test_tokens_of_calls_are_counted_where_the_endpoint_does_not_say():
    said = Item(choices=[calling(call(id="a", arguments="a b c d"))], usage=None)
    (sample,), cost = read_completion(said, None, AGENT, 1)
    assert cost is None
    assert sample.tokens_out >= 4
    bare = read_completion(said, None, replace(AGENT, tools=None), 1)[0][0]
    assert sample.tokens_in > bare.tokens_in + 5


def test_tools_are_no_further_fields():
    with pytest.raises(ValidationError, match="tools is no further field"):
        OpenAIModel(model="m", extra={"tools": []})


# --- in keys, and in what is kept


@pytest.mark.parametrize(
    "other",
    [
        replace(AGENT, tools=None),
        replace(AGENT, tools=Tools(())),
        replace(AGENT, tools=Tools((LOOK, LOOK))),
        replace(AGENT, tools=Tools(({**LOOK, "description": "Looks twice."},))),
        replace(AGENT, tools=Tools(({**LOOK, "parameters": {}},))),
        replace(AGENT, tools=Tools((LOOK,), required=True)),
        replace(AGENT, tools=Tools((LOOK,), parallel=False)),
        replace(AGENT, messages=(*AGENT.messages[:2], ToolResult("a dog", "c1"))),
        replace(AGENT, messages=(*AGENT.messages[:2], ToolResult("a cat", "c2"))),
        replace(AGENT, messages=(*AGENT.messages[:2], Message("user", "a cat"))),
        replace(AGENT, messages=(BASE.messages[0], Calling("", ()), AGENT.messages[2])),
        replace(AGENT, messages=(BASE.messages[0], CALLED._replace(content="Hm."))),
    ],
)  # fmt: skip
def test_tools_and_what_they_gave_are_in_the_key(other):
    assert request_keys(MODEL, other) != request_keys(MODEL, AGENT)


def test_answers_kept_before_there_were_tools_are_found_again():
    said = (Message("system", "Be short."), Message("user", "Why?"))
    full = ChatRequest(said, Sampling(temperature=0, seed=3), 2, {"type": "object"})
    assert request_keys(MODEL, full) == [
        "b70136f49e5216a315610d52339f220b", "f7153410f7ae6347fd2be60031cb216b",
    ]  # fmt: skip
    plain = ChatRequest((Message("user", "Why?"),))
    assert request_keys(MODEL, plain) == ["7ab9a8a99b70279cd3fe19f64deba835"]


async def test_rows_kept_before_there_were_tools_are_read(shelf):
    (key,) = request_keys(MODEL, BASE)
    old = b'["fine","stop",3,1,0,null,false,0.5]'
    reply = await ask(MODEL, BASE, Cashier(), shelf, {key: old}, Account())
    assert (reply.first.text, reply.first.calls, reply.seconds) == ("fine", (), 0.5)


async def test_calls_of_tools_are_kept(shelf):
    call = ToolCall("c1", "look", '{"at": "é"}')
    (key,) = request_keys(MODEL, AGENT)
    row = _spelled(Sample("", "tool_calls", 3, 1, calls=(call,)), 0.5)
    reply = await ask(MODEL, AGENT, Cashier(), shelf, {key: row}, Account())
    assert (reply.first.calls, reply.first.label) == ((call,), None)


@settings(deadline=None)
@given(st.text(), st.text())
def test_tools_and_calls_are_in_the_worst_case(description, arguments):
    tools = Tools(({**LOOK, "description": description},))
    said = (*BASE.messages, Calling("", (ToolCall("c1", "look", arguments),)))
    bare = worst_case(MODEL, ChatRequest(BASE.messages), 1)[1]
    count = tokenizer("cl100k").count
    whole = worst_case(MODEL, ChatRequest(said, tools=tools), 1)[1]
    assert whole >= bare + count(description) + count(arguments)
