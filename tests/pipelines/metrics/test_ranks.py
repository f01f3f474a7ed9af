"""Rank metrics against worked examples, against ir_measures, and as properties."""

from __future__ import annotations

import random
from math import log2

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.metrics import AveragePrecision, HitRate, Mrr, Ndcg
from pipelines.roles import Bench
from pipelines.types import Corpus, Hit, Question, Response, Span
from raytuner.component import ConfigError


def nothing(*_):
    raise AssertionError("rank metrics look at spans only")


BENCH = Bench(Corpus(()), nothing, nothing)
KINDS = (HitRate, Mrr, Ndcg, AveragePrecision)


def ask(*groups):
    return Question("q", "?", tuple(tuple(Span(*s) for s in group) for group in groups))


def hit(doc, start, end):
    return Hit(doc, start, end, 1.0, "")


def chunk(number):
    """Chunk n is the characters [100 n, 100 n + 100) of one document."""
    return hit(0, 100 * number, 100 * number + 100)


def wanted(number, grade=1):
    return [(0, 100 * number, 100 * number + 100, grade)]


def score(metric, question, *hits):
    return metric.score(question, Response(tuple(hits)), BENCH)


def values(question, *hits, **fields):
    return [score(kind(**fields), question, *hits) for kind in KINDS]


def test_two_groups_found_at_ranks_2_and_3():
    ranking = [chunk(9), chunk(1), chunk(2)]
    ndcg = (1 / log2(3) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3))
    assert values(ask(wanted(1), wanted(2)), *ranking) == [1, 1 / 2, ndcg, (1 / 2 + 2 / 3) / 2]


def test_nothing_beyond_k_counts():
    ranking = [chunk(9), chunk(1), chunk(2)]
    question = ask(wanted(1), wanted(2))
    assert values(question, *ranking, k=1) == [0, 0, 0, 0]
    ideal = 1 / log2(2) + 1 / log2(3)
    assert values(question, *ranking, k=2) == [1, 1 / 2, 1 / log2(3) / ideal, 1 / 2 / 2]


def test_a_repeated_hit_earns_nothing_twice():
    assert values(ask(wanted(1)), chunk(1), chunk(1)) == [1, 1, 1, 1]
    one_of_two = values(ask(wanted(1), wanted(2)), chunk(1))
    assert values(ask(wanted(1), wanted(2)), chunk(1), chunk(1)) == one_of_two


def test_two_gold_passages_at_ranks_1_and_2_are_perfect():
    assert values(ask(wanted(1), wanted(2)), chunk(2), chunk(1)) == [1, 1, 1, 1]


def test_one_of_many_alternatives_is_perfect():
    question = ask([(0, 100, 200), (0, 200, 300), (0, 300, 400)])
    assert values(question, chunk(2), chunk(8), chunk(9)) == [1, 1, 1, 1]


def test_a_hit_that_holds_all_groups_is_perfect():
    question = ask(*(wanted(n) for n in range(4)))
    assert values(question, hit(0, 0, 400)) == [1, 1, 1, 1]
    # With k = 2 only two of the four groups fit: AP is 2 / 4 as for two chunks.
    assert values(question, hit(0, 0, 400), k=2) == [1, 1, 1, 0.5]


def test_groups_found_together_take_successive_ranks():
    question = ask(wanted(1), wanted(2), wanted(3))
    together = values(question, hit(0, 100, 300), chunk(3))
    assert together == values(question, chunk(1), chunk(2), chunk(3))
    late = values(question, chunk(9), hit(0, 100, 300), chunk(3))
    assert late == values(question, chunk(9), chunk(1), chunk(2), chunk(3))


def test_the_gain_is_the_grade():
    question = ask(wanted(1, 3), wanted(2, 1))
    ideal = 3 / log2(2) + 1 / log2(3)
    assert score(Ndcg(), question, chunk(2), chunk(1)) == (1 / log2(2) + 3 / log2(3)) / ideal
    assert score(Ndcg(), question, chunk(1)) == 3 / ideal


def test_of_groups_found_together_the_highest_grade_comes_first():
    question = ask(wanted(1, 1), wanted(2, 3))
    assert score(Ndcg(), question, hit(0, 100, 300)) == 1
    assert score(Ndcg(k=1), question, hit(0, 100, 300)) == 1


def test_a_weaker_alternative_gains_less():
    question = ask([(0, 100, 200, 3), (0, 200, 300, 1)])
    assert score(Ndcg(), question, chunk(1)) == 1
    assert score(Ndcg(), question, chunk(2)) == pytest.approx(1 / 3)


def test_grade_0_is_not_relevant():
    assert values(ask(wanted(1), wanted(2, 0)), chunk(2), chunk(1)) == values(
        ask(wanted(1)), chunk(9), chunk(1)
    )


@pytest.mark.parametrize(
    ("start", "end", "coverage", "relevant"),
    [
        (140, 240, 0.5, True),  # 60 of the 100 characters of [100, 200)
        (150, 250, 0.5, True),  # exactly half
        (151, 251, 0.5, False),  # 49
        (200, 300, 0.1, False),  # touches, shares nothing
        (0, 400, 1.0, True),  # holds all of it
        (120, 130, 1.0, True),  # a chunk inside the evidence
        (95, 105, 0.5, True),  # half of a short chunk lies inside
        (94, 104, 0.5, False),
        (101, 400, 1.0, False),  # one character short
        (101, 400, 0.99, True),
    ],
)
def test_a_hit_serves_if_it_shares_enough_of_the_shorter(start, end, coverage, relevant):
    question = ask([(0, 100, 200)])
    assert values(question, hit(0, start, end), coverage=coverage) == [float(relevant)] * 4
    assert values(question, hit(1, start, end), coverage=coverage) == [0] * 4


def test_any_chunk_of_a_document_serves_whole_document_evidence():
    assert values(ask([(0, 0, 10_000)]), chunk(42)) == [1, 1, 1, 1]


@given(st.integers(1, 50), st.integers(1, 120), st.integers(0, 49))
@settings(max_examples=200, deadline=None)
def test_every_cutting_into_equal_chunks_has_one_that_serves(size, length, offset):
    question = ask([(0, 100 + offset, 100 + offset + length)])
    chunks = [hit(0, start, start + size) for start in range(0, 400, size)]
    assert score(HitRate(), question, *chunks) == 1


def test_nothing_retrieved_scores_0_and_no_evidence_is_undefined():
    assert values(ask(wanted(1))) == [0, 0, 0, 0]
    assert values(ask(wanted(1)), hit(0, 150, 150)) == [0, 0, 0, 0]
    for kind in KINDS:
        assert not kind().applies(ask())
        with pytest.raises(ConfigError, match="has no evidence"):
            score(kind(), ask(), chunk(1))


def agree(seed, k):
    """Score one random ranking of chunks here and with ir_measures."""
    rng = random.Random(seed)
    pool = rng.randint(2, 30)
    grades = {n: rng.randint(1, 3) for n in rng.sample(range(pool), rng.randint(1, min(8, pool)))}
    ranking = rng.sample(range(pool), rng.randint(1, pool))
    qrels = [ir_measures.Qrel("q", str(n), grade) for n, grade in grades.items()]
    run = [ir_measures.ScoredDoc("q", str(n), float(-i)) for i, n in enumerate(ranking)]
    theirs = [
        ir_measures.calc_aggregate([measure], qrels, run)[measure]
        for measure in (
            ir_measures.Success @ k,
            ir_measures.RR @ k,
            ir_measures.nDCG @ k,
            ir_measures.AP @ k,
        )
    ]
    question = ask(*(wanted(n, grade) for n, grade in grades.items()))
    return values(question, *map(chunk, ranking), k=k), theirs


@pytest.mark.parametrize("k", [1, 3, 5, 10, 100])
def test_agrees_with_ir_measures_where_each_group_is_one_chunk(k):
    for seed in range(60):
        ours, theirs = agree(seed, k)
        assert ours == pytest.approx(theirs, abs=1e-9), seed


passage = st.tuples(st.integers(0, 1), st.integers(0, 60), st.integers(1, 40)).map(
    lambda t: (t[0], t[1], t[1] + t[2])
)
graded = st.tuples(passage, st.integers(1, 3)).map(lambda t: (*t[0], t[1]))
questions = st.lists(st.lists(graded, min_size=1, max_size=3), min_size=1, max_size=4).map(
    lambda groups: ask(*groups)
)
rankings = st.lists(passage.map(lambda p: hit(*p)), max_size=8)
cuts = st.one_of(st.none(), st.integers(1, 6))


@given(questions, rankings, cuts)
@settings(max_examples=300, deadline=None)
def test_all_values_lie_in_0_to_1(question, hits, k):
    assert all(0 <= value <= 1 for value in values(question, *hits, k=k))


@given(questions, rankings.filter(bool), cuts, st.data())
@settings(max_examples=300, deadline=None)
def test_a_duplicate_never_raises(question, hits, k, data):
    first = data.draw(st.integers(0, len(hits) - 1))
    later = data.draw(st.integers(first + 1, len(hits)))
    padded = [*hits[:later], hits[first], *hits[later:]]
    before, after = values(question, *hits, k=k), values(question, *padded, k=k)
    assert all(b <= a + 1e-12 for a, b in zip(before, after, strict=True))


@given(questions, rankings, passage.map(lambda p: hit(*p)), cuts)
@settings(max_examples=300, deadline=None)
def test_one_more_hit_at_the_end_never_lowers(question, hits, more, k):
    before, after = values(question, *hits, k=k), values(question, *hits, more, k=k)
    assert all(b >= a - 1e-12 for a, b in zip(before, after, strict=True))


@given(questions, rankings, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_hit_rate_does_not_depend_on_order(question, hits, rng):
    shuffled = rng.sample(hits, len(hits))
    assert score(HitRate(), question, *hits) == score(HitRate(), question, *shuffled)
