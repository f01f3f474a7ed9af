import time
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.preprocess import (
    Boilerplate,
    Dehyphenate,
    Lowercase,
    Unicode,
    Whitespace,
    compose,
    substitute,
)
from pipelines.roles import Edited, Preprocessor

STEPS = [
    Whitespace(),
    Whitespace(blank_lines=0, indent=True),
    Lowercase(),
    Unicode(),
    Unicode(form="NFC", drop_invisible=False),
    Dehyphenate(),
    Dehyphenate(letters=1),
    Boilerplate(),
    Boilerplate(repeats=2, longest=3),
]
NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("aaBbc  \t\n\n\r-‐123.|ﬁİΣσéeK")),
        st.sampled_from(list("\u0301\u0323\u0345\u1100\u1161\u11a8\u00ad\u200b\ufeff\u00a0\u2028")),
        st.characters(codec="utf-8"),
    ),
    max_size=60,
)
LINES = st.lists(
    st.sampled_from(
        ["", "Home", "Page 3", "1", "2", "7", "text", "  text ", "exam-", "ple", "---"]
    ),
    max_size=14,
).map("\n".join)
TEXTS = st.one_of(NASTY, LINES)


def check_contract(original: str, edited: Edited) -> None:
    text, origin = edited
    assert origin.dtype == np.int64
    assert len(origin) == len(text) + 1
    assert origin[-1] == len(original)
    assert np.all(np.diff(origin) >= 0)
    assert np.all(origin[:-1] < len(original))
    assert np.all(origin >= 0)


@pytest.mark.parametrize("step", STEPS, ids=repr)
@given(text=TEXTS)
@settings(max_examples=120, deadline=None)
def test_offsets_are_complete_ordered_and_steps_idempotent(step: Preprocessor, text: str) -> None:
    edited = step.apply(text)
    check_contract(text, edited)
    assert step.apply(edited.text).text == edited.text


@given(text=TEXTS, chosen=st.lists(st.sampled_from(STEPS), max_size=4))
@settings(max_examples=150, deadline=None)
def test_compose_equals_applying_one_after_another(text: str, chosen: list[Preprocessor]) -> None:
    composed = compose(chosen, text)
    check_contract(text, composed)
    current, origin = text, list(range(len(text) + 1))
    for step in chosen:
        edited = step.apply(current)
        current, origin = edited.text, [origin[i] for i in edited.origin]
    assert composed.text == current
    assert composed.origin.tolist() == origin


@given(
    text=TEXTS,
    step=st.sampled_from([Whitespace(indent=True), Dehyphenate(), Boilerplate()]),
)
@settings(max_examples=150, deadline=None)
def test_steps_that_only_drop_keep_every_other_character(text: str, step: Preprocessor) -> None:
    edited = step.apply(text)
    for char, source in zip(edited.text, edited.origin[:-1], strict=True):
        assert char == text[source] or (char in " \n" and text[source].isspace())


@given(text=NASTY)
@settings(max_examples=400, deadline=None)
def test_unicode_equals_the_standard_library(text: str) -> None:
    for form in ("NFC", "NFKC"):
        step = Unicode(form=form, drop_invisible=False)
        assert step.apply(text).text == unicodedata.normalize(form, text)


@given(text=NASTY)
@settings(max_examples=100, deadline=None)
def test_lowercase_equals_the_standard_library(text: str) -> None:
    assert Lowercase().apply(text).text == text.lower()


def test_normalisation_segments_cover_every_code_point() -> None:
    step = Unicode(drop_invisible=False)
    chars = [chr(c) for c in range(0xC0, 0x3134F) if not 0xD800 <= c < 0xE000]
    chars = [c for c in chars if unicodedata.decomposition(c) or unicodedata.combining(c)]
    text = "".join(f"e{c}" for c in chars) + "".join(chars)
    assert step.apply(text).text == unicodedata.normalize("NFKC", text)


def test_lowercase_keeps_offsets_after_a_letter_that_grows() -> None:
    edited = Lowercase().apply("İzmir ABC")
    assert edited.text == "i\u0307zmir abc"
    start = edited.text.index("abc")
    assert edited.origin[start] == "İzmir ABC".index("ABC")
    assert edited.origin[:3].tolist() == [0, 0, 1]


def test_whitespace_collapses_blanks_and_blank_lines() -> None:
    text = "  a \t b  \r\n\r\n\r\n\r\n  c\n\nd   "
    assert Whitespace().apply(text).text == " a b\n\n c\n\nd"
    assert Whitespace(indent=True).apply(text).text == "  a b\n\n  c\n\nd"
    assert Whitespace(blank_lines=0).apply(text).text == " a b\n c\nd"


def test_a_slice_maps_back_to_the_original_characters() -> None:
    text = "one   two\n\n\n\nthree"
    edited = Whitespace().apply(text)
    a = edited.text.index("two")
    b = len(edited.text)
    assert text[edited.origin[a] : edited.origin[b - 1] + 1] == "two\n\n\n\nthree"


def test_unicode_takes_ligatures_apart_and_drops_invisible_characters() -> None:
    edited = Unicode().apply("ﬁrst\u200b ｗｏｒｄ² so\u00adft")
    assert edited.text == "first word2 soft"
    assert edited.origin[:3].tolist() == [0, 0, 1]
    assert Unicode(form="NFC").apply("ﬁ e\u0301").text == "ﬁ é"
    assert Unicode(drop_invisible=False).apply("so\u00adft").text == "so\u00adft"


def test_dehyphenate_joins_words_but_not_names_or_known_compounds() -> None:
    assert Dehyphenate().apply("an exam-\n  ple and Jean-\nPaul").text == (
        "an example and Jean-\nPaul"
    )
    assert Dehyphenate().apply("a well-known one, a well-\nknown two").text == (
        "a well-known one, a well-known two"
    )
    assert Dehyphenate().apply("1990-\n2000, x-\nray").text == "1990-\n2000, x-\nray"
    assert Dehyphenate(letters=1).apply("x-\r\nray").text == "xray"
    assert Dehyphenate().apply("inter-\nnation-\nal").text == "international"


@pytest.mark.parametrize("step", STEPS, ids=repr)
@pytest.mark.parametrize(
    "text",
    ["x" * 200_000, "\t" * 200_000 + "end", "\n" * 200_000 + "end"],
    ids=["word", "blanks", "lines"],
)
def test_endless_words_and_blanks_take_no_longer_than_other_texts(
    step: Preprocessor, text: str
) -> None:
    began = time.process_time()
    assert step.apply(text).text
    assert time.process_time() - began < 5  # a second attempt at every character takes minutes


def test_boilerplate_drops_headers_page_numbers_and_navigation() -> None:
    pages = [f"ACME Manual\nBody number {'abc'[i]}.\n{i + 1}\n" for i in range(3)]
    text = "Skip to main content\nHome > Docs > API\n" + "".join(pages) + "© 2024 ACME Ltd.\n"
    text += "This website uses cookies to improve things.\nPage 4 of 9\n5 / 9\n----\n----\n----\n"
    kept = Boilerplate(repeats=3).apply(text).text
    assert kept == "Body number a.\nBody number b.\nBody number c.\n----\n----\n----\n"


def test_every_boilerplate_rule_can_be_turned_off() -> None:
    text = "head\nhead\nhome\nPage 1\n"
    assert Boilerplate(repeats=2).apply(text).text == ""
    assert Boilerplate(repeats=None).apply(text).text == "head\nhead\n"
    assert Boilerplate(repeats=2, longest=3).apply(text).text == "head\nhead\n"
    assert Boilerplate(repeats=2, navigation=False).apply(text).text == "home\n"
    assert Boilerplate(repeats=2, page_numbers=False).apply(text).text == "Page 1\n"


def test_bare_numbers_that_do_not_count_up_are_data() -> None:
    assert Boilerplate().apply("12\n7\n30\n").text == "12\n7\n30\n"
    assert Boilerplate().apply("year\n1984\n").text == "year\n1984\n"


def test_substitute_clamps_longer_replacements_to_the_last_replaced_character() -> None:
    edited = substitute("abcd", [(1, 3, "WXYZ")])
    assert edited.text == "aWXYZd"
    assert edited.origin.tolist() == [0, 1, 2, 2, 2, 3, 4]


def test_steps_validate_from_a_study() -> None:
    step = Preprocessor.model_validate({"kind": "whitespace", "indent": True})
    assert step == Whitespace(indent=True)
    with pytest.raises(ValueError, match="Did you mean 'lowercase'"):
        Preprocessor.model_validate("lowercas")
    assert Preprocessor.kinds() == (
        "boilerplate", "dehyphenate", "lowercase", "unicode", "whitespace",
    )  # fmt: skip
