"""One study, one table: whatever runs it, whatever the cache holds, and whoever kills it."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from ruamel.yaml import YAML

from pipelines.cache import Cache
from pipelines.embedders import MiniLM
from raytuner import Study, run
from raytuner.journal import read
from raytuner.objective import Tally
from raytuner.results import Results

ANIMALS = ["heron", "otter", "lynx", "badger"]
PLACES = ["by the northern lake", "in the old quarry", "under the stone bridge"]
SPACE = {
    "match": {"choice": ["chunk", "sentences"]},
    "embedder": {"choice": ["minilm", "lsa"]},
    "retriever.kind": {"choice": ["dense", "hybrid"]},
    "reranker": {"choice": [None, "late-interaction"], "when": {"retriever.kind": "hybrid"}},
    "generator.scorer": {"choice": ["both"]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write documents, and questions with answers."""
    tmp_path = tmp_path_factory.mktemp("study")
    (tmp_path / "docs").mkdir()
    questions = []
    for a, animal in enumerate(ANIMALS):
        lines = [f"# Notes on the {animal}", ""]
        for p, (place, year) in enumerate(itertools.product(PLACES, range(2001, 2007))):
            count = 3 + (7 * a + 5 * p) % 31
            fact = f"In {year} the wardens counted {count} of them {place}"
            lines += [f"{fact}, mostly at dusk. The weather was mild! Nobody else came by.", ""]
            questions.append(
                {
                    "id": f"{animal}-{p}",
                    "question": f"How many {animal}s were counted {place} in {year}?",
                    "answer": str(count),
                    "evidence": [{"doc": f"{animal}.txt", "quote": fact}],
                }
            )
        (tmp_path / "docs" / f"{animal}.txt").write_text("\n".join(lines))
    (tmp_path / "golden.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))
    return tmp_path


def section(cache):
    return {
        "kind": "rag",
        "documents": "docs",
        "golden": "golden.jsonl",
        "metrics": ["recall@1000tok", "ndcg@10", "precision-omega", "token-f1"],
        "cache": cache,
        "pipeline": {
            "chunker": {"kind": "sentence", "size": 40},
            "retriever": {"kind": "dense", "top_k": 4},
            "generator": "extractive",
        },
    }


def table(results):
    """Give all scores by trial key, exactly."""
    assert not results.failed
    return {
        trial.key: (trial.params, trial.metrics, trial.table.tobytes())
        for trial in results.record.current
    }


@pytest.fixture(scope="module")
def wanted(folder):
    """Give the table of a run in a loop, with an empty cache."""
    found = table(run_with(folder, "sequential", "cache"))
    assert len(found) == 12
    assert len({scores for _, _, scores in found.values()}) > 8  # there is much to get wrong
    return found


def run_with(folder, name, cache, **options):
    study = Study(name=name, objective=section(cache), space=SPACE, **options)
    return run(study, folder)


@pytest.mark.parametrize("backend", ["threads", "async", "processes"])
def test_every_backend_gives_the_same_scores_to_the_last_bit(folder, wanted, backend):
    found = run_with(folder, backend, f"cache-{backend}", backend=backend, workers=2)
    assert table(found) == wanted
    assert found.work["texts embedded"] > 0


def test_a_full_cache_gives_the_same_scores_and_embeds_nothing(folder, wanted):
    warm = run_with(folder, "warm", "cache")
    assert table(warm) == wanted
    assert warm.work.get("texts embedded", 0) == 0
    assert not any(name.endswith(" built") for name in warm.work)


def test_vectors_made_in_other_company_give_the_same_scores(folder, wanted):
    texts = [text for path in sorted((folder / "docs").iterdir()) for text in _pieces(path)]
    partial = Cache(folder / "partial").vectors
    for batch in (texts[::5], texts[1::7][::-1], texts[2:3]):
        partial.embed_texts(MiniLM(), batch, query=False, meter=Tally())
    found = run_with(folder, "partial", "partial")
    assert found.work["texts embedded"] > 0
    assert table(found) == wanted


def _pieces(path):
    from pipelines.chunkers import Recursive, Sentence
    from pipelines.sentences import sentence_spans

    text = path.read_text()
    chunks = [*Sentence(size=40).split(text), *Recursive(size=40).split(text)]
    return [text[a:b] for a, b, *_ in chunks] + [text[a:b] for a, b in sentence_spans(text)]


# ---- killed


def write_study(folder, name, cache):
    study = {"version": 1, "name": name, "objective": section(cache), "space": SPACE}
    path = folder / f"{name}.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(study, file)
    return path


def start(path):
    code = "from raytuner.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def unit_events(folder, name):
    events, _ = read(folder / "runs" / name / "journal.jsonl")
    return [event for event in events if event["event"] == "units"]


def rows_of(folder, name):
    return [(event["key"], row[0]) for event in unit_events(folder, name) for row in event["rows"]]


def kill_when(process, condition):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(folder, wanted):
    path = write_study(folder, "killed", "cache-killed")

    kill_when(start(path), lambda: list(folder.glob("cache-killed/vectors/*.sqlite")))
    assert not unit_events(folder, "killed")
    scored = []
    for events in (1, 8):
        kill_when(start(path), lambda n=events: len(unit_events(folder, "killed")) >= n)
        scored.append(len(rows_of(folder, "killed")))
    whole = len(rows_of(folder, "sequential"))
    assert scored[-1] < whole
    process = start(path)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output

    rows = rows_of(folder, "killed")
    assert set(Counter(rows).values()) == {1}
    assert len(rows) == whole
    assert table(Results.open(folder / "runs" / "killed")) == wanted
