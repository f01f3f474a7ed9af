"""One function, many questions: what it is called with, and what counts for whom."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.compat.combinations import Combinations, Names
from raytuner.compat.question_calls import QuestionCalls
from raytuner.component import ConfigError
from raytuner.objective import Tally
from raytuner.own.function import UNIT


def made(function, fixed, questions=()):
    return QuestionCalls(function, fixed, Combinations({"k": [1]}, Names()), "s", questions)


def evaluated(calls, units):
    return [s for batch in calls.evaluate({"k": 1}, units, Tally()) for s in batch]


@given(st.integers(1, 40), st.data())
@settings(deadline=None, max_examples=50)
def test_rungs_add_up_to_the_mean_over_all(count, data):
    numbers = data.draw(st.lists(st.floats(-9, 9), min_size=count, max_size=count))
    cuts = sorted(data.draw(st.sets(st.integers(1, count), max_size=4)) | {count})
    got = []

    def function(params):
        got.extend(params["questions"])
        return float(np.mean(params["questions"]))

    calls = made(function, {"questions": numbers}, ["questions"])
    units = calls.units()
    scores = []
    for first, last in zip([0, *cuts], cuts, strict=False):
        scores += evaluated(calls, units[first:last])
    assert [score.unit for score in scores] == list(units)
    assert sorted(got) == sorted(numbers), "each question once"
    assert np.mean([s.scores["score"] for s in scores]) == pytest.approx(np.mean(numbers))
    assert calls.arguments({"k": 1})["questions"] is numbers, "nothing is cut for good"


def test_lists_of_every_kind_are_cut_alike():
    fixed = {
        "a": list("abcdef"), "b": tuple("abcdef"), "c": np.array(list("abcdef")),
        "d": pd.Series(list("abcdef"), index=range(6, 0, -1)), "e": list("abcdef"),
    }  # fmt: skip
    got = []
    calls = made(lambda params: got.append(params) or 1.0, fixed, ["a", "b", "c", "d"])
    evaluated(calls, calls.units()[:3])
    (params,) = got
    asked = sorted(int(unit[1:]) for unit in calls.units()[:3])
    wanted = ["abcdef"[position] for position in asked]
    assert params["a"] == wanted
    assert params["b"] == tuple(wanted)
    assert params["c"].tolist() == params["d"].tolist() == wanted
    assert params["e"] is fixed["e"], "it is not named"


def test_the_order_is_one_of_chance_and_always_the_same():
    fixed = {"a": list(range(50))}
    one, other = made(print, fixed, ["a"]).units(), made(len, {"a": [0] * 50}, ["a"]).units()
    assert one == other
    assert sorted(one) == sorted(f"q{position}" for position in range(50))
    assert list(one) != [f"q{position}" for position in range(50)]


def test_without_questions_it_is_one_call():
    calls = made(lambda params: params["a"], {"a": 3})
    (score,) = evaluated(calls, calls.units())
    assert (score.unit, score.scores) == (UNIT, {"score": 3})


def test_what_fails_fails_for_all_that_were_asked():
    calls = made(lambda params: float("nan"), {"a": [1, 2, 3]}, ["a"])
    scores = evaluated(calls, calls.units()[:2])
    assert [score.scores["score"] for score in scores] == [pytest.approx(np.nan, nan_ok=True)] * 2


def test_metadata_of_one_call_or_of_all():
    def function(params):
        return {"score": 1.0, "asked": len(params["a"])}

    calls = made(function, {"a": [1, 2, 3]}, ["a"])
    units = calls.units()
    notes = {s.unit: s.notes for s in evaluated(calls, units) if s.notes}
    whole = calls.metadata(notes)
    assert whole.pop("timestamp") > 1.7e9
    assert whole == {"asked": 3}
    halves = [*evaluated(calls, units[:1]), *evaluated(calls, units[1:])]
    told = calls.metadata({s.unit: s.notes for s in halves if s.notes})
    assert [call["asked"] for call in told["calls"]] == [1, 2]
    assert calls.metadata({}) == {}


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        (["x"], "questions: 'x' is not in fixed_param_dict, which has: a, b, c"),
        (["c"], r"fixed_param_dict\['c'\] is a dict; give a list with one entry per question"),
        (["a", "b"], "one entry per question, but a has 2, b has 0"),
        (["b"], "but b has 0"),
    ],
)
def test_what_is_no_list_of_questions_is_named(questions, message):
    with pytest.raises(ConfigError, match=message):
        made(print, {"a": [1, 2], "b": [], "c": {}}, questions)
