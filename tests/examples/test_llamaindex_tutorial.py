"""The tutorial runs offline, and both tuners give what a plain loop over the grid gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "llamaindex_tutorial.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("llamaindex_tutorial", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_tutorial_gives_what_a_loop_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tutorial = loaded()
    results, aresults = tutorial.main()
    assert "best chunk size" in capsys.readouterr().out

    fixed = {**tutorial.load_data(), "folder": tmp_path}
    looped = [
        tutorial.objective_function({**fixed, "chunk_size": size, "top_k": top_k})
        for top_k in (1, 2, 4)
        for size in (64, 128, 256)
    ]
    expected = sorted(looped, key=lambda run: run.score, reverse=True)
    for tuned in (results, aresults):
        assert [_told(run) for run in tuned.run_results] == [_told(run) for run in expected]
        assert not tuned.failed
    assert len({run.score for run in expected}) > 5  # the knobs do something


def test_results_hold_the_objects_they_were_given(tmp_path: Path) -> None:
    tutorial = loaded()
    data = tutorial.load_data()
    fixed = {
        "docs": data["docs"][:1],
        "eval_qs": data["eval_qs"][:2],
        "ref_response_strs": data["ref_response_strs"][:2],
        "folder": tmp_path,
    }
    tuner = tutorial.ParamTuner(
        param_fn=tutorial.objective_function,
        param_dict={"chunk_size": [256], "top_k": [1, 2]},
        fixed_param_dict=fixed,
    )
    results = tuner.tune()
    assert results.best_run_result.params["docs"][0] is fixed["docs"][0]  # not a copy
    assert [len(run.metadata["scores"]) for run in results.run_results] == [2, 2]


def _told(run: Any) -> tuple[float, int, int, list[float]]:
    return run.score, run.params["chunk_size"], run.params["top_k"], run.metadata["scores"]
