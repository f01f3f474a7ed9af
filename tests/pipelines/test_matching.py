"""Sentences and chunks: which belongs to which, and the formula against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.chunkers import Fixed
from pipelines.matching import (
    Sentences,
    SentenceTable,
    mean_vectors,
    membership,
    rank_by_sentences,
)
from pipelines.sentences import sentence_spans
from pipelines.types import Chunks


def columns(rows, width):
    return np.array(rows, dtype=np.int64).reshape(len(rows), width).T


@st.composite
def cut_texts(draw):
    """Documents with disjoint sentences, and chunks that each overlap some sentence."""
    sentences, chunks = [], []
    for doc in range(draw(st.integers(1, 3))):
        at, mine = 0, []
        for _ in range(draw(st.integers(0, 6))):
            start = at + draw(st.integers(0, 3))
            at = start + draw(st.integers(1, 9))
            mine.append((doc, start, at))
        sentences += mine
        if not mine:
            continue
        spans = []
        for _ in range(draw(st.integers(0, 5))):
            _, low, high = draw(st.sampled_from(mine))
            inside = draw(st.integers(low, high - 1))
            start, end = draw(st.integers(0, inside)), draw(st.integers(inside + 1, at + 2))
            spans.append((doc, max(0, start - 1), end + 1, start, end))
        chunks += sorted(spans)
    return Chunks(*columns(chunks, 5)), SentenceTable(*columns(sentences, 3))


def by_hand(chunks, sentences):
    """Give per chunk its (sentence, characters inside) pairs and the sentences that may be best."""
    for doc, low, high in zip(chunks.doc, chunks.match_start, chunks.match_end, strict=True):
        pairs = []
        for number, (home, start, end) in enumerate(zip(*sentences, strict=True)):
            inside = min(end, high) - max(start, low)
            if home == doc and inside > 0:
                pairs.append((number, int(inside), int(end - start)))
        core = [number for number, inside, length in pairs if 2 * inside >= length]
        core = core or [max(pairs, key=lambda pair: (pair[1], -pair[0]))[0]]
        yield [(number, inside) for number, inside, _ in pairs], core


@settings(max_examples=200, deadline=None)
@given(cut_texts())
def test_membership_is_overlap(case):
    chunks, sentences = case
    found = membership(chunks, sentences)
    for chunk, (pairs, core) in enumerate(by_hand(chunks, sentences)):
        mine = found.chunk == chunk
        assert list(zip(found.sentence[mine], found.characters[mine], strict=True)) == pairs
        assert list(range(found.first[chunk], found.last[chunk])) == [n for n, _ in pairs]
        assert list(range(found.core_first[chunk], found.core_last[chunk])) == core


def unit_rows(generator, count, width=8):
    rows = generator.normal(size=(count, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(cut_texts(), st.integers(0, 1000), st.floats(0, 3))
def test_the_score_is_the_formula(case, seed, best):
    chunks, sentences = case
    generator = np.random.default_rng(seed)
    vectors = unit_rows(generator, len(sentences.doc))
    queries = unit_rows(generator, 3)
    found = rank_by_sentences(
        Sentences(best=best), queries, vectors, membership(chunks, sentences), 50
    )
    wanted = np.zeros((3, len(chunks)))
    for chunk, (pairs, core) in enumerate(by_hand(chunks, sentences)):
        mean = sum(vectors[n].astype(np.float64) * inside for n, inside in pairs)
        mean /= np.linalg.norm(mean)
        wanted[:, chunk] = queries @ mean + best * (queries @ vectors[core].T).max(axis=1)
    for row in range(3):
        order = found.ids[row]
        assert sorted(order) == list(range(len(chunks)))
        np.testing.assert_allclose(found.scores[row], wanted[row, order], atol=1e-6)
        assert (np.diff(found.scores[row]) <= 0).all()


def test_a_query_ranks_alike_alone_and_among_others(monkeypatch):
    generator = np.random.default_rng(3)
    table = SentenceTable(
        np.zeros(400, int), np.arange(400) * 10, np.arange(400) * 10 + generator.integers(2, 10)
    )
    starts = np.arange(0, 3900, 25)
    chunks = Chunks(np.zeros_like(starts), starts, starts + 90, starts, starts + 90)
    vectors, queries = unit_rows(generator, 400, 384), unit_rows(generator, 70, 384)
    members = membership(chunks, table)
    together = rank_by_sentences(Sentences(), queries, vectors, members, 20)
    monkeypatch.setattr("pipelines.matching._SCORES", 3000)
    in_blocks = rank_by_sentences(Sentences(), queries, vectors, members, 20)
    np.testing.assert_array_equal(together.scores, in_blocks.scores)
    for row in range(70):
        alone = rank_by_sentences(Sentences(), queries[row : row + 1], vectors, members, 20)
        np.testing.assert_array_equal(alone.ids[0], together.ids[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


def test_equal_chunks_rank_by_number_and_a_smaller_depth_is_a_prefix():
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 0, 1]]
    table = SentenceTable(*columns([(0, 0, 5), (0, 5, 9), (1, 0, 5), (1, 5, 9)], 3))
    chunks = Chunks(*columns([(0, 0, 9, 0, 9), (1, 0, 9, 0, 9)], 5))
    queries = np.eye(4, dtype=np.float32)[:1]
    members = membership(chunks, table)
    found = rank_by_sentences(Sentences(), queries, vectors, members, 2)
    assert found.ids.tolist() == [[0, 1]]
    assert found.scores[0, 0] == found.scores[0, 1]
    first = rank_by_sentences(Sentences(), queries, vectors, members, 1)
    assert first.ids.tolist() == [[0]]


@pytest.mark.parametrize("queries", [0, 2])
def test_no_chunks_and_no_sentences_rank_nothing(queries):
    none = Chunks(*columns([], 5))
    members = membership(none, SentenceTable(*columns([], 3)))
    vectors = np.zeros((0, 0), np.float32)
    found = rank_by_sentences(
        Sentences(), np.eye(3, dtype=np.float32)[:queries], vectors, members, 9
    )
    assert found.ids.shape == found.scores.shape == (queries, 0)
    assert len(mean_vectors(vectors, members)) == 0


def test_chunks_that_cut_through_every_sentence_still_have_a_best_one():
    text = "One long sentence about pumps that goes on and on. " * 3 + "A short one."
    spans = sentence_spans(text)
    rows = [(0, *chunk) for chunk in Fixed(size=4).split(text)]
    table = SentenceTable(*columns([(0, *span) for span in spans], 3))
    members = membership(Chunks(*columns(rows, 5)), table)
    assert (members.core_last > members.core_first).all()
    assert (members.characters > 0).all()
