"""Difficulty, discrimination and flags of questions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import raytuner
from raytuner.component import ConfigError
from raytuner.insight.questions import COLUMNS, discrimination, questions
from tests.raytuner.probes import Questions, study

SPACE = {"x": [0, 1, 2, 3, 4, 5]}


def guttman(params, question):
    """A scale of steps: question n is right for those with x >= n; 8 and 9 are for nobody."""
    if question == 0:
        return 1.0
    if question >= 6:
        return 0.0
    return float(params["x"] >= question)


def test_difficulty_of_a_guttman_scale(run):
    table = questions(run(guttman, SPACE, units=8))
    assert tuple(table.columns) == COLUMNS
    assert list(table.question) == [f"q{n}" for n in range(8)]
    assert list(table["mean"]) == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0, 0])
    assert list(table["min"]) == [1, 0, 0, 0, 0, 0, 0, 0]
    assert list(table["max"]) == [1, 1, 1, 1, 1, 1, 0, 0]
    assert set(table.answered) == set(table.trials) == {6}
    flags = dict(zip(table.question, table.remark, strict=True))
    assert flags["q0"] == "saturated"
    assert flags["q6"] == flags["q7"] == "hopeless"
    assert "hardest" in flags["q5"]
    assert "hardest" in flags["q4"]
    assert "hardest" not in flags["q1"]


def test_discrimination_by_hand(run):
    table = questions(run(guttman, SPACE, units=8)).set_index("question")
    item = np.array([0, 0, 0, 1, 1, 1])  # question 3
    rest = np.array([0, 1, 2, 2, 3, 4])  # right answers of 1, 2, 4 and 5
    expected = np.corrcoef(item, rest)[0, 1]
    assert table.discrimination["q3"] == pytest.approx(expected)
    assert np.isnan(table.discrimination[["q0", "q6", "q7"]]).all()
    best = table.discrimination.idxmax()
    assert "most discriminating" in table.remark[best]


def test_a_question_that_favours_bad_trials_is_below_zero(run):
    def function(params, question):
        up = params["x"] / 5
        return 1 - up if question == 3 else up

    table = questions(run(function, SPACE, units=6)).set_index("question")
    assert table.discrimination["q3"] == pytest.approx(-1)
    assert table.discrimination["q0"] == pytest.approx(1)


def test_less_may_be_better(run):
    def function(params, question):
        return [0.0, 1.0, params["x"] / 5, params["x"] / 10][question]

    table = questions(run(function, SPACE, units=4, maximise=False)).set_index("question")
    assert table.remark["q0"] == "saturated"
    assert table.remark["q1"] == "hopeless"
    assert "hardest" in table.remark["q2"]


def test_scores_outside_0_and_1_are_read_between_worst_and_best(run):
    table = questions(run(lambda p, q: [5.0, 1.0, 3.0, 1.0 + p["x"] * 0.8][q], SPACE, units=4))
    assert list(table.remark[:3]) == ["saturated", "hopeless", "no difference"]


def test_a_metric_that_does_not_apply(run):
    def function(params, question):
        return {"other": 1.0} if question == 2 else {"score": params["x"] / 5, "other": 1.0}

    found = run(function, SPACE, units=4, metric="score")
    table = questions(found).set_index("question")
    assert table.remark["q2"] == "never defined"
    assert np.isnan(table["mean"]["q2"])
    assert table.answered["q2"] == 0


def test_groups_are_named(run):
    documents = {f"q{n}": f"d{n // 2}" for n in range(24)}
    found = run(lambda p, q: 0.5, {"x": [1, 2]}, units=24, documents=documents)
    table = questions(found)
    assert list(table.group) == [documents[unit] for unit in table.question]


def test_early_stopped_trials_count_where_they_answered():
    found = raytuner.run(study(Questions(faults={2: "raise"})), in_memory=True)
    table = questions(found)
    assert list(table.answered) == [12, 12, 9, 9, 9, 9]
    assert set(table.trials) == {9}


def test_nothing_scored():
    nothing = raytuner.run(study(Questions(pause=1), budget={"seconds": 1e-9}), in_memory=True)
    nothing.metric = None
    with pytest.raises(ConfigError, match="nothing has been scored"):
        questions(nothing)


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (6, 5), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_discrimination_is_the_corrected_item_total_correlation(values):
    told = discrimination(values)
    for column in range(values.shape[1]):
        rest = np.delete(values, column, axis=1).mean(axis=1)
        item = values[:, column]
        if item.std() < 1e-9 or rest.std() < 1e-9:
            assert np.isnan(told[column])
        else:
            assert told[column] == pytest.approx(np.corrcoef(item, rest)[0, 1], abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (7, 4), elements=st.floats(0, 1, width=16)), st.permutations(range(4)))
def test_discrimination_does_not_depend_on_order(values, order):
    np.testing.assert_allclose(
        discrimination(values)[list(order)], discrimination(values[:, list(order)]), atol=1e-7
    )
