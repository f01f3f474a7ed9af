"""Workflows, dialogues, agents and trainings on a real Ray: the same as in one process."""

import shutil
import sys
from pathlib import Path

import pytest

import raytuner
from raytuner.component import digest
from raytuner.journal import read
from raytuner.schedule import HISTORY
from raytuner.study import load_study
from tests.endpoint.server import started
from tests.raytuner.backends.local_ray import local_ray

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = {
    "agent": {"search": "random", "budget": {"trials": 3, "usd": 1}},
    "chatbot": {},
    "workflow": {"budget": {"trials": 4}},
}
TRAINING = """\
name: training
objective:
  kind: training_probes:train
  steps: 12
  config: {rate: 0.5, decay: 0.01}
space:
  rate: {float: [0.001, 3.0], log: true}
  decay: {float: [0.00001, 1.0], log: true}
metric: fit
search: {kind: pbt, population: 4}
scheduler: {kind: pbt, population: 4, interval: 3}
budget: {trials: 10}
"""


@pytest.fixture(scope="module")
def remote():
    """An endpoint, and a Ray whose workers know it."""
    with pytest.MonkeyPatch.context() as environment, started() as remote:
        environment.setenv("OPENAI_API_KEY", remote.key)
        environment.setenv("OPENAI_BASE_URL", remote.url)
        with local_ray():
            yield remote


@pytest.fixture
def both(tmp_path, monkeypatch, remote):
    """Run a study in this process and on Ray, each with a cache of its own; count calls."""

    def run(folder, **changes):
        monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
        found = []
        for backend in ({"backend": "threads"}, {"backend": "ray", "address": "local"}):
            name = backend["backend"]
            monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / name / "cache"))
            study = load_study(
                folder / "study.yaml",
                {**changes, **backend, "workers": 2, "run_dir": str(tmp_path / name)},
            )
            before = remote.stats()["calls"]
            results = raytuner.run(study, folder)
            results.calls = remote.stats()["calls"] - before
            assert not results.failed
            found.append(results)
        return found

    return run


def scored(results):
    """Every score of every question, the held-out ones among them, by what was tried."""
    events, _ = read(results.folder / "journal.jsonl")
    params = {e["key"]: digest(e["params"]) for e in events if e["event"] == "trial"}
    rows = [(e["key"], row) for e in events if e["event"] == "units" for row in e["rows"]]
    found = {(params[key], row[0]): row[1] for key, row in rows}
    assert len(found) == len(rows), "nothing is scored twice"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_examples_score_the_same(tmp_path, both, remote, name):
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder)
    here, there = both(folder, **SMALL[name])
    assert scored(there) == scored(here)
    assert len(scored(there)) > 60
    assert there.verdict.status == here.verdict.status
    journal = (there.folder / "journal.jsonl").read_text()
    assert remote.key not in journal
    assert there.calls == here.calls > 0


@pytest.mark.slow
def test_a_population_is_the_same(tmp_path, both):
    folder = tmp_path / "training"
    folder.mkdir()
    (folder / "study.yaml").write_text(TRAINING)
    shutil.copy(EXAMPLES.parent / "tests/raytuner/own/training_probes.py", folder)
    here, there = both(folder)
    assert scored(there) == scored(here)
    told = [[(t.params, t.status, t.origin) for t in r.record.current] for r in (here, there)]
    assert told[0] == told[1]
    assert any(HISTORY in trial.params for trial in there.record.current)
