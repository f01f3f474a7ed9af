"""AutoGen's tune with the real client, against an endpoint that counts for itself."""

import re
from collections import Counter

import pytest

import raytuner
from raytuner import ConfigError, tune_completion
from raytuner.component import RaytunerError
from raytuner.objective import UNIT_USD
from raytuner.results import Results
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

PRICES = {"good-1": {"input": 3.0, "output": 15.0}, "cheap-1": {"input": 0.3, "output": 1.5}}
STEPS = "Question: {problem}\nThink step by step. Put the answer in \\boxed{{}}."
PLAIN = "Question: {problem}\nPut the answer in \\boxed{{}}."
DATA = [
    {
        "problem": f"What is {a} + {7 * a % 13} * {a % 5 + 2}?",
        "answer": a + 7 * a % 13 * (a % 5 + 2),
    }
    for a in range(11, 43)
]


def voted(responses, answer, **_):
    found = [int(match[1]) for text in responses if (match := re.search(r"\{(-?\d+)\}", text))]
    best = Counter(found).most_common(1)[0][0] if found else None
    return {"success_vote": best == answer, "success": answer in found}


@pytest.fixture
def tune(endpoint, tmp_path):
    """Tune over a small space, with prices and folders of this test."""

    def tune(data=DATA, metric="success_vote", mode="max", eval_func=voted, **arguments):
        given = {
            "prices": PRICES,
            "cache": tmp_path / "cache",
            "prompt": [PLAIN, STEPS],
            "temperature": {"float": [0.0, 2.0]},
            "max_tokens": [10, 100],
            "n": {"int": [1, 6]},
            "seed": 3,
        }
        return tune_completion(data, metric, mode, eval_func, **{**given, **arguments})

    return tune


@pytest.fixture
def billed(endpoint):
    """Sum up what the endpoint has charged."""

    def billed():
        return sum(
            endpoint.usd(price["input"], price["output"], model) for model, price in PRICES.items()
        )

    return billed


def test_it_gives_the_best_configuration_and_says_what_it_cost(tune, endpoint, billed):
    config, analysis = tune(num_samples=12)
    assert set(config) == {"model", "prompt", "max_tokens", "temperature", "n"}
    assert analysis.best_config == config
    best = analysis.best_result
    table = analysis.dataframe()
    assert len(table) == 12
    complete = table[table.status == "complete"]
    assert best["success_vote"] == complete.success_vote.max() > table.success_vote.median()
    assert set(table.loc[0, ["config/model", "config/prompt"]]) == {
        config["model"], config["prompt"]
    }  # fmt: skip
    assert table.cost.sum() == pytest.approx(billed())
    assert analysis.cost == pytest.approx(billed())
    assert best["inference_cost"] == pytest.approx(best[UNIT_USD])
    assert endpoint.repeated() == []


def test_bad_configurations_are_stopped_after_a_part_of_the_instances(tune, endpoint):
    _, analysis = tune(num_samples=12)
    asked = [len(trial.units) - len(trial.missing()) for trial in analysis.trials]
    assert min(asked) == 8
    assert max(asked) == len(DATA)
    assert endpoint.calls("chat") == sum(asked) < 0.6 * 12 * len(DATA)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_optimization_budget_is_used_and_never_exceeded(tune, billed, workers):
    budget = 0.1
    config, analysis = tune(
        optimization_budget=budget, num_samples=-1, options={"workers": workers}
    )
    assert 0.8 * budget < billed() <= budget
    assert analysis.cost <= budget + 1e-9
    assert "budget" in analysis.results.stop_reason
    assert config["model"] in PRICES


def test_the_inference_budget_rules_out_what_is_too_dear(tune):
    limit = 0.0004
    _, free = tune(num_samples=15)
    config, analysis = tune(num_samples=15, inference_budget=limit)
    assert free.best_result["inference_cost"] > limit
    assert analysis.best_result["inference_cost"] <= limit
    table = analysis.dataframe()
    dear = table[table.inference_cost > 2 * limit]
    assert len(dear)
    assert "complete" not in set(dear.status)
    assert config != free.best_config


def test_less_can_be_better(tune):
    def length(responses, **_):
        return {"length": len(responses[0])}

    _, analysis = tune(metric="length", mode="min", eval_func=length, num_samples=8)
    lengths = analysis.dataframe().length
    assert analysis.best_result["length"] == lengths.min() < lengths.max()


def test_a_second_run_pays_nothing(tune, endpoint, tmp_path):
    first, _ = tune(num_samples=5, run_dir=tmp_path / "runs")
    calls = endpoint.calls("chat")
    again, analysis = tune(num_samples=5, run_dir=tmp_path / "runs")  # by the journal
    anew, _ = tune(num_samples=5)  # by the answers
    assert endpoint.calls("chat") == calls
    assert first == again == anew
    assert Results.open(analysis.results.folder).best.key == analysis.best_trial.key


def test_a_tuning_that_ran_out_of_money_goes_on_with_more(tune, endpoint, billed, tmp_path):
    where = {"run_dir": tmp_path / "runs", "num_samples": 6}
    with pytest.raises(RaytunerError, match="run again"):
        tune(optimization_budget=0.004, **where)
    assert 0 < billed() <= 0.004
    _, analysis = tune(optimization_budget=0.5, **where)
    assert endpoint.repeated() == []
    assert len(analysis.trials) == 6


def test_an_evaluation_function_that_raises_fails_its_instance(tune):
    def picky(responses, answer, **_):
        raise KeyError(answer)

    with pytest.raises(RaytunerError, match=r"instance \d+: eval_func raised KeyError"):
        tune(eval_func=picky, num_samples=1)


def test_failures_of_the_endpoint_are_no_zeros(tune, endpoint):
    endpoint.fault("status", status=400, containing=DATA[4]["problem"], model="good-1")
    config, analysis = tune(num_samples=6, scheduler="none")
    table = analysis.dataframe()
    assert set(table[table["config/model"] == "good-1"].status) == {"failed"}
    assert config["model"] == "cheap-1"


def test_create_uses_what_was_found(tune):
    config, analysis = tune(num_samples=3)
    created = analysis.create({"problem": "What is 2 + 3 * 4?"})
    assert len(created.texts) == config["n"]
    other = analysis.create({"problem": "What is 2 + 3 * 4?"}, {**config, "n": 1})
    assert other.text == created.text


def test_few_instances_are_all_asked(tune):
    _, analysis = tune(DATA[:5], num_samples=3)
    assert set(analysis.dataframe().instances) == {5}


def test_arguments_without_effect_are_named(tune):
    with pytest.warns(UserWarning, match="log_file_name has no effect"):
        tune(DATA[:2], num_samples=1, log_file_name="logs/math.log")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_samples": -1}, "optimization_budget"),
        ({"num_samples": 0}, "num_samples"),
        ({"mode": "best"}, "mode"),
        ({"top_p": 0.5}, "temperature and top_p"),
        ({"prompt": "{question}"}, "question"),
        ({"config_list": [{}]}, "fallback"),
        ({"eval_func": None}, "eval_func"),
        ({"data": []}, "none"),
        ({"data": [1]}, "instances: give a file of JSON lines or a list of mappings"),
        ({"data": {"a": 1}}, "instances: give a file"),
        ({"data": None}, "instances: it is missing"),
        ({"models": ["m"]}, "models: give a mapping by name"),
        ({"response_schema": {"type": "objct"}}, "no JSON Schema"),
        ({"prices": None, "model": "m", "optimization_budget": 1.0}, "price"),
        ({"n": 1000}, "128"),
    ],
)
def test_bad_input_is_refused_before_anything_is_spent(tune, endpoint, arguments, said):
    with pytest.raises(ConfigError, match=said):
        tune(**arguments)
    assert endpoint.calls() == 0


def test_it_is_a_name_of_the_package():
    assert raytuner.tune_completion is tune_completion
