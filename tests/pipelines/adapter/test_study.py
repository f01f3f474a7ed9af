"""Whole studies: trial 0, schedulers that know steps, a killed driver, the verdict."""

import os
import signal
import time

import pytest

from raytuner import Study, run
from raytuner.results import Results
from raytuner.schedule import changes

SEARCHES = {
    "pbt": ("{kind: pbt, population: 4, samples: 12}", "{kind: pbt, population: 4, interval: 2}"),
    "bohb": ("{kind: bohb, samples: 12}", "bohb"),
}
STUDY = """
version: 1
name: adapter
backend: inprocess
objective:
  kind: adapter
  documents: docs
  golden: golden.jsonl
  metrics: [ndcg@10, mrr]
  cache: cache
  epochs: 8
  split: {{train: 0.3, validate: 0.3, held_out: 0.4}}
  pipeline:
    chunker: {{kind: sentence, size: 24, overlap: 0}}
    embedder: {{kind: lsa, dimensions: 6}}
space:
  learning_rate: {{float: [1.0e-3, 1.0e-1], log: true}}
  batch_size: {{choice: [4, 16]}}
  regularisation: {{float: [1.0e-3, 1.0], log: true}}
metric: ndcg@10
search: {search}
scheduler: {scheduler}
"""


def write(handbook, search="random", scheduler="none"):
    path = handbook.root / "study.yaml"
    path.write_text(STUDY.format(search=search, scheduler=scheduler))
    return path


def trials(results):
    """Give what a run has found, without how long it took."""
    return [
        (
            trial.number, trial.key, trial.params, trial.origin, trial.status,
            results.score(trial), trial.table.tobytes(), trial.held.table.tobytes(),
        )
        for trial in results.record.current
    ]  # fmt: skip


def scored(journal):
    """Count the epochs that are on record."""
    return journal.read_text().count('"event":"units"') if journal.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
def test_a_killed_driver_resumes_to_the_same_trials(handbook, make_handbook, tmp_path, start, name):
    if name == "bohb":
        pytest.importorskip("ConfigSpace")
    search, scheduler = SEARCHES[name]
    calm = tmp_path / "calm"
    calm.mkdir()
    undisturbed = start("run", write(make_handbook(calm), search, scheduler))
    assert undisturbed.wait(timeout=240) == 0, undisturbed.communicate()
    study = write(handbook, search, scheduler)
    journal = handbook.root / "runs" / "adapter" / "journal.jsonl"
    for wanted in (20, 45):
        driver = start("run", study)
        deadline = time.monotonic() + 120
        while scored(journal) < wanted:
            assert driver.poll() is None, driver.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(driver.pid, signal.SIGKILL)
        assert driver.wait(timeout=10) == -signal.SIGKILL
    before = Results.open(handbook.root / "runs" / "adapter").record.current
    resumed = start("run", study)
    assert resumed.wait(timeout=240) == 0, resumed.communicate()
    whole, found = (Results.open(root / "runs" / "adapter") for root in (calm, handbook.root))
    answered = sum(trial.answered for trial in whole.record.current)
    assert 45 <= sum(trial.answered for trial in before) < answered
    assert trials(found) == trials(whole)
    assert len({whole.score(trial) for trial in whole.record.current}) > 4
    assert found.verdict.sentence == whole.verdict.sentence
    copied = sum(max(changes(trial.params), default=0) for trial in whole.record.current)
    assert (copied > 0) is (name == "pbt")  # what a copy has from its parent is not trained again
    trained = sum(trial.answered for trial in whole.record.current if not trial.baseline)
    assert whole.work["epochs trained"] == trained - copied


def test_trial_0_is_the_embedder_where_the_space_says_nothing_of_adapters(handbook):
    study = Study(
        objective={
            **handbook.section, "kind": "adapter", "metrics": ["ndcg@10"], "epochs": 3,
            "split": {"train": 0.3, "validate": 0.1, "held_out": 0.6},
            "pipeline": {
                "embedder": {"kind": "lsa", "dimensions": 6},
                "chunker": {"kind": "sentence", "size": 24},
            },
        },
        space={"learning_rate": {"choice": [0.003, 0.0003]}},
        scheduler="none",
    )  # fmt: skip
    results = run(study, handbook.root, in_memory=True)
    standing, *others = results.record.current
    assert standing.params["adapter.kind"] == "none"
    assert len(others) == 2
    assert results.work["epochs trained"] == 6
    assert results.verdict.baseline == 0
    assert results.verdict.questions.held_out == 22
    assert set(results.trials["status"]) == {"complete"}
