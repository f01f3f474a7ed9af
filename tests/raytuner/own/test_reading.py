"""What functions and programs may give for a unit."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from raytuner.objective import UNIT_TOKENS, UNIT_USD, Cost, ObjectiveFailure
from raytuner.own.reading import read_result


@pytest.mark.parametrize(
    ("given", "scores", "notes"),
    [
        (0.5, {"score": 0.5}, {}), (True, {"score": 1.0}, {}),
        (np.float32(0.5), {"score": 0.5}, {}),
        (np.array(2), {"score": 2.0}, {}), (np.bool_(1), {"score": 1.0}, {}),
        ({"hit": 1, "answer": "x"}, {"hit": 1.0}, {"answer": "x"}),
        ({"cost": 3.0}, {"cost": 3.0}, {}),
        (SimpleNamespace(score=0.5, metadata={"a": "b"}), {"score": 0.5}, {"a": "b"}),
        (SimpleNamespace(score=0.5, metadata=None), {"score": 0.5}, {}),
    ],
)  # fmt: skip
def test_numbers_are_metrics_and_the_rest_accompanies_them(given, scores, notes):
    found = read_result(given)
    assert (found.scores, found.cost, found.notes) == (scores, Cost(), notes)


def test_a_bare_number_is_the_only_declared_metric():
    assert read_result(0.5, ["loss"]).scores == {"loss": 0.5}


def test_money_and_tokens_are_costs_and_metrics():
    found = read_result({"hit": 1, "cost_usd": 0.25})
    assert found.cost == Cost(usd=0.25)
    assert found.scores == {"hit": 1.0, UNIT_USD: 0.25}
    found = read_result(
        {"hit": 1, "cost": {"usd": 0.5, "tokens_in": 7, "tokens_out": 3, "calls": 2}}
    )
    assert found.cost == Cost(0.5, 7, 3, 2)
    assert found.scores == {"hit": 1.0, UNIT_USD: 0.5, UNIT_TOKENS: 10.0}
    assert read_result({"hit": 1, "cost": Cost(tokens_in=7)}).scores == {"hit": 1.0, UNIT_TOKENS: 7}


@pytest.mark.parametrize(
    ("given", "metrics", "message"),
    [
        (None, (), "gave nothing; give metrics, such as {'score': 0.5}"),
        (None, ("hit",), "gave nothing; give metrics, such as {'hit': 0.5}"),
        ("0.5", (), "gave '0.5'; give metrics"), ([0.5], (), "gave"), (1j, (), "gave 1j"),
        ({}, (), "gave no metric: {}"), ({"a": "x"}, (), "gave no metric: {'a': 'x'}"),
        ({"hits": 1}, ("hit",), r"did not give hit; it gave: hits\. Did you mean 'hits'\?"),
        ({"hit": "0.5"}, ("hit",), "gave hit = '0.5'; a score is a finite number"),
        ({"hit": None}, ("hit",), "gave hit = None"),
        ({"hit": 1, "cost_usd": -1}, (), "gave cost_usd = -1; an amount is a number of 0 or more"),
        ({"hit": 1, "cost_usd": math.nan}, (), "gave cost_usd = nan"),
        ({"hit": 1, "cost_usd": "1"}, (), "gave cost_usd = '1'"),
        ({"hit": 1, "cost": {"dollars": 1}}, (), "gave a cost with 'dollars'; it has: usd"),
        ({"hit": 1, "cost": {"tokens_in": math.inf}}, (), "gave cost.tokens_in = inf"),
    ],
)  # fmt: skip
def test_what_is_none_is_said_in_one_sentence(given, metrics, message):
    with pytest.raises(ObjectiveFailure, match=message) as caught:
        read_result(given, metrics)
    assert caught.value.failure.kind == "objective"
    assert len(str(caught.value)) < 300
