"""Goals: how a study writes them, what is refused, and what a trial is worth."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.goal import Goal, checked_metric
from raytuner.limits import Limit
from raytuner.objective import UNIT_USD, Objective, UnitScore
from raytuner.search.goals import Score
from raytuner.trial import Trial

UNITS = ("a", "b", "c")


class Measuring(Objective):
    """Reports three metrics; one of them is better the lower it is."""

    fact_names = ("index_mb",)

    def __init__(self, names=("recall", "f1", UNIT_USD)):
        self.names = names

    def units(self):
        return UNITS

    def key(self, params):
        return "k"

    def evaluate(self, params, units, meter):
        yield []

    def metrics(self):
        return self.names

    def maximise(self, metric):
        return metric != UNIT_USD


def goal(metric=None, limits=(), names=("recall", "f1", UNIT_USD), **more):
    return Goal.of(checked_metric(metric), limits, Measuring(names), **more)


def trial(*rows, of=None):
    made = Trial("k", {}, UNITS)
    scores = [UnitScore(unit, row) for unit, row in zip(UNITS, rows, strict=False)]
    scores = [of.derived(score) for score in scores] if of else scores
    made.record(scores, {unit: row for row, unit in enumerate(UNITS)})
    return made


# ---- how it is written


@pytest.mark.parametrize(
    ("metric", "name", "maximise"),
    [
        (None, "recall", True),
        ("f1", "f1", True),
        (UNIT_USD, UNIT_USD, False),
        ({"f1": 1}, "f1", True),
        ({"f1": 1, UNIT_USD: -20}, "f1 - 20 usd_per_question", True),
        ({UNIT_USD: -20, "f1": 0.5}, "-20 usd_per_question + 0.5 f1", True),
        (["f1", UNIT_USD], "f1", True),
        ([UNIT_USD, "f1"], UNIT_USD, False),
    ],
)
def test_trials_are_ranked_by_one_name(metric, name, maximise):
    made = goal(metric)
    assert (made.name, made.maximise) == (name, maximise)
    assert made.pareto == (isinstance(metric, list) and len(metric) > 1)


@pytest.mark.parametrize(
    ("metric", "limits", "words"),
    [
        ("recal", (), "metric: 'recal' is not measured; the objective reports: recall.*'recall'"),
        ({"recall": 1, "usd": -1}, (), "metric: 'usd' is not measured"),
        (["recall", "f2"], (), "metric: 'f2' is not measured"),
        (["recall", "recall"], (), "recall is listed twice"),
        ({}, (), "no weights are given"),
        ({"recall": 0}, (), "recall: 0 is no weight; give a number other than 0"),
        ({"recall": True}, (), "True is no weight"),
        ({"recall": math.inf}, (), "inf is no weight"),
        ({"recall": "much"}, (), "'much' is no weight"),
        ({"recall": 1, UNIT_USD: 20}, (), "better the lower it is; give it a weight below 0"),
        ([], (), "give a name, weights by name"),
        (3, (), "give a name, weights by name"),
        ("", (), "give a name, weights by name"),
        (None, ["usd_per_qestion <= 1"], "limits: 'usd_per_qestion' is not measured.*'usd_per_que"),
        (None, ["latency_p99 <= 1"], "limits may be set on: recall, f1, .*latency_p95, index_mb"),
        (None, ["recall"], "is no limit"),
    ],
)
def test_what_means_nothing_is_refused_in_one_sentence(metric, limits, words):
    with pytest.raises(ConfigError, match=words):
        goal(metric, limits)


def test_an_objective_that_cannot_tell_its_metrics_is_believed_until_it_has_run():
    made = goal({"speed": 2, "size": -1}, ["weight <= 3"], names=None)
    assert made.lacking(["speed", "size", made.name]) is None
    assert made.lacking(["speed", "size"]) == made.name  # no question has both
    assert made.lacking(["speed"]) == "size"
    assert goal(None, names=None).name is None


def test_a_budget_for_a_question_is_a_limit():
    limits = goal(None, ["latency_p95 <= 3"], usd_per_question=0.002).limits
    assert limits == (Limit("latency_p95", 3.0), Limit(UNIT_USD, 0.002, lenient=True))


@pytest.mark.parametrize("metric", ["f1", {"f1": 1, UNIT_USD: -20}, ["f1", UNIT_USD], None])
def test_it_is_the_same_from_the_journal(metric):
    made = goal(metric, ["index_mb <= 5", "recall >= 0.5"], usd_per_question=0.1)
    assert Goal.read(json.loads(json.dumps(made.plain()))) == made


# ---- what a trial is worth


def test_a_sum_is_made_question_by_question_where_all_parts_are_defined():
    of = goal({"f1": 1, UNIT_USD: -20})
    made = trial({"f1": 1.0, UNIT_USD: 0.01}, {"f1": 0.5, UNIT_USD: 0.02}, {"recall": 1.0}, of=of)
    np.testing.assert_allclose(made.values(of.name), [0.8, 0.1, np.nan])
    assert of.score(made) == pytest.approx(0.45)
    np.testing.assert_array_equal(of.values(made), made.values(of.name))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3),
    st.floats(-10, 10).filter(bool),
)
def test_the_mean_of_the_sums_is_the_sum_of_the_means(rows, weight):
    of = goal({"f1": weight, "recall": 1})
    made = trial(*({"f1": f1, "recall": recall} for f1, recall in rows), of=of)
    expected = weight * made.mean("f1") + made.mean("recall")
    assert of.score(made) == pytest.approx(expected, abs=1e-9)


def test_lower_is_better_where_the_objective_says_so():
    made = trial({UNIT_USD: 0.25}, {UNIT_USD: 0.5}, {UNIT_USD: 0.75})
    assert goal(UNIT_USD).score(made) == -0.5
    assert goal(UNIT_USD).values(made).tolist() == [-0.25, -0.5, -0.75]


def test_a_front_tells_every_goal_and_counts_as_the_first():
    made = trial(*[{"f1": 0.5, UNIT_USD: 0.25}] * 3)
    score = goal(["f1", UNIT_USD]).score(made)
    assert isinstance(score, Score)
    assert (score, score.parts) == (0.5, (0.5, -0.25))
    assert goal(["f1", "recall"]).score(made) is None


def test_a_trial_with_a_question_missing_is_worth_nothing_yet():
    of = goal({"f1": 1, "recall": 1})
    made = trial({"f1": 1.0, "recall": 1.0}, {"f1": 0.0, "recall": 0.0}, of=of)
    assert of.score(made) is None
    assert of.score(made, 2) == 1.0
    assert goal(["f1", "recall"]).score(made, 2).parts == (0.5, 0.5)
