"""Results of the drop-in tuners as a dataframe, and the progress before them."""

from __future__ import annotations

import pytest

from raytuner.compat.param_tuner import ParamTuner, RunResult, TunedResult
from tests.raytuner.param_probes import (
    GRID,
    Counting,
    Uncopied,
    product,
)


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
