"""Texts that are evolved: what is in the domain, and what other searches make of it."""

import json
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError, digest
from raytuner.search.axes import layout, positions, values
from raytuner.space import Space
from raytuner.spaces.spelling import parse_domain
from raytuner.spaces.texts import braces

SEEDS = ["Answer {question} from {context}.", "{context}\n\nQuestion: {question}"]
DOMAIN = parse_domain({"evolve": SEEDS, "fragments": ["Be brief."], "max_chars": 100})


def test_seeds_are_what_is_listed():
    assert tuple(DOMAIN.values()) == DOMAIN.grid() == tuple(SEEDS)
    assert DOMAIN.size == 2
    assert DOMAIN.fields == {"question", "context"}
    assert {DOMAIN.sample(random.Random(seed)) for seed in range(20)} == set(SEEDS)
    assert parse_domain(DOMAIN.model_dump(mode="json")) == DOMAIN
    assert pickle.loads(pickle.dumps(DOMAIN)) == DOMAIN


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Use {context} for {question}, always.", None),
        ("{question} {context} {question}", None),
        ("{question} {context} as {{json}}", None),
        ("Answer {question}.", "lacks {context}, which has to stay"),
        ("{question} {context} {name}", "has {name}, which nothing fills"),
        ("{question} {context} {", "has a single brace; double it: {{ }}"),
        ("{question} {context} {0}", "has a single brace; double it: {{ }}"),
        ("{question} {context}" + "!" * 90, "has 110 characters, and 100 are allowed"),
        ("{question} {context}\x00", "has a character that is no text"),
        ("{question} {context}\ud800", "has a character that is no text"),
        ("  ", "is empty"),
    ],
)
def test_what_is_in_the_domain(text, wrong):
    assert DOMAIN.objection(text) == wrong
    assert DOMAIN.contains(text) == (wrong is None)


def test_what_is_no_text_is_not_in_it():
    for value in (3, None, True, ("a",)):
        with pytest.raises(ConfigError, match="is no text: give a text with the fields"):
            DOMAIN.clean(value)


def test_braces_that_are_in_a_seed_may_stay_in_its_children():
    domain = parse_domain({"evolve": ['Say {"a": 1}.']})
    assert domain.contains('Say {"a": 2}, or {"b": 1}.')
    assert not domain.contains("Say {a}.")


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ({"evolve": []}, "evolve is empty: list at least one text to start from"),
        ({"evolve": "abc"}, "evolve takes a list of texts, not 'abc': put it in [ ]"),
        ({"evolve": ["a", 3]}, "evolve holds 3: give texts that say something"),
        ({"evolve": ["a", "  "]}, "evolve holds '  '"),
        ({"evolve": ["a", "a"]}, "evolve lists 'a' twice: remove one"),
        ({"evolve": ["a\x07"]}, "with a character that is no text"),
        (
            {"evolve": ["{question}", "Answer."]},
            "'Answer.' has the fields (none), and '{question}' has {question}: give all texts",
        ),
        (
            {"evolve": ["abcdef"], "max_chars": 5},
            "has 6 characters: shorten it, or raise max_chars",
        ),
        ({"evolve": ["a"], "fragments": ["{x}"]}, "fragments holds '{x}', with braces"),
        ({"evolve": ["a"], "fragments": "Be brief."}, "evolve: fragments takes a list of texts"),
        ({"evolve": ["a"], "max_chars": 0}, "max_chars"),
        ({"evolve": ["a"], "fragment": ["b"]}, "Did you mean 'fragments'?"),
        ({"evolve": ["a"], "choice": ["b"]}, "exactly one of"),
    ],
)
def test_bad_domains_say_what_would_be_right(spelled, message):
    with pytest.raises(ConfigError) as caught:
        parse_domain(spelled)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=80, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_whatever_is_in_the_domain_keeps_its_fields_and_survives_a_journal(a, b, c):
    text = f"{a}{{question}}{b}{{context}}{c}"
    if not DOMAIN.contains(text):
        assert DOMAIN.objection(text.replace("\r\n", "\n")) is not None
        return
    clean = DOMAIN.clean(text)
    assert braces(clean).fields == {"question", "context"}
    assert len(clean) <= 100
    assert DOMAIN.clean(clean) == clean
    assert json.loads(json.dumps(clean).encode()) == clean
    filled = clean.format_map({"question": "?", "context": "!"})
    assert "{question}" not in filled


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True), TEXTS)
def test_searches_that_list_values_choose_among_the_seeds(texts, other):
    seeds = [f"{text}{{q}}" for text in texts if "{" not in text and "}" not in text] or ["{q}"]
    seeds = list(dict.fromkeys(seed for seed in seeds if not set(seed) & set(map(chr, range(32)))))
    seeds = [seed for seed in seeds if "\x7f" not in seed] or ["{q}"]
    space = Space.parse({"prompt": {"evolve": seeds}, "on": "bool"})
    assert space.total() == 2 * len(seeds)
    plan, points = layout(space), list(space.every())
    assert len({digest(point) for point in points}) == len(points)
    for point in points:
        assert values(plan, positions(plan, point)) == point
    assert space.contains(space.sample(random.Random(0)))
    written = {"prompt": f"{seeds[0]} more", "on": True}
    if space.contains(written):  # told of by somebody else: it stands near a seed
        assert values(plan, positions(plan, written))["prompt"] in seeds


def test_a_text_stands_near_the_seed_that_it_shares_words_with():
    domain = parse_domain({"evolve": ["Answer shortly: {q}", "Think step by step. {q}", "{q}"]})
    assert domain.nearest("Think hard, step by step. {q}") == 1
    assert domain.nearest("{q}") == 2
    assert domain.nearest("Answer, shortly, please: {q}") == 0
