"""The client against a real server on loopback, with the gate of a real sweep."""

import threading

import pytest

from pipelines.cache.responses import ResponseCache
from pipelines.llm.batch import Ask
from pipelines.llm.client import Client, client_of
from pipelines.llm.models import Fallback, OpenAIModel
from pipelines.llm.prices import Price
from raytuner.budget import BudgetExhaustedError
from raytuner.component import ConfigError
from raytuner.objective import Cost, Tally
from raytuner.ports.gate import paid_counter

PRICE = Price(input=1000, output=2000)
MODEL = OpenAIModel(model="good-1", price=PRICE, timeout=5.0)

pytestmark = pytest.mark.usefixtures("no_pauses")


def counted(meter, model="good-1", stage="answer"):
    """What the meter has counted for a model, by what."""
    start = paid_counter(stage, model, "")
    return {n.removeprefix(start): a for n, a in meter.counts.items() if n.startswith(start)}


def texts(reply):
    return [sample.text for sample in reply.samples]


# --- once and no more


def test_an_answer_is_asked_for_once(client, endpoint, sweep, question):
    asks = [Ask(MODEL, question(f"What is {n} + 1?")) for n in range(20)]
    first, again = sweep(), sweep()
    replies = client.complete(asks, first, "answer")
    assert [reply.failure for reply in replies] == [None] * 20
    assert endpoint.calls() == 20
    cached = client.complete(asks, again, "answer")
    assert endpoint.calls() == 20
    assert list(map(texts, cached)) == list(map(texts, replies))
    assert again.cost == Cost()
    assert first.cost.usd == pytest.approx(endpoint.usd(1000, 2000))
    assert (first.cost.tokens_in, first.cost.tokens_out) == endpoint.tokens
    assert counted(first)["calls"] == 20
    assert counted(again) == {
        "reused": 20, "nanodollars saved": counted(first)["nanodollars"],
    }  # fmt: skip


def test_answers_outlive_the_process_that_paid_for_them(endpoint, tmp_path, sweep, question):
    ask = Ask(MODEL, question(samples=2))
    replies = [
        Client(ResponseCache(tmp_path)).complete([ask], sweep(), "answer")[0] for _ in range(2)
    ]
    assert endpoint.calls() == 1
    assert texts(replies[0]) == texts(replies[1])


def test_more_samples_pay_for_the_new_ones_only(client, endpoint, sweep, question):
    for samples in (1, 3):
        meter = sweep()
        (reply,) = client.complete([Ask(MODEL, question(samples=samples, seed=5))], meter, "answer")
    assert [(r.body.get("n"), r.body["seed"]) for r in endpoint.requests] == [(None, 5), (2, 6)]
    assert endpoint.repeated_samples() == []
    assert [sample.cached for sample in reply.samples] == [True, False, False]
    assert counted(meter)["calls"] == 1


def test_equal_asks_of_one_batch_are_asked_once(client, endpoint, sweep, question):
    meter = sweep()
    replies = client.complete([Ask(MODEL, question())] * 30, meter, "answer")
    assert endpoint.calls() == 1
    assert len({tuple(texts(reply)) for reply in replies}) == 1
    assert sum(reply.paid.calls for reply in replies) == meter.cost.calls == 1
    assert counted(meter)["reused"] == 29


def test_equal_asks_with_more_samples_share_the_first(client, endpoint, sweep, question):
    asks = [Ask(MODEL, question(samples=samples, seed=1)) for samples in (1, 3, 2)]
    one, three, two = client.complete(asks, sweep(), "answer")
    assert texts(three)[:2] == texts(two)
    assert texts(two)[:1] == texts(one)
    assert endpoint.repeated_samples() == []


def test_a_cache_has_one_client(tmp_path):
    cache = ResponseCache(None)
    assert client_of(cache) is client_of(cache)


def test_without_a_sweep_calls_are_made_all_the_same(client, endpoint, question):
    meter = Tally()
    (reply,) = client.complete([Ask(MODEL, question("What is 1 + 99?"))], meter, "answer")
    assert reply.failure is None
    assert meter.cost.calls == 1


# --- dialogues


def test_a_dialogue_asks_further_by_what_it_was_told(client, endpoint, sweep, question):
    def dialogue(number):
        (first,) = yield [Ask(MODEL, question(f"What is {number} + 1?"))]
        more = yield [Ask(MODEL, question(f"What is {number} + {n}?")) for n in (2, 3)]
        return [first.first.text, *(reply.first.text for reply in more)]

    results = dict(client.converse([dialogue(n) for n in range(5)], sweep(), "answer"))
    assert sorted(results) == list(range(5))
    assert all(len(result) == 3 for result in results.values())
    assert endpoint.calls() == 15


def test_a_dialogue_may_have_nothing_to_ask(client, endpoint, sweep, question):
    def silent():
        return "nothing"
        yield

    def asking():
        (reply,) = yield [Ask(MODEL, question())]
        return reply.failure

    assert dict(client.converse([silent(), asking()], sweep(), "answer")) == {0: "nothing", 1: None}


def test_an_error_of_a_dialogue_is_raised_when_the_others_have_ended(
    client, endpoint, sweep, question
):
    def dialogue(number):
        yield [Ask(MODEL, question(f"What is {number} + 1?"))]
        if number == 2:
            raise ZeroDivisionError
        return number

    results = client.converse([dialogue(n) for n in range(4)], sweep(), "answer")
    assert sorted(next(results)[0] for _ in range(3)) == [0, 1, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_stops_looking_keeps_what_was_paid_for(endpoint, sweep, question):
    endpoint.configure(latency=0.02)
    cache = ResponseCache(None)
    model = MODEL.model_copy(update={"concurrency": 2})
    asks = [Ask(model, question(f"What is {n} + 1?")) for n in range(40)]

    def single(ask):
        yield [ask]

    results = Client(cache).converse([single(ask) for ask in asks], sweep(), "answer")
    next(results)
    results.close()
    answered = sum(record.answered for record in endpoint.requests)
    assert answered == endpoint.calls() < 40
    endpoint.configure(latency=0.0)
    Client(cache).complete(asks, sweep(), "answer")
    assert endpoint.calls() == 40
    assert endpoint.repeated() == []


def test_many_trials_share_a_client(client, endpoint, sweep, question):
    """Threads of their own, one gate, and equal questions: each is paid once."""
    meter, replies = sweep(), {}
    lock = threading.Lock()

    def trial(number):
        asks = [Ask(MODEL, question(f"What is {n} + 1?")) for n in range(10)]
        own = type(meter)(gate=meter.gate)
        found = client.complete(asks, own, "answer")
        with lock:
            replies[number] = [texts(reply) for reply in found]

    threads = [threading.Thread(target=trial, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 8
    assert all(found == replies[0] for found in replies.values())
    assert endpoint.calls() == 10


# --- money


def test_no_call_begins_that_the_budget_has_no_room_for(client, endpoint, sweep, question):
    model = MODEL.model_copy(update={"concurrency": 4})
    asks = [Ask(model, question(f"What is {n} + 1?", max_tokens=20)) for n in range(200)]
    meter = sweep(usd=1.5)
    with pytest.raises(BudgetExhaustedError):
        client.complete(asks, meter, "answer")
    spent = endpoint.usd(1000, 2000)
    assert 1.3 <= spent <= 1.5
    assert meter.cost.usd == pytest.approx(spent)


def test_what_came_before_the_money_went_is_kept(client, endpoint, sweep, question):
    model = MODEL.model_copy(update={"concurrency": 4})
    asks = [Ask(model, question(f"What is {n} + 1?", max_tokens=20)) for n in range(60)]
    with pytest.raises(BudgetExhaustedError):
        client.complete(asks, sweep(usd=1.0), "answer")
    client.complete(asks, sweep(), "answer")
    assert endpoint.calls() == 60
    assert endpoint.repeated() == []


# --- keys and models


def test_a_refused_key_is_said_once_and_few_hear_of_it(
    client, endpoint, monkeypatch, question, sweep
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdef")
    model = MODEL.model_copy(update={"concurrency": 2})
    asks = [Ask(model, question(f"What is {n} + 1?")) for n in range(50)]
    meter = sweep()
    with pytest.raises(ConfigError, match="OPENAI_API_KEY was refused") as caught:
        client.complete(asks, meter, "answer")
    assert "sk-wrong" not in str(caught.value)
    assert endpoint.calls() <= 4
    assert meter.cost.usd == 0


def test_a_missing_key_is_found_before_any_call(client, endpoint, monkeypatch, question, sweep):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        client.complete([Ask(MODEL, question())], sweep(), "answer")
    assert endpoint.calls() == 0


def test_an_unknown_model_is_a_configuration_error(client, endpoint, question, sweep):
    endpoint.configure(models=["good-1"])
    with pytest.raises(ConfigError, match="does not exist"):
        client.complete([Ask(OpenAIModel(model="bad-1"), question())], sweep(), "answer")


# --- fallbacks


def test_the_next_model_answers_where_the_first_one_fails(client, endpoint, question, sweep):
    endpoint.fault("status", status=500, model="good-1")
    both = Fallback(models=(MODEL.model_copy(update={"retries": 1}), "cheap-1"))
    meter = sweep()
    (reply,) = client.complete([Ask(both, question())], meter, "answer")
    assert reply.failure is None
    assert (endpoint.calls(model="good-1"), endpoint.calls(model="cheap-1")) == (2, 1)
    assert counted(meter)["passed on"] == 1
    assert counted(meter, "cheap-1")["calls"] == 1


def test_the_next_model_answers_where_the_first_one_says_nothing(client, endpoint, question, sweep):
    endpoint.fault("empty-content", model="good-1")
    both = Fallback(models=(MODEL, "cheap-1"))
    (reply,) = client.complete([Ask(both, question())], sweep(), "answer")
    assert reply.first.label is None
    assert reply.paid.calls == 2


def test_azures_older_addresses_are_asked_by_deployment(client, endpoint, question, sweep):
    model = OpenAIModel(model="good-1", base_url=endpoint.root, azure_api_version="2024-10-21")
    (reply,) = client.complete([Ask(model, question())], sweep(), "answer")
    assert reply.failure is None
    assert [r.path for r in endpoint.requests] == ["/openai/deployments/good-1/chat/completions"]
