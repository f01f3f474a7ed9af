"""Limits: a sliding window on a clock of the test's own, and refusals over HTTP."""

import asyncio
import math

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.llm.endpoint import _duration
from tests.endpoint.fixtures import endpoints
from tests.endpoint.limits import Window, duration
from tests.endpoint.test_server import CONTEXT, ask, client_of

__all__ = ["endpoints"]


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 12)), max_size=60),
    st.integers(10, 600),
    st.floats(0.5, 60),
)
def test_no_window_ever_holds_more_than_its_room(steps, per_minute, seconds):
    now = 0.0
    window = Window(per_minute, seconds, clock=lambda: now)
    taken = []
    for pause, amount in steps:
        now += pause
        wait = window.wait(amount)
        if wait == 0:
            window.take(amount)
            taken.append((now, amount))
        elif math.isfinite(wait):
            now += wait + 1e-6
            assert window.wait(amount) == 0
    for end, _ in taken:
        inside = sum(amount for at, amount in taken if end - seconds < at <= end)
        assert inside <= per_minute * seconds / 60 + 1e-6


def test_requests_over_the_limit_are_told_when_to_come_back(endpoints):
    endpoint = endpoints(requests_per_minute=120, window=1.5)  # three in a window
    for left in (2, 1, 0):
        raw = client_of(endpoint).chat.completions.with_raw_response.create(
            model="good-1", messages=[{"role": "user", "content": CONTEXT}]
        )
        assert raw.headers["x-ratelimit-limit-requests"] == "120"
        assert raw.headers["x-ratelimit-remaining-requests"] == str(left)
        assert 0 < _duration(raw.headers["x-ratelimit-reset-requests"]) <= 1.5
    with pytest.raises(openai.RateLimitError) as refused:
        ask(endpoint)
    headers = refused.value.response.headers
    assert 0 < float(headers["retry-after-ms"]) <= 1500
    assert headers["retry-after"] in ("1", "2")
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert endpoint.calls(status=429) == 1
    endpoint.configure(requests_per_minute=None)
    assert ask(endpoint).choices


def test_tokens_over_the_limit(endpoints):
    used = endpoints()
    cost = ask(used).usage.total_tokens
    endpoint = endpoints(tokens_per_minute=cost * 2)
    ask(endpoint)
    ask(endpoint)
    with pytest.raises(openai.RateLimitError, match="tokens per min"):
        ask(endpoint)
    strict = endpoints(tokens_per_minute=cost * 2, reserve_tokens=True)
    with pytest.raises(openai.RateLimitError) as refused:
        ask(strict, max_tokens=cost * 3)
    assert "retry-after" not in refused.value.response.headers  # it will never fit


def test_more_at_a_time_than_allowed_are_refused_without_a_time(endpoints):
    endpoint = endpoints(latency=0.5, concurrency=2)

    async def many():
        client = openai.AsyncOpenAI(base_url=endpoint.url, api_key=endpoint.key, max_retries=0)
        async with client:
            asked = [
                client.chat.completions.create(
                    model="good-1", messages=[{"role": "user", "content": f"Number {i}?"}]
                )
                for i in range(5)
            ]
            return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(many())
    refused = [one for one in found if isinstance(one, openai.RateLimitError)]
    assert len(refused) == 3
    assert all("retry-after" not in one.response.headers for one in refused)


@pytest.mark.parametrize(
    ("seconds", "spelled"), [(0.02, "20ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (0, "0ms")]
)
def test_durations_are_spelled_as_openai_does(seconds, spelled):
    assert duration(seconds) == spelled
    assert _duration(spelled) == pytest.approx(seconds)
