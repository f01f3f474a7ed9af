"""Anchors name exactly the characters a reader would point at."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.samples.anchors import resolve

TEXT = """\
Header
======

A first paragraph, whose second line
goes on here. And more.

Parameters
----------
how : str
    What to do, over
    two lines.
size : int
    How many:

    - 'a': one, which
      goes on.
    - 'b': two.

Notes
-----
The last words."""


def found(anchor: str, until: str | None = None) -> str:
    begin, end = resolve(TEXT, 0, len(TEXT), anchor, until)
    return TEXT[begin:end]


@pytest.mark.parametrize(
    ("anchor", "until", "expected"),
    [
        ("A first", None, "A first paragraph, whose second line\ngoes on here. And more."),
        ("And more", None, "And more."),
        ("second line goes", None, "second line\ngoes on here. And more."),
        ("how : str", None, "how : str\n    What to do, over\n    two lines."),
        ("What to do", None, "What to do, over\n    two lines."),
        ("size :", None, "size : int\n    How many:"),
        (
            "size :",
            "goes on.",
            "size : int\n    How many:\n\n    - 'a': one, which\n      goes on.",
        ),
        ("- 'a'", None, "- 'a': one, which\n      goes on."),
        ("- 'b'", None, "- 'b': two."),
        ("The last", None, "The last words."),
        ("A first", "second line", "A first paragraph, whose second line"),
    ],
)
def test_span_ends_with_its_paragraph_entry_or_last_words(anchor, until, expected):
    assert found(anchor, until) == expected


@pytest.mark.parametrize("anchor", ["goes on", "no such words", "Or"])
def test_anchor_must_occur_once(anchor):
    with pytest.raises(ValueError, match=r"occur \d times, not once"):
        found(anchor)


def test_until_must_follow_the_anchor():
    with pytest.raises(ValueError, match="do not follow"):
        found("The last", "A first")


def test_only_the_given_part_of_the_text_counts():
    start = TEXT.index("size :")
    assert resolve(TEXT, start, len(TEXT), "goes on", None)[0] > start
    with pytest.raises(ValueError, match="0 times"):
        resolve(TEXT, start, len(TEXT), "A first", None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_span_begins_with_the_anchor_and_stays_inside(data):
    words = TEXT.split()
    first = data.draw(st.integers(0, len(words) - 1))
    phrase = " ".join(words[first : first + data.draw(st.integers(2, 12))])
    try:
        begin, end = resolve(TEXT, 0, len(TEXT), phrase, None)
    except ValueError:
        return
    assert 0 <= begin < end <= len(TEXT)
    assert " ".join(TEXT[begin:end].split()).startswith(phrase)
    assert TEXT[begin:end] == TEXT[begin:end].strip()
