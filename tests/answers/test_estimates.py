"""What `check` says a study will cost, beside what the endpoint bills for it."""

import json

import pytest

from tests.answers.conftest import PRICES

EMBEDDER = {"kind": "openai", "model": "embed-1"}
DENSE = {"objective__pipeline__retriever": {"kind": "dense", "top_k": 2}}
ONE = {"space": {"generator.temperature": {"choice": [0.3]}}, "baseline": False}
CHAT = {"kind": "chat", "model": "cheap", "temperature": 0.3, "max_tokens": 40}


def facts(raytuner):
    done = raytuner("check", "study.yaml", "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def billed(endpoint):
    used = {"good-1": PRICES["good"], "cheap-1": PRICES["cheap"], "dear-1": (200.0, 800.0)}
    return sum(endpoint.usd(*price, model=model) for model, price in used.items())


@pytest.mark.parametrize(
    "generator",
    [
        {"n": 4, "select": "judge", "selector": "dear"},
        {"n": 3, "mode": "refine"},
        {"n": 2, "mode": "tree-summarize", "context_tokens": 64},
        {"mode": "tree-summarize", "context_tokens": 16, "max_tokens": 200},
        {"mode": "compact", "context_tokens": 100, "passage": "[{number}] {text}"},
    ],
)
def test_the_bill_of_every_way_to_answer_lies_within_the_bounds(
    folder, endpoint, raytuner, generator
):
    folder.data["objective"]["models"]["dear"] = {
        "model": "dear-1", "price": {"input": 200.0, "output": 800.0}
    }  # fmt: skip
    folder.write(objective__pipeline__generator={**CHAT, **generator}, **ONE)
    plan = facts(raytuner)
    assert raytuner("run", "study.yaml").code == 0
    assert plan["usd at least"] <= billed(endpoint) <= plan["usd at most"]
    assert plan["calls at least"] <= endpoint.calls("chat") <= plan["calls at most"]
    assert plan["tokens in at least"] <= endpoint.tokens[0] <= plan["tokens in at most"]


@pytest.mark.parametrize(
    "fields",
    [{"scheduler": {"kind": "asha", "grace": 4}}, {"budget": {"usd_per_question": 0.0001}}],
)
def test_the_least_is_what_trials_cost_that_are_stopped_early(folder, endpoint, raytuner, fields):
    folder.write(**fields)
    plan = facts(raytuner)
    assert raytuner("run", "study.yaml").code == 0
    assert endpoint.calls("chat") < 36 * 4
    assert plan["calls at least"] <= endpoint.calls("chat") <= plan["calls at most"]


def test_what_embedding_costs_is_bounded_and_part_of_the_sum(folder, endpoint, raytuner):
    without = facts(raytuner)
    embedder = {**EMBEDDER, "usd_per_million_tokens": 50.0}
    folder.write(objective__pipeline__embedder=embedder, **DENSE)
    plan = facts(raytuner)
    most = plan["usd to embed at most"]
    assert plan["usd at most"] >= without["usd at most"] / 2 + most
    assert raytuner("run", "study.yaml").code == 0
    assert 0 < endpoint.usd(50.0, 0.0, model="embed-1") <= most
    assert "usd to embed at most" not in facts(raytuner)  # it is there now


def test_a_model_that_embeds_at_an_unknown_price_is_refused_with_a_budget(
    folder, endpoint, raytuner
):
    folder.write(objective__pipeline__embedder=EMBEDDER, budget={"usd": 1.0}, **DENSE)
    for command in ("check", "run"):
        done = raytuner(command, "study.yaml")
        assert done.code == 2
        assert "the price of embed-1 is not known" in done.err
        assert "usd_per_million_tokens" in done.err
    folder.write(objective__pipeline__retriever={"kind": "bm25", "top_k": 2})  # nothing is embedded
    assert raytuner("check", "study.yaml").code == 0
    assert endpoint.calls() == 0


def test_documents_are_not_cut_by_a_model_that_costs_money(folder, endpoint, raytuner):
    dear = {**EMBEDDER, "usd_per_million_tokens": 50.0}
    folder.write(objective__pipeline__chunker={"kind": "semantic", "embedder": dear})
    done = raytuner("check", "study.yaml")
    assert done.code == 2
    assert "chunker.embedder: embed-1 costs money" in done.err
    assert endpoint.calls() == 0
    own = {**EMBEDDER, "free": True}
    folder.write(objective__pipeline__chunker={"kind": "semantic", "embedder": own})
    assert raytuner("check", "study.yaml").code == 0


def test_dollars_do_not_end_a_search_of_free_models(folder, endpoint, raytuner):
    for model in folder.data["objective"]["models"].values():
        model.pop("price")
        model["free"] = True
    endless = {
        "search": "random", "space": {"generator.temperature": {"float": [0.0, 1.0]}}
    }  # fmt: skip
    folder.write(budget={"usd": 1.0}, **endless)
    done = raytuner("check", "study.yaml")
    assert done.code == 2
    assert "all models are free" in done.err
    folder.write(budget={"usd": 1.0, "trials": 2})
    assert raytuner("check", "study.yaml").code == 0
