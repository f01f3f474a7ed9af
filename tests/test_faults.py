"""What clusters do to a study: workers, nodes and drivers killed with SIGKILL, on real nodes."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

import raytuner
from cluster.local import LocalCluster
from raytuner.journal import read
from raytuner.results import Results
from tests.raytuner.probes import Questions, evaluations, same, start, study, table, wait_for

pytestmark = pytest.mark.slow

UNITS, PAUSE = 8, 0.1
TOTAL = 12 * UNITS
FIELDS = {"backend": "ray", "address": "auto"}


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(nodes=3, cpus=1) as made:
        yield made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return table(raytuner.run(study(Questions(units=UNITS)), tmp_path_factory.mktemp("whole")))


def begin(cluster, monkeypatch, folder, **fields):
    """Start a driver against the cluster; its objective notes every question and its process."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    objective = {"log": str(folder / "log"), "units": UNITS, "pause": PAUSE}
    return start(folder, objective, **{**FIELDS, **fields})


def finished(driver, seconds=150):
    out, err = driver.communicate(timeout=seconds)
    assert driver.returncode == 0, err
    return out


def recorded_once(folder):
    """Every question of every trial has exactly one score on record."""
    rows = Counter(
        (event["key"], row[0])
        for event in read(folder / "runs/t/journal.jsonl")[0]
        if event["event"] == "units"
        for row in event["rows"]
        if row[1]
    )
    assert set(rows.values()) == {1}
    return len(rows)


def processes_at_work(log):
    return [line.rstrip("]\n").split(",")[-1] for line in log.read_text().splitlines()]


def answered(folder, count):
    return lambda: len(evaluations(folder / "log")) > count


def test_a_killed_worker_costs_its_batch_only(tmp_path, cluster, monkeypatch, undisturbed):
    driver = begin(cluster, monkeypatch, tmp_path)
    wait_for(answered(tmp_path, 10), 90)
    victim = int(processes_at_work(tmp_path / "log")[-1])
    os.kill(victim, signal.SIGKILL)
    finished(driver)
    same(table(tmp_path / "runs/t"), undisturbed)
    assert recorded_once(tmp_path) == TOTAL
    asked = evaluations(tmp_path / "log")
    assert len(asked) - len(set(asked)) <= 2  # the batch it was at


def test_the_driver_may_be_killed_at_any_moment(tmp_path, cluster, monkeypatch, undisturbed):
    for count in (10, 35):
        driver = begin(cluster, monkeypatch, tmp_path)
        wait_for(answered(tmp_path, count), 90)
        driver.kill()
        driver.wait()
    before = len(evaluations(tmp_path / "log"))
    finished(begin(cluster, monkeypatch, tmp_path))
    same(table(tmp_path / "runs/t"), undisturbed)
    assert recorded_once(tmp_path) == TOTAL
    asked = evaluations(tmp_path / "log")
    assert before < TOTAL
    assert len(asked) - len(set(asked)) <= 2 * 3 * 2  # a batch a worker, twice killed


def test_early_stopping_resumes_after_the_driver_was_killed(tmp_path, cluster, monkeypatch):
    fields = {"scheduler": {"kind": "asha", "grace": 2, "reduction": 2}}
    driver = begin(cluster, monkeypatch, tmp_path, **fields)
    wait_for(answered(tmp_path, 12), 90)
    driver.kill()
    driver.wait()
    finished(begin(cluster, monkeypatch, tmp_path, **fields))
    results = Results.open(tmp_path / "runs/t")
    assert set(results.trials.status) == {"complete", "pruned"}
    assert recorded_once(tmp_path) == results.trials.answered.sum() < TOTAL


def test_a_lost_node_costs_its_batches_only(tmp_path, monkeypatch, undisturbed):
    with LocalCluster(nodes=3, cpus=1) as mine:
        driver = begin(mine, monkeypatch, tmp_path)
        wait_for(answered(tmp_path, 10), 90)
        mine.kill_node(2)
        finished(driver)
    same(table(tmp_path / "runs/t"), undisturbed)
    assert recorded_once(tmp_path) == TOTAL
    asked = evaluations(tmp_path / "log")
    assert len(asked) - len(set(asked)) <= 2 * 2


RAG = """
version: 1
name: rag
objective:
  kind: rag
  documents: sample:python-api
  golden: sample:python-api
  metrics: [recall@1000tok, ndcg@10]
  pipeline: {{chunker: {{kind: sentence, size: 384}}, embedder: lsa}}
space:
  chunker.size: {{choice: [96, 192, 384]}}
  chunker.overlap: {{choice: [0, 48]}}
  embedder: {{choice: [lsa, tfidf]}}
  retriever.top_k: {{choice: [2, 8]}}
verdict: {{held_out: 0}}
{more}
"""
SEARCHES = {
    "hyperopt": "search: {kind: hyperopt, samples: 14}",
    "bohb": "search: {kind: bohb, samples: 14}\nscheduler: {kind: bohb, grace: 10}",
    "asha": "search: {kind: random, samples: 14}\nscheduler: {kind: asha, grace: 10}",
}


def run_rag(cluster, folder, more, backend="ray"):
    folder.mkdir()
    (folder / "study.yaml").write_text(RAG.format(more=more))
    # Every node has a cache of its own; the driver's own must not help them.
    environment = {**os.environ, **cluster.environment, "RAYTUNER_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "raytuner", "run", "study.yaml", "--backend", backend]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Results.open(folder / "runs/rag"), done.stdout


def test_three_nodes_build_each_artifact_once(tmp_path, cluster):
    on_ray, said = run_rag(cluster, tmp_path / "ray", "scheduler: none")
    alone, _ = run_rag(cluster, tmp_path / "alone", "scheduler: none", backend="inprocess")
    same(table(on_ray), table(alone))
    built = {name: n for name, n in on_ray.total_work.items() if name.endswith(" built")}
    assert built == {n: a for n, a in alone.total_work.items() if n.endswith(" built")}
    # one for every size and overlap; what the driver chunks to order the grid, trials find there
    assert 1 <= built["chunks built"] <= 6
    assert "chunks built" in said


@pytest.mark.parametrize("search", SEARCHES)
def test_searches_run_on_real_documents(tmp_path, cluster, search):
    results, said = run_rag(cluster, tmp_path / "study", SEARCHES[search])
    assert len(results.record.current) in {14, 15}  # trial 0 may be one of them
    assert results.best is not None
    rows = Counter(
        (event["key"], row[0])
        for event in read(results.folder / "journal.jsonl")[0]
        if event["event"] == "units"
        for row in event["rows"]
    )
    assert set(rows.values()) == {1}  # a promotion pays for its new questions only
    assert len(rows) == results.trials.answered.sum()
    if search != "hyperopt":
        assert len(rows) < len(results.record.current) * 290
        assert "Early stopping" in said
