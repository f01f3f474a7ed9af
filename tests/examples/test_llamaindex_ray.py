"""The tutorial on Ray gives what a plain loop gives, and pays for each question once."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_the_tutorial_on_ray_gives_what_a_loop_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.syspath_prepend(EXAMPLES)
    import llamaindex_ray
    import llamaindex_tutorial

    results = llamaindex_ray.main(address="local", num_workers=2)
    fixed = {**llamaindex_tutorial.load_data(), "folder": tmp_path}
    assert results.run_results
    for run in results.run_results:
        looped = llamaindex_tutorial.objective_function(
            {**fixed, "chunk_size": run.params["chunk_size"], "top_k": run.params["top_k"]}
        )
        assert run.score == pytest.approx(looped.score, abs=1e-6)
    stopped = [run for run in results.failed if run.kind == "pruned"]
    assert len(results.run_results) + len(stopped) == 9
    assert stopped
