"""LlamaIndex's tutorial on Ray: the same function, in as many processes as there are cores.

Beside the import, whoever has a script for `llama_index.experimental.param_tuner` may name the
fixed parameters that hold one entry per question. Then a scheduler can stop a configuration after
some of them, and one that goes on pays for the others only. Data and model are those of
`llamaindex_tutorial.py`, so this needs no key and no network.

    python examples/llamaindex_ray.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from llamaindex_tutorial import load_data, objective_function, show

from raytuner import RayTuneParamTuner, RunResult, TunedResult


def on_a_worker(params: dict[str, Any]) -> RunResult:
    """Score one combination; every worker keeps the indexes that it has built."""
    folder = params["folder"] / str(os.getpid())
    result: RunResult = objective_function({**params, "folder": folder})
    return result


def main(**arguments: Any) -> TunedResult:
    """Tune on Ray; `arguments` replace those of the tuner."""
    with tempfile.TemporaryDirectory() as folder:
        given: dict[str, Any] = {
            "param_dict": {"chunk_size": [64, 128, 256], "top_k": [1, 2, 4]},
            "fixed_param_dict": {**load_data(), "folder": Path(folder)},
            "scheduler": {"kind": "halving", "grace": 4, "reduction": 3},
            "questions": ("eval_qs", "ref_response_strs"),
            "show_progress": True,
        }
        results = RayTuneParamTuner(param_fn=on_a_worker, **{**given, **arguments}).tune()
        show("RayTuneParamTuner", results)
        for run in results.failed:
            print(run.params["chunk_size"], run.params["top_k"], run.message)
        return results


if __name__ == "__main__":
    main()
