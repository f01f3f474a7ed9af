"""Fronts: dominance, firmness, the knee."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raytuner.component import ConfigError
from raytuner.insight import pareto
from raytuner.insight.pareto import front

SPACE = {"x": [0, 1, 2, 3]}
GOOD = [0.2, 0.5, 0.8, 0.7]
PRICE = [1.0, 2.0, 4.0, 5.0]


def priced(params, question):
    return {"score": GOOD[params["x"]], "price": PRICE[params["x"]]}


def test_the_front_by_hand(run):
    table = pareto(run(priced, SPACE, metric="score"), {"score": "max", "price": "min"})
    assert list(table.columns) == ["trial", "x", "score", "price", "on_front", "share", "firm",
                                   "knee"]  # fmt: skip
    assert list(table.x) == [2, 1, 0, 3]
    assert list(table.on_front) == [True, True, True, False]
    assert list(table.share) == [1, 1, 1, 0]
    assert list(table.firm) == [True, True, True, False]
    assert list(table.knee) == [True, False, False, False]


def test_the_knee_is_the_cheapest_within_one_error_of_the_best(run):
    def function(params, question):
        x = params["x"]
        wobble = 0.3 * (-1) ** question if x == 1 else 0.0
        return {"score": [0.1, 0.49, 0.5, 0.3][x] + wobble, "price": PRICE[x]}

    table = pareto(run(function, SPACE, metric="score"), {"score": "max", "price": "min"})
    chosen = table[table.knee]
    assert list(chosen.x) == [1]


def test_a_point_that_is_there_by_luck_is_not_firm(run):
    def function(params, question):
        lucky = 0.02 if question == 0 else 0.0
        x = params["x"]
        # x = 1 costs more, and is better on one question of twelve only
        return {"score": 0.5 + (lucky if x == 1 else 0.0), "price": 1.0 + x}

    table = pareto(run(function, {"x": [0, 1]}, metric="score"), {"score": "max", "price": "min"})
    rows = table.set_index("x")
    assert rows.on_front.all()
    assert rows.share[0] == 1
    assert rows.share[1] == pytest.approx(1 - (11 / 12) ** 12, abs=0.06)


def test_columns_of_the_trial_table_may_be_goals(run):
    results = run(priced, SPACE, metric="score")
    table = pareto(results, {"score": "max", "usd": "min"})
    assert set(table.usd) == {0.25 * 12}
    assert list(table.on_front) == [True, False, False, False]


def test_goals_by_default(run):
    def function(params, question):
        return {"score": GOOD[params["x"]], "usd_per_question": PRICE[params["x"]]}

    table = pareto(run(function, SPACE, metric="score"))
    assert list(table.columns[2:4]) == ["score", "usd_per_question"]
    assert list(table[table.on_front].x) == [2, 1, 0]


def test_bad_goals(run):
    results = run(priced, SPACE, metric="score")
    for goals, said in (
        (
            {"scor": "max", "price": "min"},
            r"'scor' is no metric or column of this run. Did you mean 'score'",
        ),
        ({"score": "up", "price": "min"}, "'up' is neither 'max' nor 'min'"),
        ({"score": "max"}, "needs at least two"),
        ({"score": "max", "status": "min"}, "status has no numbers"),
        (None, "needs at least two"),
    ):
        with pytest.raises(ConfigError, match=said):
            pareto(results, goals)


def test_incomplete_trials_take_no_part(run):
    def function(params, question):
        if params["x"] == 3 and question == 4:
            raise RuntimeError("out of luck")
        return priced(params, question)

    table = pareto(run(function, SPACE, metric="score"), {"score": "max", "price": "min"})
    assert sorted(table.x) == [0, 1, 2]


def dominates(a, b):
    return bool((a >= b).all() and (a > b).any())


@settings(max_examples=200, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(2, 4)),
              elements=st.sampled_from([0.0, 0.5, 1.0, 2.0, -np.inf])))  # fmt: skip
def test_exactly_what_nobody_dominates_is_on_the_front(values):
    expected = [not any(dominates(other, one) for other in values) for one in values]
    assert list(front(values)) == expected


def test_an_empty_front():
    assert front(np.empty((0, 2))).shape == (0,)
