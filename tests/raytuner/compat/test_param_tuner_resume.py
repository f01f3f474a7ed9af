"""The drop-in tuners called again: what has a result is not called, in memory and in `run_dir`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from raytuner.compat.param_tuner import ParamTuner
from raytuner.component import ConfigError
from raytuner.results import Results
from tests.raytuner.param_probes import (
    GRID,
    Counting,
    Theirs,
    Uncopied,
    product,
    python,
    scores,
)


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
        from raytuner.compat.param_tuner import ParamTuner, RunResult

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
