import socket
from itertools import pairwise
from types import SimpleNamespace as Item

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.llm.endpoint import Endpoint
from pipelines.llm.models import OpenAIModel
from pipelines.llm.prices import Price
from pipelines.llm.types import ChatRequest, Message, Sample, Sampling
from pipelines.llm.wire import BadBodyError, body_of, read_completion, samples_of, translated
from pipelines.tokenizers import tokenizer
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.ports.gate import Report
from tests.pipelines.llm.errors import refused

ASKED = ChatRequest((Message("system", "Be short."), Message("user", "Why?")), Sampling())
ENDPOINT = Endpoint("http://127.0.0.1:1/v1", None)
NOTHING = (0, 0, 0)


def choice(content="fine", finish="stop", **more):
    refusal, logprobs = more.get("refusal"), more.get("logprobs")
    return Item(
        message=Item(content=content, refusal=refusal), finish_reason=finish, logprobs=logprobs
    )


def completion(choices, usage=None):
    return Item(choices=choices, usage=usage)


def usage(tokens_in, tokens_out, cached=None):
    details = None if cached is None else Item(cached_tokens=cached)
    return Item(
        prompt_tokens=tokens_in, completion_tokens=tokens_out, prompt_tokens_details=details
    )


# --- requests


def test_a_plain_request():
    body = body_of(OpenAIModel(model="m"), ASKED, 0, 1)
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 512,
    }


def test_everything_that_can_be_asked_is_spelled():
    sampling = Sampling(
        max_tokens=9, temperature=0, stop=("a",), presence_penalty=1, frequency_penalty=-1, seed=40
    )
    request = ChatRequest(ASKED.messages, sampling, 5, {"type": "object"}, logprobs=True)
    model = OpenAIModel(model="m", length_field="max_completion_tokens", extra={"top_k": 3})
    body = body_of(model, request, 2, 3)
    shape = {"name": "answer", "schema": {"type": "object"}, "strict": True}
    assert {key: value for key, value in body.items() if key not in ("model", "messages")} == {
        "max_completion_tokens": 9,
        "temperature": 0,
        "stop": ["a"],
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "seed": 42,
        "n": 3,
        "response_format": {"type": "json_schema", "json_schema": shape},
        "logprobs": True,
        "top_k": 3,
    }


def test_lone_surrogates_can_be_sent():
    request = ChatRequest((Message("user", "half \ud83d pair"),))
    body = body_of(OpenAIModel(model="m"), request, 0, 1)
    assert body["messages"][0]["content"] == "half \ufffd pair"


# --- answers


@pytest.mark.parametrize(
    ("given", "sample"),
    [
        (choice(), Sample("fine", "stop")),
        (choice("cut", "length"), Sample("cut", "length")),
        (choice(None), Sample("", "stop")),
        (choice(None, None), Sample("", "")),
        (choice("x", 7), Sample("x", "")),
        (choice("", "content_filter"), Sample("", "content_filter", refused=True)),
        (choice(None, refusal="I will not."), Sample("I will not.", "stop", refused=True)),
        (choice("so", refusal="no"), Sample("so", "stop", refused=True)),
        (None, Sample("")),
        (Item(message=Item(content="bare")), Sample("bare")),
    ],
)
def test_choices_are_read(given, sample):
    assert samples_of([given], NOTHING) == (sample,)


@pytest.mark.parametrize(
    "given", [Item(), Item(message=None), choice(5), choice(["part"]), {"message": "x"}, "text"]
)
def test_what_is_no_choice_is_refused(given):
    with pytest.raises(BadBodyError):
        samples_of([given], NOTHING)


@pytest.mark.parametrize(
    ("logprobs", "mean"),
    [
        (Item(content=[Item(logprob=-1.0), Item(logprob=-2)]), -1.5),
        (Item(content=[]), None),
        (Item(content=None), None),
        (Item(content=[Item(logprob=None), Item(logprob=-2.0)]), -2.0),
        (None, None),
    ],
)
def test_the_mean_of_log_probabilities(logprobs, mean):
    assert samples_of([choice(logprobs=logprobs)], NOTHING)[0].logprob == mean


@given(st.tuples(*[st.integers(0, 1000)] * 3), st.integers(1, 9))
def test_every_sample_has_the_whole_prompt_and_a_share_of_the_rest(used, count):
    samples = samples_of([choice()] * count, used)
    assert {(one.tokens_in, one.cached_in) for one in samples} == {(used[0], used[2])}
    shares = [one.tokens_out for one in samples]
    assert sum(shares) == used[1]
    assert max(shares) - min(shares) <= 1


TEXTS = ["yes", "", "one two three four five six seven eight", "\u00e4\u20ac \U0001f600"]


@given(st.lists(st.sampled_from(TEXTS), min_size=2, max_size=9), st.integers(0, 1000))
def test_tokens_are_parted_by_text_and_what_no_text_shows_equally(texts, received):
    samples = samples_of([choice(text) for text in texts], (5, received, 0))
    counts = [tokenizer("cl100k").count(text) for text in texts]
    parts = [one.tokens_out for one in samples]
    assert sum(parts) == received
    assert min(parts) >= 0
    beyond = received - sum(counts)
    if beyond >= 0:
        assert {part - count for part, count in zip(parts, counts, strict=True)} <= {
            beyond // len(texts), -(-beyond // len(texts)),
        }  # fmt: skip
    else:
        whole = [received * count / sum(counts) for count in counts]
        assert all(abs(part - of) < 1 for part, of in zip(parts, whole, strict=True))


def test_a_sample_has_the_same_tokens_alone_and_among_others():
    """What one answer costs is a score, and must not depend on who asked for more of them."""
    alone = [read_completion(completion([choice(t)], None), None, ASKED, 1)[0][0] for t in TEXTS]
    among, _ = read_completion(completion([choice(text) for text in TEXTS], None), None, ASKED, 4)
    assert list(among) == alone


def test_cost_follows_usage():
    price = Price(input=2, output=8, cached_input=1)
    given = completion([choice(), choice()], usage(100, 50, 40))
    samples, cost = read_completion(given, price, ASKED, 2)
    assert cost == Cost(pytest.approx((60 * 2 + 40 * 1 + 50 * 8) / 1e6), 100, 50, 1)
    assert [one.tokens_out for one in samples] == [25, 25]


@pytest.mark.parametrize(
    "said",
    [None, Item(), usage(None, 5), usage(-1, 5), usage("7", 5), {"prompt_tokens": 1}],
)
def test_where_usage_is_missing_tokens_are_estimated_and_the_cost_is_unknown(said):
    samples, cost = read_completion(completion([choice("a b c")], said), None, ASKED, 1)
    assert cost is None
    assert (samples[0].tokens_in, samples[0].tokens_out) == (5, 3)


def test_no_choice_at_all_is_an_empty_answer():
    samples, cost = read_completion(completion([], usage(7, 0)), None, ASKED, 2)
    assert samples == (Sample("", tokens_in=7),)
    assert cost == Cost(0.0, 7, 0, 1)


def test_more_choices_than_asked_for_are_cut():
    assert len(read_completion(completion([choice()] * 5), None, ASKED, 2)[0]) == 2


@pytest.mark.parametrize("body", [Item(), completion(None), completion("x"), "<html>", [1], None])
def test_what_is_no_completion_is_refused(body):
    with pytest.raises(BadBodyError, match="no list of choices"):
        read_completion(body, None, ASKED, 1)


# --- errors


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refused_call_took_nothing(status):
    assert translated(refused(status), ENDPOINT)[1] == Report(cost=Cost(calls=1))


def test_a_call_too_many_took_nothing_and_says_how_long_to_stay_away():
    failure, report = translated(refused(429, headers={"retry-after": "3"}), ENDPOINT)
    assert failure.failure.kind == "rate_limit"
    assert report == Report(cost=Cost(), throttled=True, retry_after=3.0)


@pytest.mark.parametrize(
    "error", [refused(500), refused(503), TimeoutError(), ValueError(), BadBodyError("no list")]
)
def test_of_a_call_that_broke_off_nobody_knows_what_it_took(error):
    assert translated(error, ENDPOINT)[1] == Report(cost=None)


def chained(*errors):
    """Give the first error, each being caused by the next."""
    for error, cause in pairwise(errors):
        error.__cause__ = cause
    return errors[0]


@pytest.mark.parametrize(
    ("causes", "cost"),
    [
        ([ConnectionRefusedError()], Cost(calls=1)),
        ([httpx.ConnectTimeout("x"), ConnectionRefusedError()], Cost(calls=1)),
        ([httpx.ConnectError("x"), socket.gaierror()], Cost(calls=1)),
        ([httpx.ConnectTimeout("dropped, over aiohttp")], None),
        ([httpx.ReadError("reset"), ConnectionResetError()], None),
    ],
)
def test_a_call_that_was_never_sent_took_nothing(causes, cost):
    request = httpx.Request("POST", "http://127.0.0.1/v1")
    error = chained(openai.APIConnectionError(request=request), *causes)
    assert translated(error, ENDPOINT)[1] == Report(cost=cost)


@pytest.mark.parametrize("error", [ConfigError("no key"), ObjectiveFailure("provider", "x")])
def test_errors_of_our_own_pass(error):
    assert translated(error, ENDPOINT) == (error, Report(cost=Cost()))
