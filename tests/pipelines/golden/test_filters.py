import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.golden.excerpts import Excerpt
from pipelines.golden.filters import (
    GIVES_AWAY,
    LENGTH,
    REFERS,
    Asked,
    Draft,
    find_quote,
    flaw,
    word_f1,
)
from pipelines.golden.jsonl import read_question
from pipelines.golden.spans import Locator
from pipelines.types import Corpus, Document, Span

QUOTE = "Refunds are paid within 30 days."


@pytest.mark.parametrize(
    "question",
    [
        "According to the passage, when are refunds paid?",
        "When are refunds paid according to this document?",
        "What does the text say about refunds?",
        "Which refunds are described in the text?",
        "What is the topic of the above excerpt?",
        "In the passage, what is paid?",
        "Based on the provided context, when is it paid?",
        "What is in passage 17 about refunds?",
    ],
)
def test_questions_that_speak_of_their_passage_are_refused(question):
    assert flaw(question, "within 30 days", QUOTE) == REFERS


@pytest.mark.parametrize(
    "question",
    [
        "When are refunds paid?",
        "How do I sign a document in the archive?",
        "What does according to mean in the contract of 1998?",
        "Where is the context menu of the editor?",
        "How do I find text in the document store?",
        "Which text editor does the tutorial use?",
    ],
)
def test_questions_of_users_are_not(question):
    assert flaw(question, "within 30 days", QUOTE) is None


def test_a_question_must_not_hold_its_answer():
    assert flaw("Are refunds paid within 30 days?", "Within 30 days.", QUOTE) == GIVES_AWAY
    assert flaw("Are refunds paid after 30 days?", "30", QUOTE) is None


@pytest.mark.parametrize(
    ("question", "answer", "quote"),
    [("Why?", "x", QUOTE), ("w" * 301, "x", QUOTE), ("When is it paid?", "", QUOTE),
     ("When is it paid?", "x" * 601, QUOTE), ("When is it paid?", "x", "short"),
     ("When is it paid?", "x", "q" * 1001)],
)  # fmt: skip
def test_lengths_have_limits(question, answer, quote):
    assert flaw(question, answer, quote) == LENGTH


def test_a_quote_is_found_in_its_passage_only_and_kept_as_the_document_has_it():
    corpus = Corpus((Document("a", "One two. One\n  two. Three."),))
    assert find_quote("One two.", Excerpt(0, 0, 26), corpus) == Span(0, 0, 8)
    assert find_quote("One two.", Excerpt(0, 9, 26), corpus) == Span(0, 9, 19)
    assert find_quote("Three.", Excerpt(0, 0, 19), corpus) is None
    assert find_quote("one two.", Excerpt(0, 0, 26), corpus) is None
    assert find_quote("  ", Excerpt(0, 0, 26), corpus) is None


@given(st.text(alphabet="ab. \n", min_size=1, max_size=40), st.data())
def test_every_record_reads_back_as_its_evidence(text, data):
    if not text.strip():
        return
    corpus = Corpus((Document("a", text),))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    if text[start].isspace() or text[end - 1].isspace():
        return
    locator = Locator(corpus)
    record = Draft("What is it?", "that", Span(0, start, end), ("t",)).record(locator)
    question = read_question(record, locator, "here")
    assert question.evidence == ((Span(0, start, end),),)
    assert question.group == "a"


def test_questions_that_are_much_alike_are_one():
    asked = Asked(["How long do I have to return a broken lamp?", "Who is it?"])
    assert asked.like("How long may a broken lamp be returned?") is not None
    assert asked.like("how long do i have to return a broken lamp") is not None
    assert asked.like("who is it") == "Who is it?"
    assert asked.like("Who returns a broken promise to the court?") is None
    assert asked.like("Who are they?") is None
    asked.add("Which court hears promises?")
    assert asked.like("Which courts hear a promise?") == "Which court hears promises?"


def test_numbers_tell_questions_apart():
    asked = Asked(["What changed in version 2 of the storage format?"])
    assert asked.like("What changed in version 3 of the storage layer?") is None


def test_word_f1_compares_bags_of_words():
    assert word_f1("30 days.", "30 Days") == 1
    assert word_f1("", "30") == 0
    assert word_f1("a b", "b c") == 0.5
