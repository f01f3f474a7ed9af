import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.golden.spans import Locator, several_places
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

CORPUS = Corpus(
    (
        Document("a.txt", "One fish,  two\nfish.\r\n\r\nRed fish, blue fish."),
        Document("b.txt", "Nothing of that kind. Red herring."),
    )
)


@pytest.fixture
def locator() -> Locator:
    return Locator(CORPUS)


def test_an_exact_quote_is_found_in_any_document(locator: Locator) -> None:
    assert locator.quote("Red herring", None, "here") == Span(1, 22, 33)
    assert locator.quote("blue fish", 0, "here", grade=3) == Span(0, 34, 43, 3)


def test_a_quote_may_differ_in_white_space(locator: Locator) -> None:
    span = locator.quote(" fish, two fish.\n Red fish", None, "here")
    assert CORPUS.documents[0].text[span.start : span.end] == ("fish,  two\nfish.\r\n\r\nRed fish")


def test_ambiguous_and_missing_quotes_say_what_to_do(locator: Locator) -> None:
    with pytest.raises(ConfigError) as error:
        locator.quote("Red", None, "q.jsonl, line 3")
    assert str(error.value) == (
        "q.jsonl, line 3: the quote 'Red' is in 2 places, 'a.txt' at 24 and 'b.txt' at 22 first; "
        "give `doc` and `start` (with `end`), or a longer quote"
    )
    assert locator.quote("Red", 1, "x") == Span(1, 22, 25)
    with pytest.raises(ConfigError, match="'green eggs' is in none of the 2 documents; copy it"):
        locator.quote("green eggs", None, "x")
    with pytest.raises(ConfigError, match=r"is not in 'a\.txt'; it is in 'b\.txt' at 26"):
        locator.quote("herring", 0, "x")
    with pytest.raises(ConfigError, match=r"is not in 'a\.txt'; copy it literally"):
        locator.quote("green", 0, "x")


def test_offsets_are_checked_against_the_text(locator: Locator) -> None:
    assert locator.slice(0, 0, 3, "x", text="One") == Span(0, 0, 3)
    with pytest.raises(ConfigError, match=r"characters 0 to 3 of 'a\.txt' are 'One', not 'Two'"):
        locator.slice(0, 0, 3, "x", text="Two")
    for start, end in [(-1, 3), (3, 3), (5, 4), (0, 99)]:
        with pytest.raises(ConfigError, match=f"start {start} and end {end} .* <= 44 is needed"):
            locator.slice(0, start, end, "x", text=None)
    with pytest.raises(ConfigError, match="only white space"):
        locator.slice(0, 20, 23, "x", text=None)


def test_unknown_documents_come_with_the_nearest_name(locator: Locator) -> None:
    assert locator.number("b.txt", "x") == 1
    with pytest.raises(ConfigError, match=r"no document 'b\.tx' among the 2 .*mean 'b\.txt'"):
        locator.number("b.tx", "x")


WORDS = st.lists(st.sampled_from(["a", "bb", "ccc", "Å", "\U0001f600"]), min_size=1, max_size=12)
BLANKS = st.sampled_from([" ", "\n", "  ", "\r\n\t", "\u00a0", "\u2028\n"])


@given(words=WORDS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_flat_matches_equal_a_search_by_regular_expression(
    words: list[str], data: st.DataObject
) -> None:
    text = "".join(word + data.draw(BLANKS) for word in words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first + 1, len(words)))
    quote = " ".join(words[first:last])
    pattern = r"\s+".join(map(re.escape, words[first:last]))
    expected = [m.span(1) for m in re.finditer(f"(?=({pattern}))", text)]  # overlapping ones too
    exact = [m.span(1) for m in re.finditer(f"(?=({re.escape(quote)}))", text)]
    found = Locator(Corpus((Document("d", text),))).places(quote)
    assert [(span.start, span.end) for span in found] == (exact or expected)
    assert found


def test_places_that_overlap_are_several() -> None:
    locator = Locator(Corpus((Document("a", "x----y"),)))
    assert [span.start for span in locator.places("---")] == [1, 2]
    with pytest.raises(ConfigError, match="is in 2 places, 'a' at 1 and 'a' at 2"):
        locator.quote("---", 0, "here")


def test_warning_of_several_places_counts_and_names_the_first() -> None:
    assert several_places([], "passage") == []
    (sentence,) = several_places(["p1", "p2"], "passage")
    assert sentence.startswith("2 passage(s) occur in several places")
    assert "'p1'" in sentence
