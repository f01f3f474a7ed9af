"""The drop-in tuners when something fails, is cancelled or interrupted: the rest stands."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from raytuner.budget import Budget
from raytuner.compat.param_tuner import AsyncParamTuner, ParamTuner
from raytuner.component import RaytunerError
from tests.raytuner.param_probes import (
    GRID,
    Counting,
    scores,
)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_is_no_number_never_wins(bad: float, position: int) -> None:
    values = [1.0, 5.0]
    values.insert(position, bad)
    tuner = ParamTuner(param_fn=lambda p: values[p["k"]], param_dict={"k": [0, 1, 2]})
    result = tuner.tune()
    assert scores(result) == [5.0, 1.0]
    assert [run.params for run in result.failed] == [{"k": position}]
    assert repr(bad) in result.failed[0].message


@pytest.mark.parametrize("given", [None, "0.5", {"recall": 1.0}, [1.0], {"score": None}, 1j])
def test_what_is_no_score_is_a_failure(given: Any) -> None:
    result = ParamTuner(param_fn=lambda p: given, param_dict={"k": [1]}).tune()
    assert not result.run_results
    assert "expected a RunResult, a number, or a dict" in result.failed[0].message


@pytest.mark.parametrize("kind", ["sync", "threads", "async"])
def test_a_failing_combination_leaves_the_others(kind: str) -> None:
    calls = Counting(failing=[256])
    if kind == "async":
        result = AsyncParamTuner(aparam_fn=calls.later, param_dict=GRID, num_workers=2).tune()
    else:
        workers = 1 if kind == "sync" else 2
        result = ParamTuner(param_fn=calls, param_dict=GRID, num_workers=workers).tune()
    assert len(calls.calls) == 6
    assert scores(result) == [1024, 512, 256, 128]
    assert [run.params for run in result.failed] == [{"size": 256, "k": 1}, {"size": 256, "k": 2}]
    assert result.failed[0].message == "RuntimeError: no memory for this one"


def test_if_all_fail_the_best_one_says_why() -> None:
    result = ParamTuner(param_fn=Counting(failing=[128]), param_dict={"size": [128]}).tune()
    with pytest.raises(RaytunerError, match=r"none of 1 combinations .* no memory for this one"):
        _ = result.best_run_result


def test_failed_ones_are_tried_again_and_nothing_else() -> None:
    calls = Counting(failing=[256])
    tuner = ParamTuner(param_fn=calls, param_dict=GRID)
    tuner.tune()
    calls.failing = []
    calls.calls.clear()
    result = tuner.tune()
    assert calls.calls == [{"size": 256, "k": 1}, {"size": 256, "k": 2}]
    assert scores(result) == [1024, 512, 512, 256, 256, 128]
    assert not result.failed


async def test_cancelling_leaves_nothing_running_and_loses_nothing() -> None:
    done: list[int] = []
    alive = 0

    async def call(params: dict[str, Any]) -> float:
        nonlocal alive
        alive += 1
        try:
            await asyncio.sleep(0.01 if params["k"] < 4 else 60)
        finally:
            alive -= 1
        done.append(params["k"])
        return 1.0

    tuner = AsyncParamTuner(aparam_fn=call, param_dict={"k": range(8)}, num_workers=2)
    task = asyncio.create_task(tuner.atune())
    async with asyncio.timeout(20):
        while len(done) < 4 or alive < 2:
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive == 0
    await asyncio.sleep(0.05)
    assert (done, alive) == ([0, 1, 2, 3], 0)
    resumed = asyncio.create_task(tuner.atune())
    await asyncio.sleep(0.1)
    resumed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resumed
    assert done == [0, 1, 2, 3]  # known ones were not called again


async def test_cancelling_a_sync_tuner_ends_after_the_call_it_is_in() -> None:
    calls: list[int] = []
    begun = threading.Event()

    def call(params: dict[str, Any]) -> float:
        calls.append(params["k"])
        begun.set()
        time.sleep(0.1)
        return 0.0

    tuner = ParamTuner(param_fn=call, param_dict={"k": range(50)})
    task = asyncio.create_task(tuner.atune())
    assert await asyncio.to_thread(begun.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == [0]
    await asyncio.sleep(0.15)
    assert calls == [0]
    tuner.budget = Budget(trials=1)
    assert scores(tuner.tune()) == [0]
    assert calls == [0]


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_is_done(workers: int) -> None:
    calls = Counting(failing=[512], error=KeyboardInterrupt())
    grid = {"size": [128, 512, 256], "k": [1]}
    tuner = ParamTuner(param_fn=calls, param_dict=grid, num_workers=workers)
    with pytest.raises(KeyboardInterrupt):
        tuner.tune()
    known = {params["size"] for params in calls.calls} - {512}
    assert 128 in known or workers == 2
    calls.failing = []
    calls.calls.clear()
    assert scores(tuner.tune()) == [512, 256, 128]
    assert {params["size"] for params in calls.calls} == {128, 256, 512} - known


def test_a_tuner_runs_once_at_a_time() -> None:
    tuner: ParamTuner

    def call(params: dict[str, Any]) -> int:
        return len(scores(tuner.tune()))

    tuner = ParamTuner(param_fn=call, param_dict={"k": [1]})
    result = tuner.tune()
    assert "running already" in result.failed[0].message
