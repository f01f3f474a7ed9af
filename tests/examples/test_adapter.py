"""The adapter study as it stands, and its adapter in use."""

import json
import shutil
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from pipelines.embedders.projection import read_adapter
from raytuner.results import Results

EXAMPLE = Path(__file__).parents[2] / "examples" / "adapter"
SMALL = {
    "epochs: 12": "epochs: 4",
    "population: 6, samples: 18": "population: 4, samples: 8",
    "kind: pbt, population: 6}\n": "kind: pbt, population: 4}\n",
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    folder = shutil.copytree(EXAMPLE, tmp_path / "adapter")
    monkeypatch.chdir(folder)
    return folder / "study.yaml"


def shrink(study):
    text = study.read_text()
    for old, new in SMALL.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    study.write_text(text)


def test_the_study_is_short_and_sound(study, raytuner):
    assert len(study.read_text().splitlines()) < 60
    checked = raytuner("check", "study.yaml")
    assert checked.code == 0, checked.err
    assert "110" in checked.out


@pytest.mark.slow
def test_it_trains_a_population_judges_it_and_its_adapter_is_an_embedder(study, raytuner):
    shrink(study)
    done = raytuner("run", "study.yaml")
    assert done.code == 0, done.err
    found = Results.open(study.parent / "runs" / "adapter")
    assert found.record.curve
    assert found.verdict.status != "NONE"
    assert found.verdict.questions.held_out == 110
    standing = found.record.current[0]
    assert standing.params["adapter.kind"] == "none"
    number = next(t.number for t in found.record.current[1:] if found.score(t) is not None)
    wrote = raytuner("trained", "study.yaml", "-o", "a.npz", "--trial", str(number))
    assert wrote.code == 0, wrote.err
    assert "kind: adapted-fitted, base: lsa, adapter: a.npz" in wrote.out
    assert raytuner("export", "study.yaml", "--trial", str(number), "-o", "best.yaml").code == 0
    shutil.rmtree(study.parents[1] / "cache" / "stores", ignore_errors=True)
    shutil.rmtree(next((study.parents[1] / "cache").glob("**/checkpoints")))
    again = raytuner("trained", "study.yaml", "-o", "b.npz", "--schedule", "best.yaml")
    assert again.code == 0, again.err
    one, two = read_adapter(Path("a.npz")), read_adapter(Path("b.npz"))
    assert one.content == two.content
    assert all(
        np.array_equal(w, two.projection.weights[n]) for n, w in one.projection.weights.items()
    )
    rag = study.parent / "rag.yaml"
    rag.write_text(RAG)
    done = raytuner("run", "rag.yaml")
    assert done.code == 0, done.err
    trials = Results.open(study.parent / "runs" / "rag").trials
    scores = trials.set_index("embedder.kind")["ndcg@10"]
    assert set(scores.index) == {"lsa", "adapted-fitted"}
    assert scores["lsa"] != scores["adapted-fitted"]


RAG = """
version: 1
name: rag
objective:
  kind: rag
  documents: sample:python-api
  golden: sample:python-api
  metrics: [ndcg@10]
  pipeline:
    chunker: {kind: sentence, size: 256, overlap: 0}
    embedder: lsa
    retriever: {kind: dense, top_k: 10}
space:
  embedder.kind: {choice: [lsa, adapted-fitted]}
  embedder.base: {choice: [lsa], when: {embedder.kind: [adapted-fitted]}}
  embedder.adapter: {choice: [a.npz], when: {embedder.kind: [adapted-fitted]}}
"""


@pytest.mark.slow
def test_what_is_adapted_is_served_and_no_module_is_written(study, raytuner, start):
    shrink(study)
    assert raytuner("run", "study.yaml").code == 0
    assert raytuner("trained", "study.yaml", "-o", "a.npz", "--trial", "1").code == 0
    Path("rag.yaml").write_text(RAG)
    assert raytuner("run", "rag.yaml").code == 0
    trials = Results.open(study.parent / "runs" / "rag").record.current
    kinds = {trial.params["embedder.kind"]: str(trial.number) for trial in trials}
    process = start("serve", "rag.yaml", "--trial", kinds["adapted-fitted"], "--port", "0")
    said = iter(process.stdout.readline, "")
    url = next(line.split()[1].rstrip(";") for line in said if line.startswith("ready:"))
    asked = json.dumps({"question": "How do I sort a table by a column?"}).encode()
    request = urllib.request.Request(
        f"{url}/query", asked, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        assert len(json.load(response)["passages"]) == 10
    module = raytuner(
        "export", "rag.yaml", "--to", "module", "-o", "m.py", "--trial", kinds["adapted-fitted"]
    )
    assert module.code == 2
    assert "embedder: 'adapted-fitted' cannot be written as a module" in module.err
    served = raytuner("serve", "study.yaml", "--trial", "1")
    assert served.code == 2
    assert "there is nothing to serve" in served.err


@pytest.mark.slow
def test_nothing_trained_is_written_where_there_is_nothing(study, raytuner):
    shrink(study)
    assert raytuner("run", "study.yaml").code == 0
    none = raytuner("trained", "study.yaml", "-o", "a.npz", "--trial", "0")
    assert none.code == 2
    assert "there is no adapter to write" in none.err
    lost = raytuner("trained", "study.yaml", "-o", "a.npz", "--trial", "99")
    assert lost.code == 2
    assert "there is no such trial" in lost.err
    Path("best.yaml").write_text("schedule: [{until: 3, learning_rate: 0.1}]\n")
    short = raytuner("trained", "study.yaml", "-o", "a.npz", "--schedule", "best.yaml")
    assert short.code == 2
    assert "best.yaml: schedule: it ends after 3 steps, and there are 4" in short.err
    assert not Path("a.npz").exists()
