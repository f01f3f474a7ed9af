"""Retrievers: prefixes, ties, batching, the formulas against their definitions, BM25 and words."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.plain_library import PlainLibrary
from pipelines.ranking import snapped
from pipelines.retrievers import Bm25, Dense, Hybrid, Mmr
from pipelines.roles import Retriever
from pipelines.types import Ranking
from raytuner.component import digest

ROOT = Path(__file__).parents[2]
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


def unit(generator, count, dimensions=8):
    rows = generator.normal(size=(count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def library(seed, chunks=40, queries=6):
    """Random texts and vectors, a quarter of them exact duplicates of others."""
    generator = np.random.default_rng(seed)
    texts = [" ".join(generator.choice(WORDS, generator.integers(1, 9))) for _ in range(chunks)]
    vectors = unit(generator, chunks)
    copies = chunks // 4
    texts[chunks - copies :], vectors[chunks - copies :] = texts[:copies], vectors[:copies]
    asked = [" ".join(generator.choice([*WORDS, "omega"], 3)) for _ in range(queries)]
    return PlainLibrary(texts, asked, snapped(vectors), snapped(unit(generator, queries)))


def part_of(whole, rows):
    return PlainLibrary(
        whole.texts,
        [whole.queries[row] for row in rows],
        whole.chunk_vectors,
        whole.question_vectors[rows],
    )


RETRIEVERS = [
    Dense(),
    Bm25(),
    Bm25(k1=0.4, b=0.1, stemmer="english", stopwords="english", split_identifiers=True),
    Hybrid(pool=7),
    Hybrid(fusion="min-max", pool=9, weight=0.3),
    Hybrid(fusion="z-score", pool=100),
    Hybrid(dense=Mmr(pool=11), sparse=Hybrid(pool=5), pool=8),
    Mmr(pool=10),
    Mmr(diversity=1.0),
    Mmr(retriever=Bm25(), diversity=0.6),
]


@pytest.mark.parametrize("retriever", RETRIEVERS, ids=repr)
@given(seed=st.integers(0, 10**6), depth=st.integers(0, 50), chunks=st.integers(1, 45))
@settings(max_examples=15, deadline=None)
def test_a_smaller_depth_gives_a_prefix_and_batching_changes_nothing(
    retriever, seed, depth, chunks
):
    given_library = library(seed, chunks)
    deep, shallow = retriever.rank(given_library, 50), retriever.rank(given_library, depth)
    assert shallow.ids.shape == (6, min(depth, chunks))
    assert np.array_equal(shallow.ids, deep.top(depth).ids)
    assert np.array_equal(shallow.scores, deep.top(depth).scores)
    alone = retriever.rank(part_of(given_library, [4]), 50)
    assert np.array_equal(alone.ids[0], deep.ids[4])
    assert np.array_equal(alone.scores[0], deep.scores[4])
    for ids, scores in zip(deep.ids, deep.scores, strict=True):
        hits = ids[ids >= 0]
        assert len(set(hits)) == len(hits)
        assert (ids[len(hits) :] == -1).all()
        assert np.isneginf(scores[len(hits) :]).all()
        assert np.isfinite(scores[: len(hits)]).all()
        assert (np.diff(scores[: len(hits)]) <= 0).all()


@pytest.mark.parametrize("retriever", RETRIEVERS, ids=repr)
def test_nothing_to_search_and_nobody_to_ask(retriever):
    whole = library(0)
    assert retriever.rank(part_of(whole, []), 3).ids.shape == (0, 3)
    nothing = PlainLibrary([], ["alpha"], np.zeros((0, 8), np.float32), whole.question_vectors[:1])
    assert retriever.rank(nothing, 3).ids.shape == (1, 0)


@pytest.mark.parametrize("retriever", [Bm25(), Hybrid(), Hybrid(fusion="z-score")], ids=repr)
def test_equal_scores_are_ordered_by_chunk_number(retriever):
    ranking = retriever.rank(library(3), 40)
    for ids, scores in zip(ranking.ids, ranking.scores, strict=True):
        for place in np.flatnonzero((scores[1:] == scores[:-1]) & (ids[1:] >= 0)):
            assert ids[place] < ids[place + 1]


def test_bm25_agrees_with_an_independent_implementation():
    import bm25s

    whole = library(5, chunks=60)
    ranking = Bm25(k1=1.7, b=0.6).rank(whole, 60)
    other = bm25s.BM25(method="lucene", k1=1.7, b=0.6)
    other.index([text.split() for text in whole.texts], show_progress=False)
    for row, query in enumerate(whole.queries):
        known = [word for word in query.split() if word in WORDS]
        truth = other.get_scores(known) if known else np.zeros(60)
        hits = ranking.ids[row] >= 0
        assert hits.sum() == np.count_nonzero(truth)
        assert np.allclose(ranking.scores[row, hits], truth[ranking.ids[row, hits]], rtol=1e-5)


def test_scores_are_the_same_in_every_process():
    program = (
        "from test_retrievers import RETRIEVERS, library\n"
        "from raytuner.component import digest\n"
        "for r in RETRIEVERS: print(digest(r.rank(library(9), 30).scores.tobytes()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={
                "PYTHONHASHSEED": seed,
                "OPENBLAS_NUM_THREADS": threads,
                "PYTHONPATH": f"{ROOT}:{ROOT}/tests/pipelines",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(outputs) == 1


@dataclass
class Given(PlainLibrary):
    """A library of ten texts in which dense and bm25 find what they are told."""

    hits: dict = field(default_factory=dict)

    def rank(self, retriever, depth):
        ids, scores = np.array(self.hits[retriever.kind]).reshape(-1, 2).T
        return Ranking(ids[None, :depth].astype(np.int64), scores[None, :depth])


def fuse(dense, sparse, **fields):
    given_library = Given(["x"] * 10, ["q"], hits={"dense": dense, "bm25": sparse})
    ranking = Hybrid(**fields).rank(given_library, 10)
    hits = ranking.ids[0] >= 0
    return dict(zip(ranking.ids[0, hits].tolist(), ranking.scores[0, hits], strict=True))


def test_reciprocal_rank_fusion_follows_its_definition():
    points = fuse([(4, 0.9), (2, 0.8)], [(2, 7.0), (9, 6.0)], rank_constant=60, weight=0.25)
    assert points == pytest.approx({
        2: 0.25 / 62 + 0.75 / 61, 9: 0.75 / 62, 4: 0.25 / 61,
    })  # fmt: skip
    assert list(points) == [2, 9, 4]
    assert list(fuse([(4, 1.0)], [(2, 1.0)])) == [2, 4]


def test_min_max_fusion_follows_its_definition():
    points = fuse(
        [(4, 0.9), (2, 0.7), (1, 0.5)], [(1, 8.0), (9, 6.0)], fusion="min-max", weight=0.6
    )
    assert points == pytest.approx({4: 0.6, 1: 0.4, 2: 0.3, 9: 0.0})
    assert fuse([(4, 0.9)], [(1, 8.0)], fusion="min-max") == {1: 0.5, 4: 0.5}


def test_z_score_fusion_follows_its_definition():
    points = fuse([(4, 3.0), (2, 1.0)], [(2, 8.0), (9, 4.0)], fusion="z-score")
    assert points == pytest.approx({2: 0.0, 4: 0.5 * (1 - 2), 9: 0.5 * (-2 - 1)})
    only = fuse([(4, 3.0), (2, 1.0)], [(7, 5.0)], fusion="z-score")
    assert only == pytest.approx({4: 0.0, 2: -1.0, 7: -1.0})
    assert fuse([(4, 3.0), (2, 1.0)], [], fusion="z-score") == pytest.approx({4: 0.5, 2: -0.5})


def test_the_pool_bounds_what_is_fused_and_diversified():
    whole = library(1)
    dense, sparse = Dense().rank(whole, 3).ids[0], Bm25().rank(whole, 3).ids[0]
    fused = Hybrid(pool=3).rank(whole, 40).ids[0]
    assert set(fused) == {*dense, *sparse, -1}
    assert set(Mmr(pool=3).rank(whole, 40).ids[0]) == {*dense, -1}


def test_mmr_follows_its_definition():
    whole, diversity = library(7), 0.4
    ranking = Mmr(diversity=diversity, pool=12).rank(whole, 12)
    vectors = snapped(whole.chunk_vectors)
    for row, query in enumerate(snapped(whole.question_vectors)):
        left, taken = whole.dense(12).ids[row].tolist(), []
        while left:
            scores = [
                (1 - diversity) * float(vectors[c] @ query)
                - diversity * max([0.0, *(float(vectors[c] @ vectors[t]) for t in taken)])
                for c in left
            ]
            taken.append(left.pop(int(np.argmax(scores))))
        assert ranking.ids[row].tolist() == taken


def test_mmr_without_diversity_is_dense_and_with_it_avoids_duplicates():
    whole = library(8)
    assert np.array_equal(Mmr(diversity=0, pool=20).rank(whole, 20).ids, whole.dense(20).ids)
    twins = np.array([[1, 0], [1, 0], [0.8, 0.6]], np.float32)
    two = PlainLibrary(["a", "a", "b"], ["q"], twins, twins[:1])
    assert Mmr(diversity=0.6).rank(two, 3).ids.tolist() == [[0, 2, 1]]


def test_nested_retrievers_are_asked_through_the_library():
    asked = []

    class Watching(PlainLibrary):
        def rank(self, retriever, depth):
            asked.append((retriever.kind, depth))
            return super().rank(retriever, depth)

    whole = library(2)
    watching = Watching(whole.texts, whole.queries, whole.chunk_vectors, whole.question_vectors)
    Hybrid(sparse=Mmr(pool=4), pool=9).rank(watching, 2)
    assert asked == [("dense", 9), ("mmr", 9), ("dense", 4)]


@pytest.mark.parametrize(
    "nested", [{"kind": "bm25", "top_k": 3}, {"kind": "bm25", "min_score": 0.5}]
)
def test_cuts_of_nested_retrievers_are_refused(nested):
    with pytest.raises(ValueError, match="would have no effect"):
        Hybrid.model_validate({"sparse": nested})
    with pytest.raises(ValueError, match="would have no effect"):
        Mmr.model_validate({"retriever": nested})


@pytest.mark.parametrize(
    "change",
    [
        {"dense": "mmr"}, {"sparse": {"kind": "bm25", "k1": 2}}, {"fusion": "min-max"},
        {"weight": 0.1}, {"rank_constant": 3}, {"pool": 3},
    ],
    ids=str,
)  # fmt: skip
def test_every_field_of_hybrid_is_in_its_ranking_identity(change):
    changed = Hybrid.model_validate(change)
    assert digest(*changed.ranking_identity()) != digest(*Hybrid().ranking_identity())
    assert Retriever.model_validate(changed.model_dump()) == changed


def test_identity_leaves_out_what_cannot_matter():
    assert digest(Hybrid(fusion="min-max", rank_constant=3)) == digest(Hybrid(fusion="min-max"))
    assert digest(*Bm25(top_k=9).ranking_identity()) == digest(*Bm25().ranking_identity())


@pytest.mark.parametrize(
    ("retriever", "needed"),
    [
        (Dense(), True),
        (Bm25(), False),
        (Hybrid(), True),
        (Hybrid(dense=Bm25(k1=2.0)), False),
        (Mmr(retriever=Bm25()), True),
    ],
    ids=repr,
)
def test_vectors_are_needed_exactly_where_they_are_asked_for(retriever, needed):
    class NoVectors(PlainLibrary):
        def dense(self, depth):
            raise AssertionError

        vectors = query_vectors = dense

    assert retriever.needs_vectors() is needed
    words_only = NoVectors(["alpha"], ["alpha beta"])
    if needed:
        with pytest.raises((AssertionError, TypeError)):
            retriever.rank(words_only, 1)
    else:
        assert retriever.rank(words_only, 1).ids.tolist() == [[0]]
