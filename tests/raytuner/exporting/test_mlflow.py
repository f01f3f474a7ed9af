"""Runs in MLflow, in a database of its own; skipped where MLflow is not installed."""

import importlib.util
import json
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest

import raytuner
from raytuner.component import ConfigError, MissingExtraError
from raytuner.exporting import send
from tests.raytuner.probes import Questions, study

SPACE = {"x": [1, 2], "y": ["a", "b"]}
needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None,
    reason="MLflow is not installed: pip install 'raytuner[mlflow]'",
)


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'ml.db'}"


def made(root, **fields):
    return raytuner.run(study(Questions(faults={2: "raise"}), **{"space": SPACE, **fields}), root)


def stored(uri, name="t"):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id])
    return {run.info.run_name: run for run in runs}, client


@needs_mlflow
def test_a_parent_and_a_child_a_trial(tmp_path, uri):
    results = made(tmp_path)
    assert send(results, "mlflow", tracking_uri=uri) == f"sent 4 of 4 trials to MLflow at {uri}"
    runs, _ = stored(uri)
    assert set(runs) == {"t", "trial 0", "trial 1", "trial 2", "trial 3"}
    parent = runs["t"]
    assert parent.data.tags["raytuner.verdict.sentence"] == results.verdict.sentence
    assert parent.data.metrics["trials"] == 4
    for trial in results.record.current:
        run = runs[f"trial {trial.number}"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params == {"x": str(trial.params["x"]), "y": trial.params["y"]}
        assert run.data.metrics.get("hit") == trial.mean("hit")
        assert run.data.metrics["answered"] == trial.answered
        assert run.data.tags["raytuner.status"] == trial.status
        assert run.info.status == ("FAILED" if trial.status == "failed" else "FINISHED")
        place = Path(urlparse(run.info.artifact_uri).path) / "scores.json"
        table = json.loads(place.read_text())
        assert table["columns"] == ["question", "part", "metric", "score"]
        assert len(table["data"]) == 2 * trial.answered
        assert json.loads(run.data.tags["mlflow.loggedArtifacts"])[0]["path"] == "scores.json"


@needs_mlflow
def test_twice_is_once_and_more_is_added(tmp_path, uri):
    send(made(tmp_path), "mlflow", tracking_uri=uri)
    before, _ = stored(uri)
    assert "has all 4 trials already" in send(made(tmp_path), "mlflow", tracking_uri=uri)
    more = made(tmp_path, space={"x": [1, 2, 3], "y": ["a", "b"]})
    said = send(more, "mlflow", tracking_uri=uri)
    after, client = stored(uri)
    assert said.startswith("sent 2 of 6 trials")
    assert len(after) == 7
    assert {run.info.run_id for run in before.values()} <= {r.info.run_id for r in after.values()}
    history = client.get_metric_history(before["trial 0"].info.run_id, "hit")
    assert len(history) == 1


@needs_mlflow
def test_long_prompts_are_kept_whole_in_a_file(tmp_path, uri):
    prompt = "word " * 2_000
    send(made(tmp_path, space={"x": [1], "y": ["a", prompt]}), "mlflow", tracking_uri=uri)
    runs, _ = stored(uri)
    run = next(run for run in runs.values() if len(run.data.params.get("y", "")) > 10)
    assert run.data.params["y"] == prompt[:6_000]
    kept = Path(urlparse(run.info.artifact_uri).path) / "params.json"
    assert json.loads(kept.read_text())["y"] == prompt


def test_addresses_that_cannot_be_used(tmp_path, monkeypatch):
    results = made(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match="where is MLflow"):
        send(results, "mlflow")
    for folder in ("mlruns", "file:///somewhere"):
        with pytest.raises(ConfigError, match="is a folder, which MLflow no longer writes to"):
            send(results, "mlflow", tracking_uri=folder)


def test_without_the_package(tmp_path, monkeypatch, uri):
    results = made(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'raytuner\[mlflow\]'"):
        send(results, "mlflow", tracking_uri=uri)
