"""Runs in W&B's offline folder; skipped where wandb is not installed."""

import importlib.util
import json
import sys

import pytest

import raytuner
from raytuner.component import ConfigError, MissingExtraError
from raytuner.exporting import send
from raytuner.exporting.wandb import _Memory
from tests.raytuner.probes import Questions, study

needs_wandb = pytest.mark.skipif(
    importlib.util.find_spec("wandb") is None,
    reason="W&B is not installed: pip install 'raytuner[wandb]'",
)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DIR", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)


def made(root, xs=(1, 2)):
    faulty = Questions(faults={2: "raise"})
    return raytuner.run(study(faulty, space={"x": list(xs), "y": ["a"]}), root)


def folders(results):
    return sorted(path.name for path in (results.folder / "wandb").glob("offline-run-*"))


@needs_wandb
def test_offline_runs_twice_are_once(tmp_path):
    results = made(tmp_path)
    said = send(results, "wandb", project="p")
    assert said.startswith("sent 2 of 2 trials to W&B project p, offline in")
    first = folders(results)
    assert len(first) == 3
    assert "has all 2 trials already" in send(made(tmp_path), "wandb", project="p")
    assert folders(results) == first
    assert send(made(tmp_path, (1, 2, 3)), "wandb", project="p").startswith("sent 1 of 3 trials")
    added = [name for name in folders(results) if name not in first]
    assert len(added) == 2  # the new trial, and the study that has one more
    ids = [name.split("-")[3] for name in folders(results)]  # -1 follows within one second
    assert len(set(ids)) == 4


@needs_wandb
def test_scores_are_a_table(tmp_path):
    results = made(tmp_path, (1,))
    send(results, "wandb")
    (path,) = (results.folder / "wandb").glob("*/files/media/table/scores*.table.json")
    table = json.loads(path.read_text())
    assert table["columns"] == ["question", "part", "metric", "score"]
    assert len(table["data"]) == 12


def test_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    with pytest.raises(ConfigError, match="W&B is switched off"):
        send(made(tmp_path), "wandb")


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'raytuner\[wandb\]'"):
        send(made(tmp_path), "wandb")


def test_what_was_sent_is_remembered_by_place(tmp_path):
    memory = _Memory(tmp_path, "a")
    assert memory.differs("k", "1")
    memory.keep("k", "1")
    again, elsewhere = _Memory(tmp_path, "a"), _Memory(tmp_path, "b")
    assert not again.differs("k", "1")
    assert again.differs("k", "2")
    assert elsewhere.differs("k", "1")
    (tmp_path / "wandb.json").write_text('{"a": ')
    assert _Memory(tmp_path, "a").differs("k", "1")
