"""LlamaIndex's function-calling agents over our client, and answers in pieces."""

import asyncio

import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool

from pipelines.llm.bridge import BridgeLLM, CallFailedError, Switchboard
from pipelines.llm.calling import CallingLLM
from pipelines.llm.models import OpenAIModel
from pipelines.llm.types import Sampling
from raytuner.objective import Tally

MODEL = OpenAIModel(model="good-1", free=True)
SAMPLING = Sampling(max_tokens=50, temperature=0)
ASKED = "What is the weather in Rome?"


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


TOOL = FunctionTool.from_defaults(weather)


@pytest.fixture
def run(client):
    def call(work, meter=None):
        def converse(dialogues, stage):
            return client.converse(dialogues, meter or Tally(), stage)

        return Switchboard([work]).run(converse, "answer")[0]

    return call


def user(text):
    return ChatMessage(role=MessageRole.USER, content=text)


@pytest.mark.parametrize("how", ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools",
                                 "astream_chat_with_tools"])  # fmt: skip
def test_every_way_to_offer_tools(endpoint, run, how):
    async def last(given):
        response = await given
        return [one async for one in response][-1] if "stream" in how else response

    def work(answers):
        llm = CallingLLM(answers, MODEL, SAMPLING)
        given = getattr(llm, how)([TOOL], ASKED, [user("Hello.")], allow_parallel_tool_calls=True)
        if how.startswith("a"):
            given = asyncio.run(last(given))
        elif "stream" in how:
            given = list(given)[-1]
        return llm.get_tool_calls_from_response(given)

    (call,) = run(work)
    assert (call.tool_name, call.tool_kwargs) == ("weather", {"city": "Rome"})
    (record,) = endpoint.requests
    assert [message["content"] for message in record.body["messages"]] == ["Hello.", ASKED]
    assert "parallel_tool_calls" not in record.body
    assert record.body["tools"][0]["function"]["name"] == "weather"


def test_wishes_about_tools_reach_the_endpoint(endpoint, run):
    def work(answers):
        llm = CallingLLM(answers, MODEL, SAMPLING)
        return llm.chat_with_tools([TOOL], user("Hello?"), tool_required=True)

    run(work)
    (record,) = endpoint.requests
    assert record.body["tool_choice"] == "required"
    assert record.body["parallel_tool_calls"] is False


def test_no_tools_are_no_tools(endpoint, run):
    run(lambda answers: CallingLLM(answers, MODEL, SAMPLING).chat_with_tools([], ASKED))
    assert "tools" not in endpoint.requests[0].body


def test_an_answer_without_calls(endpoint, run):
    def work(answers):
        llm = CallingLLM(answers, MODEL, SAMPLING)
        response = llm.chat_with_tools([TOOL], "What is 17 + 25?")
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
        with pytest.raises(ValueError, match="called no tool"):
            llm.get_tool_calls_from_response(response)
        return response.message.content

    assert "answer is" in run(work)


@pytest.mark.parametrize("kind", [FunctionAgent, ReActAgent])
@pytest.mark.parametrize("streaming", [True, False])
def test_agents_of_llamaindex_run(endpoint, run, kind, streaming):
    endpoint.configure(skills={"good-1": 1000.0})
    meter = Tally()

    def work(answers):
        llm = CallingLLM(answers, MODEL, SAMPLING)
        prompt = "Answer as soon as you know."
        agent = kind(tools=[weather], llm=llm, streaming=streaming, system_prompt=prompt)

        async def play():
            return str(await agent.run(user_msg=ASKED))

        return asyncio.run(play())

    assert run(work, meter) == "The answer is sunny in Rome."
    assert endpoint.calls() == 2
    assert run(work, meter) == "The answer is sunny in Rome."
    assert (endpoint.calls(), endpoint.repeated()) == (2, [])


@pytest.mark.parametrize(("arguments", "read"), [('{"a": 1}', {"a": 1}), ("{", {}), ("[1]", {})])
def test_arguments_that_are_no_object_are_none(arguments, read):
    from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock

    block = ToolCallBlock(tool_call_id="1", tool_name="weather", tool_kwargs=arguments)
    said = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[block]))
    (call,) = CallingLLM(None, MODEL, SAMPLING).get_tool_calls_from_response(said)
    assert call.tool_kwargs == read


def test_metadata():
    assert CallingLLM(None, MODEL, SAMPLING).metadata.is_function_calling_model
    assert not BridgeLLM(None, MODEL, SAMPLING).metadata.is_function_calling_model


def test_an_answer_with_a_label_is_given_as_it_is_where_that_is_wanted(endpoint, run):
    endpoint.fault("truncated")

    def work(answers):
        with pytest.raises(CallFailedError):
            CallingLLM(answers, MODEL, SAMPLING).chat([user("What is 1 + 1?")])
        llm = CallingLLM(answers, MODEL, SAMPLING, strict=False)
        said = llm.chat([user("What is 1 + 1?")]).message.content
        return said, llm.failed

    said, failed = run(work)
    assert said
    assert failed is None


@pytest.mark.parametrize("how", ["stream_chat", "astream_chat", "stream_complete",
                                 "astream_complete"])  # fmt: skip
def test_answers_in_pieces_come_in_one(endpoint, run, how):
    async def pieces(given):
        return [one async for one in await given]

    def work(answers):
        llm = BridgeLLM(answers, MODEL, SAMPLING)
        text = "What is 17 + 25?"
        given = getattr(llm, how)([user(text)] if "chat" in how else text)
        return asyncio.run(pieces(given)) if how.startswith("a") else list(given)

    (piece,) = run(work)
    whole = piece.message.content if "chat" in how else piece.text
    assert piece.delta == whole
    assert "answer is" in whole
