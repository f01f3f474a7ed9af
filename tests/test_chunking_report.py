"""The table of docs/chunking.md, measured again on the corpora it names."""

import json
import os
from pathlib import Path

import pytest

from raytuner import Study, run

DATA = Path(__file__).parents[2] / "shared" / "data" / "chunking"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_shared,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there"),
]

METRICS = ("recall", "precision", "precision-omega", "iou")
TABLE = {
    # chunker, size, overlap: recall, precision, precision omega, iou; recall on the questions
    # about State of the Union and on those about Wikitext
    ("recursive", 200, 0): (0.8350, 0.0582, 0.2974, 0.0580, 0.9423, 0.7784),
    ("recursive", 200, 100): (0.8457, 0.0547, 0.2436, 0.0546, 0.9119, 0.8108),
    ("recursive", 400, 0): (0.8539, 0.0292, 0.1580, 0.0292, 0.8640, 0.8485),
    ("recursive", 400, 200): (0.8992, 0.0294, 0.1292, 0.0294, 0.9605, 0.8668),
    ("fixed", 200, 0): (0.8335, 0.0429, 0.2017, 0.0427, 0.9015, 0.7976),
    ("fixed", 200, 100): (0.8364, 0.0432, 0.1368, 0.0430, 0.9603, 0.7711),
    ("fixed", 400, 0): (0.7845, 0.0214, 0.1162, 0.0213, 0.8092, 0.7715),
    ("fixed", 400, 200): (0.9388, 0.0246, 0.0775, 0.0246, 1.0000, 0.9066),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunking")
    study = Study(
        name="chunking",
        scheduler="none",
        verdict={"held_out": 0},
        objective={
            "kind": "rag",
            "documents": str(DATA / "docs"),
            "golden": str(DATA / "questions.jsonl"),
            "metrics": list(METRICS),
            "cache": os.environ.get("RAYTUNER_CACHE", "cache"),
            "pipeline": {
                "chunker": {"kind": "recursive", "size": 200},
                "retriever": {"kind": "dense", "top_k": 5},
            },
        },
        space={
            "chunker.kind": {"choice": ["recursive", "fixed"]},
            "chunker.size": {"choice": [200, 400]},
            "chunker.overlap": {"choice": [0, 100, 200]},
        },
        constraints=("chunker.overlap == 0 or 2 * chunker.overlap == chunker.size",),
    )
    return run(study, folder)


def test_the_table_of_the_documentation_is_what_comes_out(results):
    found = {
        (row["chunker.kind"], row["chunker.size"], row["chunker.overlap"]): row
        for _, row in results.trials.iterrows()
    }
    assert set(found) == set(TABLE)
    for key, wanted in TABLE.items():
        assert [found[key][name] for name in METRICS] == pytest.approx(wanted[:4], abs=1e-3), key


def test_recall_by_corpus_is_what_the_documentation_says(results):
    lines = (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    corpus = {q["id"]: q["meta"]["corpus"] for q in map(json.loads, lines)}
    scores = results.scores[results.scores["metric"] == "recall"]
    recall = scores.groupby(["trial", scores["unit"].map(corpus)])["score"].mean().unstack()
    for trial in results.record.current:
        params = trial.params
        key = (params["chunker.kind"], params["chunker.size"], params["chunker.overlap"])
        row = recall.loc[trial.number, ["state_of_the_union", "wikitexts"]]
        assert list(row) == pytest.approx(TABLE[key][4:], abs=1e-3), key
