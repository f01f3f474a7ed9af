import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.golden.excerpts import SHORTEST, cut_excerpts, in_turn
from pipelines.types import Corpus, Document

SENTENCE = "The harbour master of the old town keeps a list of every vessel. "


def corpus(*sizes):
    return Corpus(
        tuple(Document(f"d{n}", SENTENCE * size) for n, size in enumerate(sizes))
    )  # fmt: skip


@settings(deadline=None)  # the first call loads nltk
@given(st.text(alphabet="ab. \nC", max_size=600), st.integers(100, 300))
def test_passages_are_disjoint_and_in_order(text, longest):
    found = cut_excerpts(Corpus((Document("a", text),)), longest)
    for one, two in itertools.pairwise(found):
        assert one.end <= two.start
    for _, start, end in found:
        assert len("".join(text[start:end].split())) >= SHORTEST


def test_passages_keep_to_their_length_and_end_with_sentences():
    (document,) = docs = corpus(100)
    found = cut_excerpts(docs, 500)
    assert all(end - start <= 500 for _, start, end in found)
    assert all(document.text[end - 1] == "." for _, start, end in found)
    assert sum(document.text[s:e].count("vessel") for _, s, e in found) == 100


def test_a_blank_line_ends_a_passage_that_is_half_full():
    text = SENTENCE * 4 + "\n\n" + SENTENCE * 4
    first, second = cut_excerpts(Corpus((Document("a", text),)), 500)
    assert text[first.end : second.start].count("\n") == 2


def test_documents_take_turns_whatever_their_size():
    docs = corpus(200, 20, 40)
    order = in_turn(docs, cut_excerpts(docs, 500), seed=3)
    assert sorted(order) == cut_excerpts(docs, 500)
    assert {e.doc for e in order[:3]} == {0, 1, 2}
    assert {e.doc for e in order[3:6]} == {0, 1, 2}


def test_the_order_depends_on_the_seed_and_not_on_other_documents():
    docs = corpus(60, 60)
    own = cut_excerpts(docs, 300)
    assert in_turn(docs, own, 1) == in_turn(docs, own, 1)
    assert in_turn(docs, own, 1) != in_turn(docs, own, 2)
    alone = corpus(60)
    ordered = [e for e in in_turn(docs, own, 1) if e.doc == 0]
    assert ordered == in_turn(alone, cut_excerpts(alone, 300), 1)
