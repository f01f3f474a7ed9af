"""Plain callables as objectives: how they may be written, and what they may give."""

import asyncio
import functools
import math
from types import SimpleNamespace

import numpy as np
import pytest

import raytuner
from raytuner.objective import Tally
from raytuner.own.function import UNIT, FunctionObjective
from tests.raytuner.function_probes import Scorer, call
from tests.raytuner.probes import study


@pytest.mark.parametrize(
    ("given", "scores", "notes"),
    [
        (0.5, {"score": 0.5}, None),
        (1, {"score": 1}, None),
        (True, {"score": 1}, None),
        (np.float32(0.5), {"score": 0.5}, None),
        ({"hit": 0.5, "mrr": 0.25, "answer": "x"}, {"hit": 0.5, "mrr": 0.25}, {"answer": "x"}),
        (SimpleNamespace(score=0.5, metadata={"n": 1}), {"score": 0.5}, {"n": 1}),
        (SimpleNamespace(score=0.5, metadata=None), {"score": 0.5}, None),
        (SimpleNamespace(score=0.5), {"score": 0.5}, None),
    ],
)
def test_what_a_function_may_give(given, scores, notes):
    score = call(lambda p: given)
    assert score.scores == scores
    assert (score.notes or None) == notes
    assert score.failure is None


@pytest.mark.parametrize(
    "given", [None, "0.5", {}, {"answer": "x"}, [], [0.5], object(), {"score": None}, 1j,
              SimpleNamespace(score=None)],
)  # fmt: skip
def test_what_is_no_score_is_a_failure(given):
    score = call(lambda p: given)
    assert score.scores == {}
    assert score.failure.kind == "objective"
    assert "a score is a finite number" in score.failure.message


@pytest.mark.parametrize("given", [math.nan, math.inf, {"hit": 1.0, "mrr": math.nan}, 10**400])
def test_what_is_not_finite_is_a_failed_trial(given):
    results = raytuner.run(study(lambda p: given), in_memory=True)
    assert results.best is None
    assert {trial.failure.kind for trial in results.record.current} == {"objective"}


def test_arguments_and_metric_name():
    seen = []

    def function(params):
        seen.append(params)
        return 1

    score = call(function, {"x": 2}, fixed={"x": 1, "k": [3]}, metric="loss")
    assert seen == [{"x": 2, "k": [3]}]
    assert score.scores == {"loss": 1}


class AsyncScorer:
    async def __call__(self, params):
        await asyncio.sleep(0)
        return params["x"]


async def add(k, params):
    await asyncio.sleep(0)
    return params["x"] + k


CALLABLES = {
    "object": (Scorer(3), 6), "method": (Scorer(3).later, 6), "async object": (AsyncScorer(), 2),
    "partial": (functools.partial(add, 5), 7), "static": (Scorer.free, 7),
    "awaitable": (lambda params: add(1, params), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLABLES)
async def test_callables_of_all_kinds_sync_and_async(name):
    function, value = CALLABLES[name]
    assert call(function).scores == {"score": value}  # inside this test's running loop
    objective = FunctionObjective(function)
    batches = [b async for b in objective.aevaluate({"x": 2}, (UNIT,), Tally())]
    assert batches[0][0].scores == {"score": value}


def test_exceptions_of_async_functions_surface():
    async def function(params):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        call(function)


def test_live_results_are_kept_only_where_wanted():
    objective = FunctionObjective(lambda p: {"score": 1, "big": object()})
    list(objective.evaluate({"x": 1}, (UNIT,), Tally()))
    assert objective.results == {}
    kept = objective.results = {}
    list(objective.evaluate({"x": 1}, (UNIT,), Tally()))
    assert list(kept) == [objective.key({"x": 1})]
    assert isinstance(kept[objective.key({"x": 1})]["big"], object)
