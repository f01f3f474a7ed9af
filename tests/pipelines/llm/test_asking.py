import asyncio
import json
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cache.responses import ResponseCache
from pipelines.llm.accounts import Account
from pipelines.llm.asking import Shelf, ask, every_key, request_keys, worst_case
from pipelines.llm.models import Fallback, LanguageModel, OpenAIModel
from pipelines.llm.prices import FREE, Price
from pipelines.llm.types import Attempt, ChatRequest, Message, Reply, Sample, Sampling, Tools
from pipelines.tokenizers import tokenizer
from raytuner.budget import BudgetExhaustedError
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.ports.gate import Report
from tests.pipelines.conftest import Cashier

URL = "http://127.0.0.1:1/v1"
BASE = ChatRequest((Message("user", "Why?"),), Sampling(seed=1))
PRICE = Price(input=1e6, output=2e6)


class Parrot(LanguageModel):
    """Says `name number`, and does what `does` names; nobody is asked."""

    title: str = "parrot"
    does: str = ""
    most: int = 100

    @property
    def name(self):
        return self.title

    def fingerprint(self):
        return f"parrot/{self.title}"

    def rates(self):
        return self.price

    async def attempt(self, request, first, count):
        CALLS.append((self.title, first, count))
        if self.does == "fail":
            raise ObjectiveFailure("provider", "moulting")
        await asyncio.sleep(0)
        said = "" if self.does == "silence" else f"{self.title} {{}}"
        numbers = range(first, first + min(count, self.most))
        samples = tuple(Sample(said.format(n), "stop", 2, 1) for n in numbers)
        paid = self.price.cost(2 * len(samples), len(samples)) if self.price else 0.0
        return Attempt(samples, Report(cost=Cost(paid, 2 * len(samples), len(samples), 1)))

    def translate(self, error):
        return error, Report(cost=Cost(calls=1))


CALLS = []


@pytest.fixture(autouse=True)
def calls():
    CALLS.clear()
    return CALLS


@pytest.fixture
def shelf():
    return Shelf(ResponseCache(None))


class Asked(NamedTuple):
    reply: Reply
    counts: dict


def asked(samples=1, **sampling):
    return ChatRequest(BASE.messages, Sampling(**sampling), samples)


async def answer(model, request, gate, shelf):
    known, account = shelf.lookup(every_key(model, request)), Account()
    reply = await ask(model, request, gate, shelf, known, account)
    assert reply.paid == account.paid
    return Asked(reply, account.counts)


# --- keys


@pytest.mark.parametrize(
    "other",
    [
        ChatRequest((Message("system", "Why?"),), BASE.sampling),
        ChatRequest((Message("user", "Why"),), BASE.sampling),
        ChatRequest((Message("user", "Why?"), Message("user", "")), BASE.sampling),
        ChatRequest(BASE.messages, BASE.sampling, schema={}),
        ChatRequest(BASE.messages, BASE.sampling, schema={"type": "object"}),
        ChatRequest(BASE.messages, BASE.sampling, logprobs=True),
        ChatRequest(BASE.messages, BASE.sampling, tools=Tools(({"name": "look"},))),
        *(
            ChatRequest(BASE.messages, BASE.sampling.model_copy(update=change))
            for change in (
                {"max_tokens": 5}, {"temperature": 0.0}, {"top_p": 1.0}, {"stop": "x"},
                {"stop": ("x", "y")}, {"presence_penalty": 0.0}, {"frequency_penalty": 0.0},
                {"seed": 2}, {"seed": None},
            )
        ),
    ],
)  # fmt: skip
def test_whatever_can_change_an_answer_changes_its_key(other):
    model = OpenAIModel(model="m", base_url=URL)
    assert request_keys(model, other) != request_keys(model, BASE)


def test_the_cases_above_cover_every_field():
    """A field that is added to a request needs a case there."""
    assert set(Sampling.model_fields) == {
        "max_tokens", "temperature", "top_p", "stop", "presence_penalty", "frequency_penalty",
        "seed",
    }  # fmt: skip
    fields = {"messages", "sampling", "samples", "schema", "logprobs", "tools"}
    assert set(ChatRequest.__dataclass_fields__) == fields


@pytest.mark.parametrize(
    "change",
    [{"model": "n"}, {"base_url": "http://127.0.0.1:2/v1"}, {"azure_api_version": "2024-10-21"},
     {"length_field": "max_completion_tokens"}, {"extra": {"top_k": 1}}],
)  # fmt: skip
def test_who_is_asked_is_in_the_key(change):
    one, other = ({"model": "m", "base_url": URL, **more} for more in ({}, change))
    assert request_keys(OpenAIModel(**one), BASE) != request_keys(OpenAIModel(**other), BASE)


def test_how_it_is_asked_and_paid_is_not():
    plain = OpenAIModel(model="m", base_url=URL)
    own = {"timeout": 1, "deadline": 1, "retries": 0, "concurrency": 1, "lane_name": "x"}
    limits = {"requests_per_minute": 1, "tokens_per_minute": 1, "price": FREE, "free": True}
    other = OpenAIModel(model="m", base_url=f"{URL}/", api_key_env=None, **own, **limits)
    assert request_keys(other, BASE) == request_keys(plain, BASE)


def test_more_samples_begin_with_the_fewer():
    model = OpenAIModel(model="m", base_url=URL)
    three = request_keys(model, ChatRequest(BASE.messages, BASE.sampling, 3))
    assert three[:1] == request_keys(model, BASE)
    assert len(set(three)) == 3
    assert all(len(bytes.fromhex(key)) == 16 for key in three)


# --- the bound


@given(st.text(max_size=60), st.integers(1, 50), st.integers(1, 4))
@settings(deadline=None)
def test_the_worst_case_bounds_tokens_and_dollars(text, most, count):
    request = ChatRequest((Message("user", text),), Sampling(max_tokens=most))
    usd, tokens = worst_case(Parrot(price=PRICE), request, count)
    counted = tokenizer("cl100k").count(text)
    assert tokens >= counted + most * count
    assert usd >= PRICE.cost(counted, most * count)


def test_a_schema_is_part_of_the_prompt():
    schema = {"type": "object", "description": "x" * 100}
    with_schema = ChatRequest(BASE.messages, BASE.sampling, schema=schema)
    assert worst_case(Parrot(), with_schema, 1)[1] > worst_case(Parrot(), BASE, 1)[1] + 100


# --- samples


async def test_an_answer_is_paid_once(make_gate, shelf):
    model, gate = Parrot(price=PRICE), make_gate()
    first = await answer(model, asked(2), gate, shelf)
    again = await answer(model, asked(2), gate, shelf)
    assert CALLS == [("parrot", 0, 2)]
    assert [one.text for one in again.reply.samples] == ["parrot 0", "parrot 1"]
    assert (first.reply.paid, again.reply.paid) == (Cost(8.0, 4, 2, 1), Cost())
    assert first.reply.usage == again.reply.usage == Cost(6.0, 2, 2, 1)  # the prompt once
    assert again.counts == {"parrot": {"reused": 2, "nanodollars saved": 6 * 10**9}}
    assert [one.cached for one in again.reply.samples] == [True, True]


async def test_only_the_missing_samples_are_asked_for(make_gate, shelf):
    model, gate = Parrot(), make_gate()
    await answer(model, asked(1), gate, shelf)
    more = await answer(model, asked(3), gate, shelf)
    assert CALLS == [("parrot", 0, 1), ("parrot", 1, 2)]
    assert [one.text for one in more.reply.samples] == ["parrot 0", "parrot 1", "parrot 2"]
    assert [one.cached for one in more.reply.samples] == [True, False, False]


@given(st.sets(st.integers(0, 7)))
@settings(deadline=None)
def test_missing_samples_are_asked_for_in_runs(there):
    model, request, shelf = Parrot(), asked(8), Shelf(ResponseCache(None))
    keys = request_keys(model, request)
    known = {keys[n]: json.dumps([f"parrot {n}", "stop", 2, 1, 0, None, False, 0.1]) for n in there}
    CALLS.clear()
    found = asyncio.run(ask(model, request, Cashier(), shelf, known, Account()))
    texts = [one.text for one in found.samples]
    assert texts == [f"parrot {n}" for n in range(8)]
    asked_for = [n for _, first, count in CALLS for n in range(first, first + count)]
    assert asked_for == sorted(set(range(8)) - there)
    assert len(CALLS) == sum(n not in there and (n == 0 or n - 1 in there) for n in range(8))


async def test_an_endpoint_that_gives_fewer_is_asked_for_the_rest(make_gate, shelf):
    found = await answer(Parrot(most=2), asked(5), make_gate(), shelf)
    assert CALLS == [("parrot", 0, 5), ("parrot", 2, 3), ("parrot", 4, 1)]
    assert [one.text for one in found.reply.samples] == [f"parrot {n}" for n in range(5)]


async def test_an_endpoint_that_gives_nothing_is_a_failure(make_gate, shelf):
    found = await answer(Parrot(most=0, retries=0), asked(), make_gate(), shelf)
    assert (found.reply.failure.kind, found.reply.samples) == ("provider", ())
    assert "no answer" in found.reply.failure.message


async def test_a_row_that_cannot_be_read_is_asked_for_again(make_gate, shelf):
    model = Parrot()
    known = dict.fromkeys(request_keys(model, asked()), b"{damaged")
    reply = await ask(model, asked(), make_gate(), shelf, known, Account())
    assert reply.first.text == "parrot 0"
    assert len(CALLS) == 1


async def test_failures_are_not_kept(make_gate, shelf):
    model, gate = Parrot(does="fail"), make_gate()
    for _ in range(2):
        found = await answer(model, asked(), gate, shelf)
        assert found.reply.failure.message == "parrot: moulting"
        assert found.counts == {"parrot": {"calls": 1, "failures": 1}}
    assert len(CALLS) == 2


async def test_what_was_paid_before_the_money_went_is_on_account(make_gate, shelf):
    """Of three samples that come one by one, two are paid for; what they took is not forgotten."""
    model = Parrot(price=PRICE, most=1)
    request = asked(3, max_tokens=1)
    most, _ = worst_case(model, request, 3)
    account = Account()
    with pytest.raises(BudgetExhaustedError):
        await ask(model, request, make_gate(usd=most + 3), shelf, {}, account)
    assert account.paid == Cost(8.0, 4, 2, 2)
    assert account.counts["parrot"]["calls"] == 2
    assert len(shelf.lookup(request_keys(model, request))) == 2


# --- fallbacks


async def test_the_next_model_is_asked_after_a_failure(make_gate, shelf):
    models = Parrot(title="a", does="fail"), Parrot(title="b", price=PRICE)
    found = await answer(Fallback(models=models), asked(), make_gate(), shelf)
    assert (found.reply.first.text, found.reply.failure) == ("b 0", None)
    assert found.reply.paid == Cost(4.0, 2, 1, 2)
    assert found.counts["a"]["passed on"] == 1


@pytest.mark.parametrize(
    ("rules", "text"),
    [({}, "b 0"), ({"reject": []}, ""), ({"reject": [], "reject_pattern": "^$"}, "b 0")],
)
async def test_the_next_model_is_asked_if_an_answer_is_rejected(make_gate, shelf, rules, text):
    models = Parrot(title="a", does="silence"), Parrot(title="b")
    found = await answer(Fallback(models=models, **rules), asked(), make_gate(), shelf)
    assert found.reply.first.text == text


async def test_the_last_models_answer_stands(make_gate, shelf):
    models = Parrot(title="a", does="fail"), Parrot(title="b", does="silence")
    found = await answer(Fallback(models=models), asked(), make_gate(), shelf)
    assert found.reply.first.label == "empty"
    models = Parrot(title="d", does="silence"), Parrot(title="c", does="fail")
    found = await answer(Fallback(models=models), asked(), make_gate(), shelf)
    assert found.reply.failure.message == "c: moulting"


async def test_a_fallback_shares_what_its_members_have_been_asked(make_gate, shelf):
    one = Parrot(title="a")
    await answer(one, asked(), make_gate(), shelf)
    both = Fallback(models=(one, Parrot(title="b")))
    assert (await answer(both, asked(), make_gate(), shelf)).reply.first.cached
    assert len(CALLS) == 1


async def test_what_samples_cost_together_does_not_depend_on_how_they_came(make_gate, shelf):
    model, gate = Parrot(price=PRICE), make_gate()
    at_once = await answer(model, asked(3), gate, Shelf(ResponseCache(None)))
    await answer(model, asked(1), gate, shelf)
    later = await answer(model, asked(3), gate, shelf)
    assert later.reply.usage == at_once.reply.usage
