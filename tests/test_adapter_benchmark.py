"""benchmarks/adapter.py: an adapter that is really better, on questions it has not seen."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("adapter_benchmark", FOLDER / "adapter.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.needs_shared
def test_new_questions_on_the_same_articles_are_answered_better(bench, tmp_path, monkeypatch):
    if not (bench.DATA / "squad-en").exists():
        pytest.skip("no shared/data/squad-en beside the repository")
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path))
    row = bench.measure(("squad-en", "lsa", "question"), bench.DATA, trials=5, epochs=8)
    assert row.parts == (476, 238, 476)
    assert row.status == "PROVEN"
    gain, low, _ = row.gain
    assert gain > 0.03
    assert low > 0.0
    line = bench.table([row]).splitlines()[-1]
    assert line.startswith("| squad-en | lsa | question | 476 / 238 / 476 | 0.7")
    assert line.endswith("| PROVEN |")
