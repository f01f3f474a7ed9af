"""A function of one's own, called for every item: scores, failures, money, and whole studies."""

import asyncio
import json
import math
import pickle
import re

import pytest

import raytuner
from raytuner.budget import BudgetExhaustedError, Purse
from raytuner.component import ConfigError
from raytuner.decorator import adapted
from raytuner.meter import WorkMeter
from raytuner.objective import LATENCY, UNIT_TOKENS, UNIT_USD, Cost, Tally
from raytuner.own.callable_objective import CallableObjective
from raytuner.study import Study
from tests.raytuner.own import own_probes
from tests.raytuner.own.own_probes import ROWS, answer, ask, faulty, faulty_later, priced, whole
from tests.raytuner.probes import BACKENDS, same, table

SMALL = ROWS[:6]


def made(function, **settings):
    return adapted(function, settings, None, 0)


def scores(objective, params, units=None, meter=None):
    batches = objective.evaluate(params, units or objective.units(), meter or Tally())
    return {score.unit: score for batch in batches for score in batch}


def scores_async(objective, params):
    async def collect():
        batches = objective.aevaluate(params, objective.units(), Tally())
        return {score.unit: score async for batch in batches for score in batch}

    return asyncio.run(collect())


WAYS = {"sync": scores, "async": scores_async}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", [answer, ask])
@pytest.mark.parametrize("concurrency", [None, 1, 5])
def test_every_item_is_answered_once_whatever_the_way(way, function, concurrency):
    found = WAYS[way](made(function, concurrency=concurrency), {"x": 3})
    assert {u: s.scores for u, s in found.items()} == {
        row["id"]: {"hit": row["n"] * 3 % 7 / 7} for row in ROWS
    }
    assert found["q5"].notes.keys() == {LATENCY, "said"}
    assert all(score.failure is None for score in found.values())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("function", [faulty, faulty_later])
@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("nothing", "objective", "item 'q3': the objective gave nothing; give metrics, such as"),
        ("lacking", "objective", r"item 'q3': .* did not give hit; it gave: hits"),
        ("typed", "provider", r"item 'q3': 503 \(own_probes.py, line \d+\)"),
        ("slow", "timeout", "item 'q3': TimeoutError: it took more than 0.2 seconds"),
        ("raise", "objective", r"item 'q3': KeyError: 'x' \(own_probes.py, line \d+\)"),
        ("exit", "objective", "item 'q3': SystemExit: 3"),
        ("cancel", "objective", "item 'q3': CancelledError"),
    ],
)
def test_a_failure_is_that_of_its_item(way, function, fault, kind, message):
    settings = {"timeout": 0.2} if fault == "slow" else {}
    objective = made(function, items=SMALL, metrics=["hit"], **settings)
    found = WAYS[way](objective, {"fault": fault})
    failure = found.pop("q3").failure
    assert failure.kind == kind
    assert re.search(message, failure.message)
    assert failure.retryable == (kind in {"provider", "timeout"})
    assert {score.scores["hit"] for score in found.values()} == {1.0}


def test_what_is_not_finite_is_a_failure_of_its_item_in_a_study():
    study = Study(
        objective={"kind": "tests.raytuner.own.own_probes:faulty", "items": SMALL},
        space={"fault": ["nan"]},
    )
    trial = raytuner.run(study, in_memory=True).record.current[0]
    assert list(trial.failures) == ["q3"]
    assert "hit = nan; a score is a finite number" in trial.failures["q3"].message
    assert trial.answered == 5


def test_metrics_that_are_not_declared_may_be_missing():
    def some(item, config):
        return {"hit": 1, "rare": 0.5} if item["n"] == 2 else {"hit": 0}

    study = Study(objective=made(some, items=SMALL), space={"x": [1]})
    trial = raytuner.run(study, in_memory=True).record.current[0]
    assert trial.mean("rare") == 0.5
    assert sum(map(math.isnan, trial.values("rare"))) == 5


def test_a_function_may_change_what_it_is_given():
    def greedy(item, config):
        return {"left": len(item.popitem()) * config.pop("x")}

    objective = made(greedy, items=SMALL)
    assert scores(objective, {"x": 1}).keys() == scores(objective, {"x": 1}).keys()
    assert all(s.failure is None for s in scores(objective, {"x": 1}).values())


def test_without_items_there_is_one_result():
    objective = made(whole)
    assert objective.units() == ("result",)
    assert scores(objective, {"x": 5})["result"].scores == {"worth": 10.0}
    assert objective.defaults(["x", "model.size"]) == {"x": 3, "model.size": 2}
    assert objective.defaults(["y"]) is None
    assert objective.export({"x": 5}) == {"x": 5, "model": {"size": 2}}
    assert not objective.maximise("worth")
    assert objective.metrics() == ("worth", UNIT_USD, UNIT_TOKENS)
    assert objective.plan([]) == {}


# ---- identity


def test_equal_configurations_have_equal_keys_however_spelt():
    objective = made(answer)
    assert objective.key({"x": 1}) == objective.key({})
    assert objective.key({"x": 2}) != objective.key({})
    assert objective.key({"x": 1.0}) != objective.key({})


@pytest.mark.parametrize(
    "settings", [{"version": 2}, {"items": ROWS[1:]}, {"metrics": ["hit", "loss"]},
                 {"items": [{**ROWS[0], "n": 9}, *ROWS[1:]]}],
)  # fmt: skip
def test_what_decides_scores_decides_the_scope(settings):
    assert made(answer, **settings).scope() != made(answer).scope()


@pytest.mark.parametrize(
    "settings", [{"timeout": 5}, {"concurrency": 3}, {"group": None}, {"items": ROWS[::-1]}]
)
def test_what_does_not_decide_scores_does_not(settings):
    assert made(answer, **settings).scope() == made(answer).scope()


def test_groups_kinds_contents_and_what_is_shown():
    objective = made(answer)
    assert objective.groups()["q13"] == "d1"
    assert objective.strata()["q13"] == "b"
    assert len(set(objective.contents().values())) == 60
    shown = objective.explain({"x": 1}, ["q1"])
    assert json.loads(shown[0]["question"]) == ROWS[1]
    rows = [{"question": "why?", "answer": "because"}]
    shown = made(answer, items=rows, group=None, stratum=None).explain({}, ["1"])
    assert shown == [{"unit": "1", "question": "why?", "reference": "because"}]


# ---- money


def paying(item, config):
    return {"hit": 1, "cost_usd": config["price"]}


def test_money_is_counted_and_ends_the_sweep_in_order(tmp_path):
    study = Study(
        objective={"kind": "tests.raytuner.own.test_callable_objective:paying", "items": ROWS},
        space={"price": [0.01, 0.02]}, budget={"usd": 0.305}, scheduler="none",
        verdict={"held_out": 0},
    )  # fmt: skip
    results = raytuner.run(study, tmp_path)
    assert results.stop_reason.startswith("the budget of $0.305 has no room")
    spent = sum(row.usd for row in results.trials.itertuples())
    assert spent == pytest.approx(0.3)
    again = raytuner.run(study.model_copy(update={"budget": raytuner.Budget(usd=2)}), tmp_path)
    assert again.stop_reason is None
    assert list(again.trials[UNIT_USD].sort_values()) == pytest.approx([0.01, 0.02])


def test_money_spent_on_what_failed_counts():
    def buys(item, config):
        return {"hit" if item["n"] else "miss": 1, "cost_usd": 0.25}

    meter = Tally()
    objective = made(buys, items=[{"n": 0}, {"n": 1}], metrics=("hit",))
    found = scores(objective, {}, meter=meter)
    assert {unit for unit, score in found.items() if score.failure} == {"1"}
    assert [score.cost for score in found.values()] == [Cost(0.25)] * 2
    assert meter.cost.usd == 0.5


def test_a_refused_call_is_none_of_its_item():
    meter = WorkMeter(Purse(0.025))
    objective = made(paying, items=SMALL)
    batches = objective.evaluate({"price": 0.01}, objective.units(), meter)
    found = next(batches)
    with pytest.raises(BudgetExhaustedError):
        next(batches)
    assert [score.cost for score in found] == [Cost(0.01)] * 2
    assert meter.cost.usd == pytest.approx(0.02)


# ---- whole studies


def own(function, **fields):
    objective = {"kind": f"tests.raytuner.own.own_probes:{function.__name__}"}
    space = {"x": [1, 2, 3]}
    return Study.parse({"objective": objective, "space": space, "seed": 1, **fields})


@pytest.fixture(scope="module")
def expected():
    return table(raytuner.run(own(answer), in_memory=True)).drop(columns="key")


@pytest.mark.parametrize("function", [answer, ask])
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_table_on_every_backend(tmp_path, function, backend, expected):
    results = raytuner.run(own(function, **BACKENDS[backend]), tmp_path)
    same(table(results).drop(columns="key"), expected)
    assert not results.verdict.sentence.startswith("NO VERDICT")


def test_a_metric_that_is_not_declared_cannot_be_the_goal():
    with pytest.raises(ConfigError, match=r"metric: 'hits' is not measured; .*'hit'"):
        raytuner.run(own(answer, metric="hits"), in_memory=True)


def test_what_is_paid_can_be_limited_without_declaring_it(tmp_path):
    results = raytuner.run(own(priced, limits=["usd_per_question <= 0.01"]), tmp_path)
    assert results.metric == "hit"
    assert results.best.params == {"x": 2}
    assert results.best.mean(UNIT_USD) == pytest.approx(0.008)
    dear = next(trial for trial in results.record.current if trial.params["x"] == 3)
    assert dear not in results.compared
    assert raytuner.run(own(priced), in_memory=True).best.params == {"x": 3}


@pytest.mark.parametrize(
    ("metric", "best"),
    [({"hit": 1, UNIT_USD: -20}, 3), ({"hit": 1, UNIT_USD: -100}, 1), (["hit", UNIT_USD], 3),
     (UNIT_USD, 1)],
)  # fmt: skip
def test_what_is_paid_can_be_a_goal_without_declaring_it(metric, best):
    results = raytuner.run(own(priced, metric=metric, scheduler="none"), in_memory=True)
    assert results.best.params == {"x": best}


def test_a_goal_that_nothing_reports_ends_the_study_after_one_trial(tmp_path):
    words = "metric: 'usd_per_question' is not measured; the objective reports: hit"
    with pytest.raises(ConfigError, match=words):
        raytuner.run(own(answer, metric={"hit": 1, UNIT_USD: -20}), tmp_path)
    events = (tmp_path / "runs").rglob("journal.jsonl")
    assert sum(path.read_text().count('"event":"trial"') for path in events) <= 2


def test_items_are_shared_and_do_not_travel(tmp_path):
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    objective = adapted(own_probes.plain_item, {"items": "data.jsonl"}, tmp_path, 0)
    sent = pickle.dumps(objective)
    assert len(sent) < 2000

    class Once:
        def __init__(self):
            self.found = {}

        def obtain(self, key, build):
            if key not in self.found:
                self.found[key] = build()
            return self.found[key]

    exchange = Once()
    objective.share(exchange)
    (tmp_path / "data.jsonl").unlink()
    other: CallableObjective = pickle.loads(sent)
    other.share(exchange)
    assert scores(other, {"x": 2})["q7"].scores == {"hit": 14.0}
    assert other.key({}) == objective.key({})
