"""Objectives that share documents, questions and stage outputs across processes."""

import pickle
import shutil
from collections import Counter

import pytest

from pipelines.objective import RagObjective
from raytuner.component import ConfigError
from raytuner.objective import Tally
from tests.pipelines.cache.test_exchange import Board

POINTS = [{"chunker.size": size, "retriever.top_k": depth} for size in (32, 64) for depth in (1, 3)]
MODELS = {
    "fitted": {"embedder": "tfidf", "retriever": {"kind": "dense", "top_k": 5}},
    "frozen": {"embedder": "minilm", "retriever": {"kind": "hybrid", "top_k": 5}},
}


@pytest.fixture(params=list(MODELS))
def objective(request, handbook, monkeypatch, tmp_path):
    """An objective in the driver, which has the files and a cache of its own."""
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "driver"))
    pipeline = {"chunker": {"kind": "sentence", "overlap": 0}, **MODELS[request.param]}
    section = {**handbook.section, "pipeline": pipeline}
    del section["cache"]
    return RagObjective.build(section, root=handbook.root, seed=3)


@pytest.fixture
def join(monkeypatch, tmp_path):
    """The objective as another node gets it: pickled, joined, its cache in another folder."""

    def join(objective, board, name):
        monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / name))
        copy = pickle.loads(pickle.dumps(objective))
        copy.share(board)
        return copy

    return join


def score(objective, points=POINTS):
    """Scores by point and question, and what was counted."""
    tally, found = Tally(), {}
    for point in points:
        for batch in objective.evaluate(point, objective.units(), tally):
            found |= {(objective.key(point), row.unit): dict(row.scores) for row in batch}
    return found, tally.counts


def built(counts):
    return Counter({name: count for name, count in counts.items() if name.endswith(" built")})


def test_scores_are_equal_and_everything_is_built_once(objective, join):
    expected, alone = score(objective)
    board = Board()
    objective.share(board)
    first, second = join(objective, board, "first"), join(objective, board, "second")
    half, work = score(first, POINTS[:1])
    most, more = score(second, POINTS)
    rest, last = score(first, POINTS[1:])
    assert half | rest == most == expected
    assert built(work) + built(more) + built(last) == built(alone)
    assert not built(last)
    embedded = [counts.get("texts embedded", 0) for counts in (work, more, last)]
    assert sum(embedded) == alone.get("texts embedded", 0)
    assert more["chunks fetched"] == last["chunks fetched"] == 1


def test_other_processes_need_no_files(objective, join, handbook):
    expected, _ = score(objective, POINTS[:1])
    board = Board()
    objective.share(board)
    shutil.rmtree(handbook.root / "docs")
    (handbook.root / "golden.jsonl").unlink()
    elsewhere = join(objective, board, "elsewhere")
    assert elsewhere.units() == objective.units()
    assert elsewhere.scope() == objective.scope()
    assert elsewhere.warnings() == objective.warnings()
    assert elsewhere.workspace is not objective.workspace
    assert score(elsewhere, POINTS[:1])[0] == expected


def test_sharing_makes_an_objective_no_larger(objective, join):
    size = len(pickle.dumps(objective))
    board = Board()
    objective.share(board)
    elsewhere = join(objective, board, "elsewhere")
    assert elsewhere.units()
    assert len(pickle.dumps(objective)) <= size
    assert len(pickle.dumps(elsewhere)) <= size


def test_without_files_and_without_a_driver_the_complaint_names_the_files(objective, handbook):
    lost = pickle.loads(pickle.dumps(objective))
    shutil.rmtree(handbook.root / "docs")
    with pytest.raises(ConfigError, match="'docs' not found"):
        lost.share(Board())
