"""Texts changed without a language model."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.search.sentences import changed, merged, movable, pieces
from raytuner.spaces.spelling import parse_domain

FRAGMENTS = ["Think step by step.", "Be brief."]
SEED = "You are kind. Use the context.\n\n{context}\n\nQuestion: {question}\nAnswer:"
DOMAIN = parse_domain({"evolve": [SEED], "fragments": FRAGMENTS, "max_chars": 300})
CHECK = settings(max_examples=80, deadline=None)


@CHECK
@given(st.text(max_size=80))
def test_pieces_are_the_text(text):
    assert "".join(pieces(text)) == text


def test_sentences_and_lines_are_pieces():
    assert pieces(SEED) == [
        "You are kind. ", "Use the context.", "\n\n", "{context}\n\n", "Question: {question}\n",
        "Answer:",
    ]  # fmt: skip
    assert [movable(piece) for piece in pieces(SEED)] == [True, True, False, False, False, False]


@CHECK
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_a_changed_text_is_another_of_the_domain(seed, steps):
    rng, text = random.Random(seed), SEED
    for _ in range(steps):
        found = changed(DOMAIN, text, rng)
        assert found is not None
        assert found != text
        assert DOMAIN.contains(found)
        text = found
    assert changed(DOMAIN, SEED, random.Random(seed)) == changed(DOMAIN, SEED, random.Random(seed))


def test_every_kind_of_change_is_made():
    found = {changed(DOMAIN, SEED, random.Random(seed)) for seed in range(200)}
    put_in = [text for text in found if "You are kind." in text and "Be brief." in text]
    taken_out = [text for text in found if "You are kind." not in text and "brief" not in text]
    assert put_in
    assert any("Think step by step." not in text for text in taken_out)
    assert any("You are kind." not in text and "Be brief." in text for text in found)
    assert any(text.startswith("Use the context. You are kind.") for text in found)


def test_nothing_comes_behind_what_the_model_goes_on_from():
    for seed in range(100):
        found = changed(
            DOMAIN, "{context}\nQuestion: {question}\nAnswer in a word:", random.Random(seed)
        )
        assert found.endswith("Answer in a word:")


def test_without_fragments_and_sentences_there_is_nothing_to_change():
    domain = parse_domain({"evolve": ["{question}"]})
    assert changed(domain, "{question}", random.Random(0)) is None
    assert merged(domain, "{question}", "{question}", random.Random(0)) is None


@CHECK
@given(st.integers(0, 10**6))
def test_a_mixture_has_sentences_of_both(seed):
    other = "Think first. Be exact!\n{context}\n{question}"
    found = merged(DOMAIN, SEED, other, random.Random(seed))
    assert DOMAIN.contains(found)
    assert "You are kind." in found
    assert "Think first." in found or "Be exact!" in found


def test_a_text_that_is_full_takes_nothing_in():
    domain = parse_domain({"evolve": ["{q} x"], "fragments": ["abcdef."], "max_chars": 6})
    assert all(changed(domain, "{q} x", random.Random(seed)) is None for seed in range(20))
