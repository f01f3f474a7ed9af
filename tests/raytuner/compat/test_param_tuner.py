"""The drop-in tuners: LlamaIndex's behaviour, whatever the values are."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raytuner.budget import Budget
from raytuner.compat import param_tuner as module
from raytuner.compat.param_tuner import AsyncParamTuner, ParamTuner, RunResult
from raytuner.component import ConfigError
from tests.raytuner.param_probes import (
    GRID,
    Counting,
    Theirs,
    Uncopied,
    aproduct,
    product,
    python,
    scores,
)


@pytest.mark.parametrize("workers", [1, 3])
def test_tries_all_and_sorts_by_score(workers: int) -> None:
    tuner = ParamTuner(
        param_fn=product, param_dict=GRID, fixed_param_dict={"docs": ["a"]}, num_workers=workers
    )
    result = tuner.tune()
    assert scores(result) == [1024, 512, 512, 256, 256, 128]
    assert result.best_idx == 0
    assert result.best_run_result.params == {"docs": ["a"], "size": 512, "k": 2}
    assert not result.failed


def test_equal_scores_keep_the_order_of_llama_index() -> None:
    result = ParamTuner(param_fn=lambda p: RunResult(score=1, params=p), param_dict=GRID).tune()
    order = [(run.params["size"], run.params["k"]) for run in result.run_results]
    assert order == [(128, 1), (256, 1), (512, 1), (128, 2), (256, 2), (512, 2)]


async def test_async_in_a_running_loop() -> None:
    tuner = AsyncParamTuner(aparam_fn=aproduct, param_dict=GRID, num_workers=4)
    assert scores(await tuner.atune()) == [1024, 512, 512, 256, 256, 128]


async def test_sync_calls_work_inside_a_running_loop() -> None:
    expected = [1024, 512, 512, 256, 256, 128]
    assert scores(AsyncParamTuner(aparam_fn=aproduct, param_dict=GRID).tune()) == expected
    assert scores(ParamTuner(param_fn=product, param_dict=GRID).tune()) == expected
    assert scores(await ParamTuner(param_fn=product, param_dict=GRID).atune()) == expected


def test_async_from_sync_code() -> None:
    tuner = AsyncParamTuner(aparam_fn=aproduct, param_dict=GRID)
    assert scores(tuner.tune()) == [1024, 512, 512, 256, 256, 128]


def test_results_of_llama_indexs_own_class_are_taken() -> None:
    index = Uncopied()

    def call(params: dict[str, Any]) -> Theirs:
        return Theirs(np.float32(params["k"]), {**params, "more": 1}, {"index": index, "n": 3})

    best = ParamTuner(param_fn=call, param_dict={"k": [1, 2]}).tune().best_run_result
    assert (best.score, best.params) == (2.0, {"k": 2, "more": 1})
    assert best.metadata["index"] is index


@pytest.mark.parametrize(
    ("given", "metadata"),
    [(2, {}), (2.0, {}), (True, {}), (np.float64(1.5), {}), (np.array(3), {}),
     ({"score": 1, "recall": 0.5, "loss": float("nan")}, {"recall": 0.5}),
     ({"score": 1, "note": "x"}, {"note": "x"})],
)  # fmt: skip
def test_numbers_and_dicts_are_results_too(given: Any, metadata: dict[str, Any]) -> None:
    tuner = ParamTuner(param_fn=lambda params: given, param_dict={"k": [1]})
    best = tuner.tune().best_run_result
    score = given["score"] if isinstance(given, dict) else given
    assert best.score == float(score)
    assert metadata.items() <= best.metadata.items()


def test_a_subclass_of_run_result_comes_back_itself() -> None:
    class Rich(RunResult):
        answers: list[str]

    tuner = ParamTuner(
        param_fn=lambda p: Rich(score=1, params=p, answers=["yes"]), param_dict={"k": [1]}
    )
    assert tuner.tune().best_run_result.answers == ["yes"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_at_most_num_workers_at_a_time(kind: str) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def enter(change: int) -> None:
        nonlocal running, most
        with lock:
            running += change
            most = max(most, running)

    def call(params: dict[str, Any]) -> float:
        enter(1)
        time.sleep(0.01)
        enter(-1)
        return 1.0

    async def acall(params: dict[str, Any]) -> float:
        enter(1)
        await asyncio.sleep(0.01)
        enter(-1)
        return 1.0

    if kind == "sync":
        ParamTuner(param_fn=call, param_dict={"k": range(9)}, num_workers=3).tune()
    else:
        AsyncParamTuner(aparam_fn=acall, param_dict={"k": range(9)}, num_workers=3).tune()
    assert most == 3


def test_works_under_nest_asyncio(tmp_path: Path) -> None:
    program = """
        import asyncio, nest_asyncio
        nest_asyncio.apply()
        from raytuner.compat.param_tuner import AsyncParamTuner, ParamTuner

        async def acall(params):
            await asyncio.sleep(0.001)
            return params["k"]

        async def cell():
            grid = {"k": [1, 3, 2]}
            one = AsyncParamTuner(aparam_fn=acall, param_dict=grid)
            two = AsyncParamTuner(aparam_fn=acall, param_dict=grid)
            three = ParamTuner(param_fn=lambda p: p["k"], param_dict=grid)
            return [(await one.atune()), two.tune(), three.tune(), await three.atune()]

        for result in asyncio.run(cell()):
            print([run.score for run in result.run_results])
    """
    assert python(program) == "[3.0, 2.0, 1.0]\n" * 4


def test_big_objects_are_never_copied() -> None:
    index, models = Uncopied(), [Uncopied(), Uncopied()]
    seen = []

    def call(params: dict[str, Any]) -> RunResult:
        seen.append((params["index"], params["model"]))
        return RunResult(score=models.index(params["model"]), params=params)

    tuner = ParamTuner(
        param_fn=call, param_dict={"model": models}, fixed_param_dict={"index": index}
    )
    result = tuner.tune()
    assert all(a is index and b is m for (a, b), m in zip(seen, models, strict=True))
    assert result.best_run_result.params["model"] is models[1]
    assert result.best_run_result.params["index"] is index


def test_the_function_gets_the_very_values() -> None:
    values = [True, 1, 1.0, None, "1", [1, 2], {"a": None}, "", "None"]
    got: list[Any] = []

    def call(params: dict[str, Any]) -> int:
        got.append(params["x"])
        return 0

    result = ParamTuner(param_fn=call, param_dict={"x": values}).tune()
    assert all(a is b for a, b in zip(got, values, strict=True))
    assert [repr(run.params["x"]) for run in result.run_results] == [repr(v) for v in values]


def test_a_generator_of_values_serves_every_call() -> None:
    calls = Counting()
    tuner = ParamTuner(param_fn=calls, param_dict={"size": (s for s in (1, 2)), "k": [1]})
    assert scores(tuner.tune()) == scores(tuner.tune()) == [2, 1]


def test_279_936_combinations_start_at_once_and_stop_by_budget() -> None:
    calls = Counting()
    grid = {"size": range(6), "k": range(6), **{name: range(6) for name in "abcde"}}
    started = time.perf_counter()
    tuner = ParamTuner(param_fn=calls, param_dict=grid, budget={"trials": 3})
    result = tuner.tune()
    assert time.perf_counter() - started < 1.0
    assert len(calls.calls) == len(result.run_results) == 3
    assert result.stop_reason == "the budget of 3 trials is used"
    tuner.budget = Budget(trials=5)
    assert len(tuner.tune().run_results) == len(calls.calls) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"param_dict": {"k": [1]}}, "param_fn: Field required"),
        ({"param_fn": 3, "param_dict": {"k": [1]}}, "param_fn: Input should be callable, got 3"),
        ({"param_fn": product, "param_dict": [1]}, "param_dict: Input should be a valid dict"),
        ({"param_fn": product, "param_dict": {"k": 5}}, r"param_dict\['k'\]: expected a list .* 5"),
        ({"param_fn": product, "param_dict": {"k": "ab"}}, "expected a list of values"),
        ({"param_fn": product, "param_dict": {"k": []}}, "the list of values is empty"),
        ({"param_fn": product, "param_dict": {}, "num_workers": 0}, "num_workers: .*, got 0"),
        ({"param_fn": product, "param_dict": {}, "workers": 2}, "workers: no such field"),
        ({"param_fn": product, "param_dict": {}, "budget": {"trials": 0}}, "budget.trials: "),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ParamTuner(**arguments)


def test_async_tuner_needs_its_own_function() -> None:
    with pytest.raises(ConfigError, match="aparam_fn: Field required"):
        AsyncParamTuner(param_dict={"k": [1]})  # type: ignore[call-arg]
    result = AsyncParamTuner(aparam_fn=product, param_dict=GRID).tune()  # a sync one will do too
    assert len(result.run_results) == 6


def test_importing_costs_no_ray_and_no_llama_index() -> None:
    program = """
        import sys
        import raytuner.compat.param_tuner
        print([name for name in ("ray", "llama_index", "pandas") if name in sys.modules])
    """
    assert python(program) == "[]\n"
    assert module.__all__
