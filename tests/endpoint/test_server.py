"""The endpoint as clients see it: addresses, keys, parameters, counts."""

import asyncio
import json
import os
import subprocess
import sys

import httpx
import numpy as np
import openai
import pytest

from tests.endpoint.fixtures import endpoint, endpoints
from tests.endpoint.server import KEY, ROOT, started

__all__ = ["endpoint", "endpoints"]
CONTEXT = (
    "Context:\nApples grow on trees. Bread is baked.\n\nQuestion: Where do apples grow?\nAnswer:"
)


def client_of(endpoint, **more):
    return openai.OpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0, **more)


def ask(endpoint, text=CONTEXT, model="good-1", **more):
    messages = [{"role": "user", "content": text}]
    return client_of(endpoint).chat.completions.create(model=model, messages=messages, **more)


def test_chat_says_who_answered_and_what_it_used(endpoint):
    said = ask(endpoint, temperature=0.3, max_tokens=50)
    assert said.model == "good-1"
    assert said.choices[0].finish_reason == "stop"
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens
    assert endpoint.tokens == (said.usage.prompt_tokens, said.usage.completion_tokens)
    assert endpoint.usd(1.0, 10.0) == pytest.approx(
        (said.usage.prompt_tokens + 10 * said.usage.completion_tokens) / 1e6
    )


def test_equal_requests_get_equal_answers_of_any_client(endpoint):
    async def one():
        async with openai.AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key) as client:
            return await client.chat.completions.create(
                model="good-1", messages=[{"role": "user", "content": CONTEXT}], seed=4, n=3
            )

    async def both():
        return await asyncio.gather(one(), one())

    first, second = asyncio.run(both())
    assert first.choices == second.choices
    assert [body["seed"] for body in endpoint.repeated()] == [4]


def test_choice_j_with_seed_s_is_the_sample_s_plus_j(endpoint):
    text = "What is 1234 + 4321?"
    together = [
        c.message.content for c in ask(endpoint, text, seed=5, n=6, temperature=1.4).choices
    ]
    singly = [
        ask(endpoint, text, seed=5 + j, temperature=1.4).choices[0].message.content
        for j in range(6)
    ]
    assert together == singly
    assert len(set(together)) > 1
    unseeded = [c.message.content for c in ask(endpoint, text, n=6, temperature=1.4).choices]
    seeded = [c.message.content for c in ask(endpoint, text, n=6, seed=0, temperature=1.4).choices]
    assert unseeded == seeded
    assert not endpoint.repeated()
    assert len(endpoint.repeated_samples()) == 7  # six singly, and sample 5 of the last


def test_stop_max_tokens_and_logprobs(endpoint):
    whole = ask(endpoint, temperature=0.3).choices[0]
    text = whole.message.content
    word = text.split()[-1]
    stopped = ask(endpoint, temperature=0.3, stop=[word]).choices[0]
    assert stopped.message.content == text.split(word)[0]
    assert stopped.finish_reason == "stop"
    cut = ask(endpoint, temperature=0.3, max_completion_tokens=2).choices[0]
    assert cut.finish_reason == "length"
    assert text.startswith(cut.message.content)
    assert len(cut.message.content) < len(text)
    likely = ask(endpoint, temperature=0.3, logprobs=True).choices[0].logprobs.content
    assert likely
    assert all(token.logprob < 0 for token in likely)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 1000}, "n: 1000"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "both"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"presence_penalty": 3}, "presence_penalty"),
    ],
)
def test_parameters_out_of_range_are_refused_unpaid(endpoint, more, said):
    with pytest.raises(openai.BadRequestError, match=said):
        ask(endpoint, **more)
    assert endpoint.tokens.total == 0


def test_a_context_that_is_too_long(endpoint):
    endpoint.configure(context_window=100)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(endpoint, max_tokens=90)
    assert refused.value.code == "context_length_exceeded"
    assert ask(endpoint, max_tokens=20).choices


def test_a_wrong_key_is_quoted_in_part_and_never_kept(endpoint):
    wrong = "sk-wrong-0000000000000000-9999"
    client = openai.OpenAI(base_url=endpoint.url, api_key=wrong, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refused:
        client.chat.completions.create(model="x", messages=[{"role": "user", "content": "Hi"}])
    assert wrong[-4:] in str(refused.value)
    assert httpx.post(f"{endpoint.url}/chat/completions", json={}).status_code == 401
    assert [record.key_ok for record in endpoint.requests] == [False, False]
    assert wrong not in repr(endpoint.requests)
    assert KEY not in repr(endpoint.requests)


def test_models_are_listed_and_unknown_ones_refused(endpoint):
    endpoint.configure(models=["good-1", "cheap-1"])
    client = client_of(endpoint)
    assert [model.id for model in client.models.list()] == ["good-1", "cheap-1"]
    assert client.models.retrieve("good-1").id == "good-1"
    for call in (lambda: client.models.retrieve("none"), lambda: ask(endpoint, model="none")):
        with pytest.raises(openai.NotFoundError) as refused:
            call()
        assert refused.value.code == "model_not_found"
    assert endpoint.calls() == 1  # looking at models is no call


def test_azure_addresses(endpoint):
    client = openai.AzureOpenAI(
        azure_endpoint=endpoint.root, api_key=endpoint.key, api_version="2024-10-21"
    )
    said = client.chat.completions.create(
        model="good-1", messages=[{"role": "user", "content": CONTEXT}]
    )
    assert said.choices[0].message.content
    assert client.embeddings.create(model="embed-1", input="a word").data
    assert [record.key_ok for record in endpoint.requests] == [True, True]
    assert endpoint.requests[0].path == "/openai/deployments/good-1/chat/completions"


def test_embeddings_are_unit_vectors_near_for_near_texts(endpoint):
    client = client_of(endpoint)
    texts = ["Apples grow on trees", "On trees, apples grow", "Bread is baked from flour"]
    packed = client.embeddings.create(model="embed-1", input=texts)
    plain = client.embeddings.create(model="embed-1", input=texts, encoding_format="float")
    rows = np.array([row.embedding for row in packed.data])
    assert np.allclose(rows, [row.embedding for row in plain.data])
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert rows[0] @ rows[1] > 0.99 > rows[0] @ rows[2]
    narrow = client.embeddings.create(model="embed-1", input=texts[0], dimensions=8)
    assert len(narrow.data[0].embedding) == 8
    assert packed.usage.prompt_tokens == 4 + 5 + 5
    assert sorted(endpoint.repeated_texts()) == sorted(texts)


def test_tools_are_called_with_arguments_of_their_schema(endpoint):
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    called = ask(endpoint, "Use weather for Rome, please?", tools=[tool]).choices[0]
    assert called.finish_reason == "tool_calls"
    (call,) = called.message.tool_calls
    assert call.function.name == "weather"
    assert set(json.loads(call.function.arguments)) == {"city"}
    assert ask(endpoint, "Say hello?", tools=[tool]).choices[0].message.content


def test_usage_can_change_or_be_missing(endpoint):
    endpoint.configure(usage="changing")
    seen = {ask(endpoint, max_tokens=9).usage.prompt_tokens for _ in range(3)}
    assert len(seen) == 3
    assert endpoint.tokens.sent == sum(seen)
    endpoint.configure(usage="missing")
    assert ask(endpoint).usage is None
    assert endpoint.tokens.sent > sum(seen)


def test_most_requests_at_a_time_are_seen(endpoints):
    endpoint = endpoints(latency=0.2)

    async def many():
        async with openai.AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key) as client:
            asked = [
                client.chat.completions.create(
                    model="good-1", messages=[{"role": "user", "content": f"Number {i}?"}]
                )
                for i in range(12)
            ]
            await asyncio.gather(*asked)

    asyncio.run(many())
    assert 2 <= endpoint.in_flight_max <= 12
    assert endpoint.calls("chat", status=200) == 12
    assert not endpoint.repeated()


def test_a_client_that_leaves_before_the_answer_pays_nothing(endpoints):
    endpoint = endpoints(latency=5.0)
    with pytest.raises(openai.APITimeoutError):
        client_of(endpoint, timeout=0.2).chat.completions.create(
            model="good-1", messages=[{"role": "user", "content": CONTEXT}]
        )
    endpoint.configure(latency=0.0)
    assert ask(endpoint).choices
    first, last = (record for record in endpoint.requests if record.kind == "chat")
    assert not first.answered
    assert first.billed.total == 0
    assert last.answered
    assert not endpoint.repeated()


def test_a_process_of_its_own():
    with started(models=("good-1",)) as remote:
        remote.fault("status", status=503, first=1)
        with pytest.raises(openai.InternalServerError):
            ask(remote)
        for _ in range(2):
            ask(remote)
        stats = remote.stats()
        assert stats["calls"] == 3
        assert stats["by_status"] == {"503": 1, "200": 2}
        assert stats["repeated"] == 1
        assert remote.usd(1e6, 0) == stats["tokens"]["sent"]
        assert [record["fault"] for record in remote.requests()] == ["status", None, None]
        remote.fault("object")
        remote.configure(api_key=None)
        assert ask(remote).choices is None
        remote.clear_faults()
        assert ask(remote).choices
        assert os.getpid() != remote.pid
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{remote.root}/_stats")


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="usage 'none'"), started(usage="none"):
        pass
    done = subprocess.run(
        [sys.executable, "-m", "tests.endpoint.server", "--settings", "{"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 2
    assert "--settings" in done.stderr
