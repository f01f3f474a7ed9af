"""The drop-in tuners: LlamaIndex's behaviour, without its defects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raytuner import param_tuner as module
from raytuner.budget import Budget
from raytuner.component import ConfigError, RaytunerError
from raytuner.param_tuner import AsyncParamTuner, ParamTuner, RunResult, TunedResult
from raytuner.results import Results

GRID = {"size": [128, 256, 512], "k": [1, 2]}


def product(params: dict[str, Any]) -> RunResult:
    return RunResult(score=params["size"] * params["k"], params=params)


async def aproduct(params: dict[str, Any]) -> RunResult:
    await asyncio.sleep(0)
    return product(params)


def scores(result: TunedResult) -> list[float]:
    return [run.score for run in result.run_results]


class Theirs:
    """What LlamaIndex's own RunResult looks like from outside."""

    def __init__(self, score: Any, params: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.score, self.params, self.metadata = score, params, metadata


class Uncopied:
    """Stands for a big index."""

    def __copy__(self) -> Uncopied:
        raise AssertionError("copied")

    def __deepcopy__(self, memo: object) -> Uncopied:
        raise AssertionError("copied")

    def __reduce__(self) -> str:
        raise AssertionError("pickled")


class Counting:
    """An objective that notes its calls; some parameters fail."""

    def __init__(self, failing: Any = (), error: BaseException | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self.failing = failing
        self.error = error or RuntimeError("no memory for this one")

    def __call__(self, params: dict[str, Any]) -> RunResult:
        self.calls.append(params)
        if params["size"] in self.failing:
            raise self.error
        return product(params)

    async def later(self, params: dict[str, Any]) -> RunResult:
        await asyncio.sleep(0.001)
        return self(params)


# ---- as in LlamaIndex


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
        from raytuner.param_tuner import AsyncParamTuner, ParamTuner

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


# ---- failures


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


# ---- interruption


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


# ---- resuming in memory


def test_growing_the_grid_calls_only_what_is_new() -> None:
    calls = Counting()
    tuner = ParamTuner(param_fn=calls, param_dict={"size": [128], "k": [1]})
    tuner.tune()
    tuner.param_dict["size"].append(256)
    assert scores(tuner.tune()) == [256, 128]
    assert len(calls.calls) == 2


def test_a_narrowed_grid_shows_only_its_own_results() -> None:
    calls = Counting()
    tuner = ParamTuner(param_fn=calls, param_dict={"size": [128, 256], "k": [1]})
    tuner.tune()
    tuner.param_dict = {"size": [128], "k": [1]}
    assert scores(tuner.tune()) == [128]
    assert len(calls.calls) == 2


def test_other_fixed_objects_or_functions_void_results() -> None:
    tuner = ParamTuner(
        param_fn=lambda p: len(p["docs"].text),
        param_dict={"k": [1]},
        fixed_param_dict={"docs": Theirs(0, {}, {})},
    )
    tuner.fixed_param_dict["docs"].text = "abc"
    assert scores(tuner.tune()) == [3]
    other = Theirs(0, {}, {})
    other.text = "abcdef"  # type: ignore[attr-defined]
    tuner.fixed_param_dict["docs"] = other
    assert scores(tuner.tune()) == [6]
    tuner.param_fn = lambda p: -len(p["docs"].text)
    assert scores(tuner.tune()) == [-6]
    tuner.version = "2"
    other.text = "a"  # type: ignore[attr-defined]
    assert scores(tuner.tune()) == [-1]


# ---- values of any kind


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


# ---- the dataframe and progress


def test_dataframe_has_a_row_per_combination() -> None:
    tuner = ParamTuner(
        param_fn=Counting(failing=[256]),
        param_dict={"size": [128, 256, 512], "k": [1], "tools": [["a", "b"]]},
        fixed_param_dict={"index": Uncopied()},
    )
    table = tuner.tune().dataframe
    assert list(table.columns) == ["size", "k", "tools", "score", "failure"]
    assert list(table["size"]) == [512, 128, 256]
    assert list(table["score"][:2]) == [512, 128]
    assert table["score"].isna().tolist() == [False, False, True]
    assert table["failure"][2] == "objective: RuntimeError: no memory for this one"
    assert list(table["tools"]) == ["['a', 'b']"] * 3


def test_a_result_made_by_hand_has_a_dataframe_too() -> None:
    made = TunedResult(run_results=[RunResult(score=1, params={"a": "<b>"})], best_idx=0)
    assert made.dataframe.to_dict("records") == [{"a": "<b>", "score": 1.0, "failure": None}]
    assert "&lt;b&gt;" in made._repr_html_()


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    ParamTuner(param_fn=product, param_dict=GRID, show_progress=True).tune()
    assert "6/6 trials, best score 1024.0000 (size=512, k=2)" in capsys.readouterr().err
    ParamTuner(param_fn=product, param_dict=GRID).tune()
    assert capsys.readouterr().err == ""


# ---- wrong arguments


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


# ---- run_dir


def test_run_dir_resumes_with_a_new_tuner(tmp_path: Path) -> None:
    calls = Counting(failing=[256])
    arguments: dict[str, Any] = {
        "param_dict": {"size": [128, 256, None, 1.5], "k": [1, 2]},
        "fixed_param_dict": {"docs": ["a", {"b": b"c"}], "path": tmp_path},
        "run_dir": tmp_path / "run",
    }

    def call(params: dict[str, Any]) -> Theirs:
        found = calls({**params, "size": params["size"] or 3})
        return Theirs(found.score, params, {"note": 1, "index": Uncopied()})

    ParamTuner(param_fn=call, **arguments).tune()
    calls.calls.clear()
    calls.failing = []
    again = ParamTuner(param_fn=call, **arguments).tune()
    assert [params["size"] for params in calls.calls] == [256, 256]
    assert scores(again) == [512, 256, 256, 128, 6, 3, 3, 1.5]
    assert again.run_results[3].params == {**arguments["fixed_param_dict"], "size": 128, "k": 1}
    assert again.run_results[3].metadata == {"note": 1}  # what JSON can hold


def test_run_dir_holds_an_ordinary_run(tmp_path: Path) -> None:
    ParamTuner(param_fn=product, param_dict=GRID, run_dir=tmp_path).tune()
    best = Results.open(tmp_path).trials.to_dict("records")[0]
    assert [best[name] for name in ("size", "k", "score")] == [512, 2, 1024]


@pytest.mark.parametrize("place", ["param_dict", "fixed_param_dict"])
def test_run_dir_refuses_objects_it_cannot_recognise(tmp_path: Path, place: str) -> None:
    grids: Any = {"param_dict": {"size": [1], "k": [1]}, "fixed_param_dict": {}}
    grids[place]["index"] = [1, Uncopied()]
    message = rf"{place}\['index'\] holds a Uncopied, .* give plain values .* or set `version`"
    with pytest.raises(ConfigError, match=message):
        ParamTuner(param_fn=lambda p: 1, run_dir=tmp_path, **grids)
    calls = Counting()
    for version in ("1", "1", "2"):
        tuner = ParamTuner(param_fn=calls, run_dir=tmp_path, version=version, **grids)
        tuner.tune()
    assert len(calls.calls) == 2 * (2 if place == "param_dict" else 1)


def test_changed_plain_values_void_recorded_results(tmp_path: Path) -> None:
    def call(params: dict[str, Any]) -> int:
        return len(params["docs"])

    for docs in (["a"], ["a", "b"]):
        tuner = ParamTuner(
            param_fn=call, param_dict={"k": [1]}, fixed_param_dict={"docs": docs}, run_dir=tmp_path
        )
        assert scores(tuner.tune()) == [len(docs)]


def test_run_dir_in_use_is_refused(tmp_path: Path) -> None:
    def inner(params: dict[str, Any]) -> float:
        return ParamTuner(param_fn=product, param_dict=GRID, run_dir=tmp_path).tune().best_idx

    result = ParamTuner(param_fn=inner, param_dict={"k": [1]}, run_dir=tmp_path).tune()
    assert "is in use by process" in result.failed[0].message


def test_run_dir_survives_kill_9(tmp_path: Path) -> None:
    program = f"""
        import os, signal, sys
        from pathlib import Path
        from raytuner.param_tuner import ParamTuner, RunResult

        calls = Path({str(tmp_path / "calls")!r})

        def objective(params):
            with calls.open("a") as file:
                file.write(f"{{params['size']}} {{params['k']}}\\n")
            if params == {{"size": 512, "k": 1, "docs": ["x"]}} and sys.argv[1] == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            return RunResult(score=params["size"] / params["k"], params=params, metadata={{"n": 1}})

        tuner = ParamTuner(
            param_fn=objective,
            param_dict={{"size": [128, 256, 512], "k": [1, 2]}},
            fixed_param_dict={{"docs": ["x"]}},
            run_dir={str(tmp_path / "run")!r},
        )
        print([(run.score, run.params["size"], run.metadata) for run in tuner.tune().run_results])
    """
    with pytest.raises(subprocess.CalledProcessError) as killed:
        python(program, "die")
    assert killed.value.returncode == -9
    out = python(program, "live")
    assert out.startswith("[(512.0, 512, {'n': 1}), (256.0, 256, {'n': 1}), (256.0, 512,")
    called = (tmp_path / "calls").read_text().split("\n")[:-1]
    assert sorted(called) == sorted(
        ["128 1", "256 1", "512 1", "512 1", "128 2", "256 2", "512 2"]
    )  # only what was running when it died is called twice


def test_importing_costs_no_ray_and_no_llama_index() -> None:
    program = """
        import sys
        import raytuner.param_tuner
        print([name for name in ("ray", "llama_index", "pandas") if name in sys.modules])
    """
    assert python(program) == "[]\n"
    assert module.__all__


def python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
