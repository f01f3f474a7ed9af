"""AutoGen's example runs offline, keeps to both budgets, and finds what helps."""

import importlib.util
from pathlib import Path

import pytest

from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]
SCRIPT = Path(__file__).parents[2] / "examples" / "autogen_math.py"


@pytest.fixture
def example():
    spec = importlib.util.spec_from_file_location("autogen_math", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_runs_within_its_budgets(example, endpoint, tmp_path, capsys):
    budget = 0.12
    config, analysis, tested = example.main(
        optimization_budget=budget, cache=tmp_path / "cache", seed=0
    )
    price = example.PRICES["gpt-4o-mini"]
    spent = analysis.cost
    assert 0.5 * budget < spent <= budget
    tests = endpoint.usd(price["input"], price["output"]) - spent
    assert 0 < tests <= 20 * 2 * 0.0004
    assert analysis.best_result["inference_cost"] <= 0.0004
    assert config["model"] == "gpt-4o-mini"
    assert config["prompt"] in example.PROMPTS
    assert ("temperature" in config) != ("top_p" in config)
    table = analysis.dataframe()
    assert len(table) > 5
    assert analysis.best_result["success_vote"] >= table.success_vote.median()
    assert tested >= 0.75
    assert endpoint.repeated() == []
    assert "best result on tuning data" in capsys.readouterr().out


def test_votes_are_counted_as_autogen_counts_them(example):
    boxed = [f"so \\boxed{{{number}}}" for number in (4, 5, 5)]
    found = example.eval_math_responses([*boxed, "no idea"], "5", problem="?")
    assert found == {
        "expected_success": 1 - 0.5**4,
        "success": True,
        "success_vote": True,
        "voted_answer": "5",
        "votes": 2,
    }
    lost = example.eval_math_responses(["nothing"], "5")
    assert (lost["success"], lost["success_vote"], lost["voted_answer"]) == (False, False, None)
