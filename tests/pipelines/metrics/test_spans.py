"""Span metrics against worked examples and a brute-force character-set implementation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.metrics import ContextRecall, Iou, Precision, PrecisionOmega, Recall
from pipelines.roles import Bench
from pipelines.tokenizers import tokenizer
from pipelines.types import Corpus, Document, Hit, Question, Response, Span
from raytuner.component import ConfigError, digest

LENGTH = 60
TEXT = "abcd " * 12
CORPUS = Corpus(tuple(Document(f"{n}.txt", TEXT) for n in range(3)))


def no_vectors(embedder, texts):
    raise AssertionError("span metrics embed nothing")


def bench_of(corpus):
    return Bench(
        corpus, lambda name, doc: tokenizer(name).starts(corpus.documents[doc].text), no_vectors
    )


BENCH = bench_of(CORPUS)


def budget(tokens):
    """Recall within so many words; in TEXT a word starts at 0, 5, 10, ..."""
    return ContextRecall(tokens=tokens, tokenizer="words")


def hit(doc, start, end):
    return Hit(doc, start, end, 1.0, CORPUS.documents[doc].text[start:end])


def ask(*groups):
    return Question("q", "?", tuple(tuple(Span(*s) for s in group) for group in groups))


def score(metric, question, *hits):
    return metric.score(question, Response(tuple(hits)), BENCH)


def characters(passages):
    return {(p[0], i) for p in passages for i in range(p[1], p[2])}


passage = st.tuples(st.integers(0, 2), st.integers(0, LENGTH - 1), st.integers(1, 30)).map(
    lambda t: (t[0], t[1], min(LENGTH, t[1] + t[2]))
)
hits = st.lists(passage.map(lambda t: hit(*t)), max_size=6)
one_span_groups = st.lists(passage, min_size=1, max_size=4).map(lambda ps: ask(*([p] for p in ps)))
any_groups = st.lists(st.lists(passage, min_size=1, max_size=3), min_size=1, max_size=3).map(
    lambda gs: ask(*gs)
)
ALL = [Recall(), Recall(k=2), Precision(), Precision(k=2), Iou(), Iou(k=2), PrecisionOmega()]
ALL += [budget(3), ContextRecall(tokens=17, tokenizer="characters")]


def test_one_reference_half_covered_by_two_overlapping_chunks():
    # Evidence [10, 30): 20 characters. Chunks [0, 15) and [5, 20) cover [10, 20): 10 of them.
    # Chunk lengths 15 + 15 = 30 although together they cover 20; missed are 10.
    question, found = ask([(0, 10, 30)]), [hit(0, 0, 15), hit(0, 5, 20)]
    assert score(Recall(), question, *found) == 10 / 20
    assert score(Precision(), question, *found) == 10 / 30
    assert score(Iou(), question, *found) == 10 / (30 + 10)


def test_the_first_k_hits_count():
    question, found = ask([(0, 0, 10)]), [hit(1, 0, 10), hit(0, 0, 5), hit(0, 5, 10)]
    assert score(Recall(k=1), question, *found) == 0
    assert score(Recall(k=2), question, *found) == 0.5
    assert score(Precision(k=2), question, *found) == 5 / 15
    assert score(Iou(k=3), question, *found) == 10 / 20
    assert score(Recall(k=9), question, *found) == score(Recall(), question, *found) == 1


def test_evidence_in_another_document_is_not_found():
    question = ask([(0, 0, 10)])
    assert [score(m, question, hit(1, 0, 10)) for m in (Recall(), Precision(), Iou())] == [0, 0, 0]


def test_any_alternative_serves_and_copies_are_not_asked_for():
    question = ask([(0, 0, 10), (1, 20, 30)], [(2, 0, 30)])
    copy = hit(1, 20, 30)
    assert score(Recall(), question, copy) == 10 / 40
    assert score(Precision(), question, copy) == 1
    # The second copy adds no evidence, only text.
    assert score(Recall(), question, copy, hit(0, 0, 10)) == 10 / 40
    assert score(Precision(), question, copy, hit(0, 0, 10)) == 10 / 20


def test_a_long_alternative_weighs_no_more_than_the_short_one():
    question = ask([(0, 0, 10), (1, 0, 60)], [(2, 0, 10)])
    both_halves = [hit(0, 0, 5), hit(2, 0, 10)]
    assert score(Recall(), question, *both_halves) == 15 / 20
    assert score(Recall(), question, *both_halves, hit(1, 0, 36)) == 16 / 20


def test_overlapping_groups_count_once():
    question = ask([(0, 0, 20)], [(0, 10, 30)])
    assert score(Recall(), question, hit(0, 0, 20)) == 20 / 30
    assert score(Recall(), question, hit(0, 0, 30)) == 1
    assert score(Precision(), question, hit(0, 0, 40)) == 30 / 40


def test_spans_that_are_empty_or_of_grade_0_are_no_evidence():
    question = ask([(0, 0, 10)], [(0, 20, 20)], [(0, 30, 40, 0)])
    assert score(Recall(), question, hit(0, 0, 10)) == 1
    assert score(Precision(), question, hit(0, 30, 40)) == 0


@pytest.mark.parametrize("metric", ALL, ids=lambda m: m.name)
def test_nothing_retrieved_scores_0_and_no_evidence_is_undefined(metric):
    assert score(metric, ask([(0, 0, 10)])) == 0
    assert metric.applies(ask([(0, 0, 10)]))
    for unanswerable in (ask(), ask([(0, 5, 5)]), ask([(0, 0, 5, 0)])):
        assert not metric.applies(unanswerable)
        with pytest.raises(ConfigError, match="question 'q' has no evidence"):
            score(metric, unanswerable, hit(0, 0, 10))


@given(one_span_groups, hits)
@settings(max_examples=300, deadline=None)
def test_one_span_per_group_is_arithmetic_on_character_sets(question, found):
    evidence = characters(group[0] for group in question.evidence)
    both = len(evidence & characters(found))
    retrieved = sum(h.end - h.start for h in found)
    assert score(Recall(), question, *found) == pytest.approx(both / len(evidence), abs=1e-12)
    assert score(Precision(), question, *found) == (both / retrieved if retrieved else 0)
    assert score(Iou(), question, *found) == both / (retrieved + len(evidence) - both)


@given(one_span_groups, hits)
@settings(max_examples=200, deadline=None)
def test_precision_omega_on_character_sets(question, chunks):
    evidence = characters(group[0] for group in question.evidence)
    holding = characters(c for c in chunks if characters([c]) & evidence)
    assert score(PrecisionOmega(), question, *chunks) == len(evidence & holding) / len(
        evidence | holding
    )


@given(any_groups, hits)
@settings(max_examples=200, deadline=None)
def test_all_values_lie_in_0_to_1(question, found):
    for metric in ALL:
        assert 0 <= score(metric, question, *found) <= 1


@given(any_groups, hits, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_order_of_hits_groups_and_alternatives_does_not_matter(question, found, random):
    groups = [tuple(random.sample(g, len(g))) for g in question.evidence]
    other = Question("q", "?", tuple(random.sample(groups, len(groups))))
    shuffled = random.sample(found, len(found))
    for metric in (Recall(), Precision(), Iou(), PrecisionOmega()):
        assert score(metric, other, *shuffled) == pytest.approx(score(metric, question, *found))


@given(any_groups, hits, passage.map(lambda p: hit(*p)))
@settings(max_examples=300, deadline=None)
def test_one_more_hit_never_lowers_recall(question, found, more):
    for metric in (Recall(), budget(7), budget(40)):
        after = score(metric, question, *found, more)
        assert after >= score(metric, question, *found) - 1e-12


@given(any_groups, hits)
@settings(max_examples=200, deadline=None)
def test_a_larger_budget_never_lowers_recall_and_a_huge_one_is_plain_recall(question, found):
    values = [score(budget(n), question, *found) for n in (1, 2, 4, 8, 16, 999)]
    assert values == sorted(values)
    assert values[-1] == score(Recall(), question, *found)


def test_whole_evidence_alone_is_perfect():
    question = ask([(0, 0, 10), (1, 0, 10)], [(2, 30, 60)])
    found = [hit(1, 0, 10), hit(2, 30, 60)]
    assert [score(m, question, *found) for m in (Recall(), Precision(), Iou())] == [1, 1, 1]
    assert score(PrecisionOmega(), question, *found) == 1


def test_precision_omega_of_contiguous_chunks_of_ten():
    chunks = [hit(0, start, start + 10) for start in range(0, 60, 10)]
    # [15, 25) lies in two chunks of ten; [20, 30) is one chunk, and those beside it only touch it.
    assert score(PrecisionOmega(), ask([(0, 15, 25)]), *chunks) == 10 / 20
    assert score(PrecisionOmega(), ask([(0, 20, 30)]), *chunks) == 1
    # Of two copies the one that the chunks wrap more tightly is the limit.
    assert score(PrecisionOmega(), ask([(0, 15, 25), (0, 30, 40)]), *chunks) == 1


def test_precision_omega_counts_overlapping_chunks_once_and_uncovered_evidence_in_full():
    assert score(PrecisionOmega(), ask([(0, 5, 15)]), hit(0, 0, 12), hit(0, 8, 20)) == 10 / 20
    assert score(PrecisionOmega(), ask([(0, 5, 15)]), hit(0, 0, 10)) == 5 / 15
    assert PrecisionOmega.needs_chunks
    assert not Recall.needs_chunks


def test_the_hit_that_crosses_the_budget_is_cut_where_the_next_token_starts():
    question, metric = ask([(0, 0, 40)]), budget(3)
    # Tokens start at 0, 5, 10, ...; three tokens reach up to 15.
    assert score(metric, question, hit(0, 0, 40)) == 15 / 40
    # One token in [0, 5), two more in [20, 40): up to 30.
    assert score(metric, question, hit(0, 0, 5), hit(0, 20, 40)) == 15 / 40
    # [2, 8) holds one start, at 5; the next hit has room for two: 10 and 15, up to 20.
    assert score(metric, question, hit(0, 2, 8), hit(0, 8, 40)) == 18 / 40


def test_a_full_budget_takes_nothing_more():
    question = ask([(0, 0, 20)])
    # [12, 14) starts no token, but the budget is used up before it comes.
    assert score(budget(2), question, hit(0, 0, 10), hit(0, 12, 14)) == 10 / 20
    assert score(budget(3), question, hit(0, 0, 10), hit(0, 12, 14)) == 12 / 20


def test_repeated_text_costs_budget_again():
    question, metric = ask([(0, 0, 20)]), budget(4)
    assert score(metric, question, hit(0, 0, 10), hit(0, 10, 20)) == 1
    assert score(metric, question, hit(0, 0, 10), hit(0, 5, 15), hit(0, 10, 20)) == 15 / 20
    assert score(metric, question, hit(0, 0, 10), hit(0, 0, 10), hit(0, 10, 20)) == 10 / 20


def test_a_hit_without_evidence_before_the_evidence_costs_recall_at_a_budget():
    question, metric = ask([(0, 0, 10)]), budget(2)
    assert score(metric, question, hit(0, 0, 10), hit(1, 0, 5)) == 1
    assert score(metric, question, hit(1, 0, 5), hit(0, 0, 10)) == 0.5


def test_the_tokenizer_counts_the_tokens():
    question = ask([(0, 0, 20)])
    assert score(budget(2), question, hit(0, 0, 20)) == 10 / 20
    assert score(ContextRecall(tokens=2, tokenizer="characters"), question, hit(0, 0, 20)) == 0.1
    assert digest(budget(2)) != digest(ContextRecall(tokens=2, tokenizer="characters"))


@given(st.text(alphabet="ab é中😀🏽\n", min_size=1, max_size=60), st.integers(1, 20), st.data())
@settings(max_examples=100, deadline=None)
def test_never_more_tokens_than_the_budget_and_as_many_as_fit(text, tokens, data):
    bench = bench_of(Corpus((Document("d", text),)))
    ends = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    found = [Hit(0, a, b, 1.0, text[a:b]) for a, b in data.draw(st.lists(ends, max_size=4))]
    starts = bench.token_starts("cl100k", 0)

    def counted(passages):
        return sum(int(((starts >= p.start) & (starts < p.end)).sum()) for p in passages)

    kept = ContextRecall(tokens=tokens).within_budget(found, bench)
    assert counted(kept) <= tokens
    if counted(found) < tokens:
        assert [(p.start, p.end) for p in kept] == [(h.start, h.end) for h in found]
    elif len(set(starts.tolist())) == len(starts):
        assert counted(kept) == tokens
