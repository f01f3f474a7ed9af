"""Answer metrics against worked examples, a plain dynamic programme, and as properties."""

from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.metrics import (
    Contains,
    ExactMatch,
    RougeL,
    SemanticSimilarity,
    TokenF1,
    parse_metric,
)
from pipelines.metrics.answers import common_subsequence, squad_words
from pipelines.roles import Bench, CorpusEmbedder, Embedded, Embedder
from pipelines.types import Corpus, Question, Response
from raytuner.component import ConfigError, digest
from raytuner.objective import Tally

TEXT_METRICS = (Contains(), ExactMatch(), TokenF1(), RougeL())


class Calls(list):
    """The texts of each call to `bench.embed`."""


def bench(calls=None):
    def embed(embedder, texts):
        if calls is not None:
            calls.append(list(texts))
        return embedder.embed(texts, query=False, meter=Tally()).vectors

    def token_starts(tokenizer, doc):
        raise AssertionError("answer metrics count no tokens of documents")

    return Bench(Corpus(()), token_starts, embed)


@pytest.fixture
def letters():
    """Embed a text as the counts of its letters."""

    class Letters(Embedder, kind="letters"):
        scale: float = 1.0

        def fingerprint(self):
            return f"letters:{self.scale}"

        def embed(self, texts, *, query, meter):
            rows = [[text.lower().count(c) for c in string.ascii_lowercase] for text in texts]
            counts = np.array(rows, dtype=np.float32).reshape(-1, 26)
            lengths = np.linalg.norm(counts, axis=1, keepdims=True)
            vectors = np.divide(counts, lengths, out=np.zeros_like(counts), where=lengths > 0)
            return Embedded(vectors, np.zeros(len(texts), np.int64))

    class Fitted(CorpusEmbedder, kind="fitted-letters"):
        def fingerprint(self):
            return "fitted"

        def fit_embed(self, documents, queries):
            raise AssertionError("never fitted")

    yield Letters
    for kind in ("letters", "fitted-letters"):
        Embedder._kinds.pop(kind)


def compare(metric, answer, reference):
    question = Question("q", "?", answer=reference)
    return metric.score(question, Response((), answer), bench())


def test_normalisation_of_squad():
    assert squad_words("The  Quick, brown fox; an A-list") == ["quick", "brown", "fox", "alist"]
    assert squad_words("“Don’t” — the $5.00 don't") == ["dont", "500", "dont"]
    assert squad_words("theatre a") == ["theatre"]


@pytest.mark.parametrize(
    ("answer", "reference", "equal", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1, 1),
        # 2 common words of 3 and 2: precision 2/3, recall 1.
        ("in Eiffel Tower", "the Eiffel Tower", 0, 4 / 5),
        # "red" is common once only: 1 of 3 and 1 of 2.
        ("red red red", "red house", 0, 2 / 5),
        ("tower Eiffel", "Eiffel tower", 0, 1),
        ("Berlin", "Paris", 0, 0),
        ("the", "an", 1, 1),
        ("the", "Paris", 0, 0),
    ],
)
def test_exact_match_and_token_f1(answer, reference, equal, f1):
    assert compare(ExactMatch(), answer, reference) == equal
    assert compare(TokenF1(), answer, reference) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("It is the Eiffel Tower, in Paris.", "eiffel tower", 1),
        ("It is the tower of Mr Eiffel.", "Eiffel tower", 0),
        ("A tower; Eiffel's", "tower", 1),
        ("towers", "tower", 0),
        ("Paris", "the", 1),
    ],
)
def test_contains_looks_for_the_words_in_a_row(answer, reference, value):
    assert compare(Contains(), answer, reference) == value


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("police kill the gunman", 3 / 4),  # the examples of Lin (2004), section 3.1
        ("the gunman kill police", 2 / 4),
        ("the gunman police killed", 2 / 4),
        ("Police killed the gunman.", 1),
        ("police killed the armed gunman", 2 * 4 / 9),
        ("nobody", 0),
        ("?!", 0),
    ],
)
def test_rouge_l(answer, value):
    assert compare(RougeL(), answer, "police killed the gunman") == pytest.approx(value)


def plain_subsequence(one, other):
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            longest = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else longest
    return table[-1][-1]


few_words = st.lists(st.sampled_from(["red", "green", "blue", "grey"]), max_size=90)


@given(few_words, few_words)
@settings(max_examples=100, deadline=None)
def test_longest_common_subsequence_is_that_of_the_plain_table(one, other):
    assert common_subsequence(one, other) == plain_subsequence(one, other)


texts = st.text(alphabet=st.sampled_from("abt he.,’é中\n"), max_size=30)


@given(texts, texts)
@settings(max_examples=300, deadline=None)
def test_text_metrics_lie_in_0_to_1_and_all_but_contains_are_symmetric(one, other):
    for metric in TEXT_METRICS:
        value = compare(metric, one, other)
        assert 0 <= value <= 1
        if one.strip() and other.strip() and not isinstance(metric, Contains):
            assert value == compare(metric, other, one)


@given(texts, texts)
@settings(max_examples=200, deadline=None)
def test_exact_match_implies_full_token_f1(one, other):
    if compare(ExactMatch(), one, other):
        assert compare(TokenF1(), one, other) == 1


@pytest.mark.parametrize("blank", [None, "", "  \n"])
def test_no_answer_scores_0(blank, letters):
    for metric in (*TEXT_METRICS, SemanticSimilarity(embedder="letters")):
        assert compare(metric, blank, "Paris") == 0
        assert compare(metric, blank, "the") == 0


def test_without_reference_answer_the_metric_is_undefined(letters):
    for metric in (*TEXT_METRICS, SemanticSimilarity(embedder="letters")):
        assert metric.needs_answer
        assert metric.applies(Question("q", "?", answer=""))
        assert not metric.applies(Question("q", "?"))
        with pytest.raises(ConfigError, match="question 'q' has no reference answer"):
            compare(metric, "Paris", None)


def test_semantic_similarity_is_the_cosine(letters):
    metric = SemanticSimilarity(embedder="letters")
    assert compare(metric, "aab", "abb") == pytest.approx(4 / 5)
    assert compare(metric, "abc", "cab") == pytest.approx(1)
    assert compare(metric, "abc", "xyz") == 0
    assert compare(metric, "123", "abc") == 0
    assert compare(metric, "abc", " ") == 0


def test_a_batch_embeds_every_distinct_text_once_and_scores_as_one_by_one(letters):
    wanted = ["abc", "xyz", "abc", "abd"]
    given_answers = ["abd", None, "abc", "cab"]
    questions = [Question(str(i), "?", answer=text) for i, text in enumerate(wanted)]
    responses = [Response((), text) for text in given_answers]
    calls = Calls()
    metric = SemanticSimilarity(embedder="letters")
    batch = metric.scores(questions, responses, bench(calls))
    assert calls == [["abd", "abc", "cab"]]
    pairs = zip(questions, responses, strict=True)
    assert batch == [metric.score(q, r, bench()) for q, r in pairs]
    assert metric.scores(questions[:1], [Response(())], bench(calls)) == [0]
    assert len(calls) == 1


def test_opposite_vectors_score_0(letters):
    def embed(embedder, texts):
        return np.array([[1, 0], [-1, 0]], dtype=np.float32)

    opposed = Bench(Corpus(()), bench().token_starts, embed)
    question, response = Question("q", "?", answer="yes"), Response((), "no")
    assert SemanticSimilarity(embedder="letters").score(question, response, opposed) == 0


def test_an_embedder_that_needs_a_corpus_is_refused(letters):
    with pytest.raises(ValueError, match="fitted-letters is fitted on a corpus"):
        SemanticSimilarity(embedder="fitted-letters")


def test_the_name_tells_embedders_apart(letters):
    assert SemanticSimilarity().name == "semantic-similarity"
    short = SemanticSimilarity(embedder={"kind": "minilm", "max_tokens": 128})
    assert short.name == "semantic-similarity(embedder.max_tokens=128)"
    assert digest(short) != digest(SemanticSimilarity())
    scaled = SemanticSimilarity(embedder=letters(scale=2.0))
    assert scaled.name == "semantic-similarity(embedder=letters,embedder.scale=2.0)"
    assert parse_metric(scaled.name) == scaled


def test_the_default_embedder_is_an_embedder_of_this_package():
    assert parse_metric("semantic-similarity").name == "semantic-similarity"
