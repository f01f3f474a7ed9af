"""The bridge from code for LlamaIndex LLMs to our client: side by side, and with errors."""

import asyncio

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole

from pipelines.llm.batch import Ask
from pipelines.llm.bridge import BridgeLLM, CallFailedError, Switchboard
from pipelines.llm.models import OpenAIModel
from pipelines.llm.types import ChatRequest, Message, Sampling
from raytuner.component import ConfigError
from raytuner.objective import Tally

MODEL = OpenAIModel(model="good-1", free=True)
SAMPLING = Sampling(max_tokens=50, temperature=0)


@pytest.fixture
def run(client):
    """Run works against the endpoint; count how often dialogues were led."""
    rounds = []

    def call(*works):
        meter = Tally()

        def converse(dialogues, stage):
            rounds.append(len(dialogues))
            return client.converse(dialogues, meter, stage)

        return Switchboard(works).run(converse, "judge")

    call.rounds = rounds
    return call


def ask_of(text):
    return Ask(MODEL, ChatRequest((Message("user", text),), SAMPLING))


def test_works_are_answered_together_and_in_turn(endpoint, run):
    def one(number):
        def work(answers):
            first = answers(ask_of(f"What is {number} + 1?")).first.text
            return first, answers(ask_of(f"What is {number} + 2?")).first.text

        return work

    found = run(*(one(number) for number in range(10)))
    assert len(found) == 10
    assert run.rounds == [10, 10]
    assert endpoint.calls() == 20


def test_works_that_ask_nothing(run):
    assert run(lambda answers: 1, lambda answers: 2) == [1, 2]
    assert run() == []
    assert run.rounds == []


def test_a_work_that_breaks_does_not_keep_the_others(endpoint, run):
    def broken(answers):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(broken, lambda answers: answers(ask_of("What is 1 + 1?")))
    assert endpoint.calls() == 1


def test_an_error_reaches_every_work_that_waits(endpoint, run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    heard = []

    def work(answers):
        try:
            return answers(ask_of("What is 1 + 1?"))
        except ConfigError as error:
            heard.append(error)
            return answers(ask_of("Once more?"))

    with pytest.raises(ConfigError):
        run(*[work] * 5)
    assert len(heard) == 5


@pytest.mark.parametrize("how", ["chat", "achat", "complete", "acomplete"])
def test_every_way_to_ask(endpoint, run, how):
    def work(answers):
        llm = BridgeLLM(answers, MODEL, SAMPLING)
        said = [ChatMessage(role=MessageRole.USER, content="What is 17 + 25?")]
        given = getattr(llm, how)(said if "chat" in how else "What is 17 + 25?")
        response = asyncio.run(_awaited(given)) if how.startswith("a") else given
        return response.message.content if "chat" in how else response.text

    (text,) = run(work)
    (record,) = endpoint.requests
    assert "The answer is" in text
    assert record.body["messages"] == [{"role": "user", "content": "What is 17 + 25?"}]
    assert (record.body["temperature"], record.body["max_tokens"]) == (0, 50)


async def _awaited(given):
    return await given


def test_asks_of_one_loop_run_side_by_side(endpoint, run):
    endpoint.configure(latency=0.2)

    def work(answers):
        llm = BridgeLLM(answers, MODEL, SAMPLING)

        async def both():
            return await asyncio.gather(
                llm.acomplete("What is 1 + 1?"), llm.acomplete("And 2 + 2?")
            )

        return [response.text for response in asyncio.run(both())]

    (texts,) = run(work)
    assert len(texts) == 2
    assert endpoint.calls() == 2


def test_roles_are_those_of_our_client(endpoint, run):
    roles = [MessageRole.SYSTEM, MessageRole.DEVELOPER, MessageRole.USER, MessageRole.ASSISTANT,
             MessageRole.MODEL, MessageRole.TOOL]  # fmt: skip

    def work(answers):
        said = [ChatMessage(role=role, content="What is 1 + 1?") for role in roles]
        return BridgeLLM(answers, MODEL, SAMPLING).chat(said)

    run(work)
    (record,) = endpoint.requests
    sent = [message["role"] for message in record.body["messages"]]
    assert sent == ["system", "system", "user", "assistant", "assistant", "user"]


def test_another_sample_pays_for_the_new_one_only(endpoint, run):
    def work(sample):
        return lambda answers: BridgeLLM(answers, MODEL, SAMPLING, sample).complete("What is 1+1?")

    run(work(0))
    run(work(1))
    assert endpoint.calls() == 2
    assert all(record.body.get("n", 1) == 1 for record in endpoint.requests)


@pytest.mark.parametrize(("fault", "label"), [("refusal", "filtered"), ("truncated", "truncated")])
def test_an_answer_with_a_label_is_no_answer(endpoint, run, fault, label):
    endpoint.fault(fault)

    def work(answers):
        llm = BridgeLLM(answers, MODEL, SAMPLING)
        with pytest.raises(CallFailedError, match=label):
            llm.complete("What is 1 + 1?")
        return llm.failed.label

    assert run(work) == [label]


def test_an_llm_that_leads_nowhere_says_so():
    with pytest.raises(TypeError, match="leads nowhere"):
        BridgeLLM(None, MODEL, SAMPLING).complete("What?")


def test_metadata():
    found = BridgeLLM(None, MODEL, SAMPLING, context_window=9_000).metadata
    assert (found.context_window, found.num_output, found.model_name) == (9_000, 50, "good-1")
    assert found.is_chat_model
