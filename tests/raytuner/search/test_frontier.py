"""Who is worth building on: the best on some question, not only on average."""

import random
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.search.frontier import Frontier

UNITS = ["a", "b", "c"]


def frontier(table, units=None):
    made = Frontier()
    for name, values in table.items():
        asked = UNITS[: len(values)]
        made.observe({"p": name}, asked, np.array(values, float))
        made.learn({"p": name}, float(np.nanmean(values)), units)
    return made


def names(found):
    return [candidate.params["p"] for candidate, _ in found]


def test_who_is_best_on_one_question_is_a_leader():
    made = frontier({"good": [1, 1, 0], "odd": [0, 0, 1], "bad": [0, 0, 0]})
    assert names(made.leaders()) == ["good", "odd"]
    assert [weight for _, weight in made.leaders()] == [2, 1]
    drawn = Counter(made.draw(random.Random(seed)).params["p"] for seed in range(300))
    assert drawn["good"] > drawn["odd"] > 60
    assert "bad" not in drawn


def test_who_is_best_only_where_others_are_too_is_none():
    made = frontier({"all": [1, 1, 1], "some": [1, 1, 0], "few": [1, 0, 0]})
    assert names(made.leaders()) == ["all"]
    assert made.draw(random.Random(0), {made.leaders()[0][0].name}) is None


def test_without_single_questions_the_best_leads():
    made = Frontier()
    for number in range(3):
        made.learn({"p": number}, float(number), None)
    assert names(made.leaders()) == [2]


def test_who_cannot_be_used_is_no_parent():
    made = frontier({"good": [1, 1, 1], "other": [0, 0, 0]})
    made.learn({"p": "good"}, None, None)
    assert names(made.leaders()) == ["other"]
    made.learn({"p": "other"}, None, None)
    assert made.leaders() == []
    assert made.draw(random.Random(0)) is None


def test_who_went_further_ranks_first_and_questions_that_failed_come_worst_first():
    made = frontier({"long": [0.5, 0.2, 1.0]})
    made.observe({"p": "short"}, ["a"], np.array([0.9]))
    made.learn({"p": "short"}, 0.9, 1)
    first, second = made.usable()
    assert (first.params["p"], second.params["p"]) == ("long", "short")
    assert first.worst() == ["b", "a"]
    assert first.value("b") == 0.2
    made.observe({"p": "long"}, ["a"], np.array([0.0]))  # fewer than are known: nothing new
    assert first.worst() == ["b", "a"]


def test_what_is_not_defined_is_no_failure():
    made = frontier({"x": [np.nan, 1.0, 0.0]})
    assert made.usable()[0].worst() == ["c"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3), min_size=1))
def test_leaders_cover_the_best_of_every_question(rows):
    made = frontier({f"p{n}": row for n, row in enumerate(rows)})
    leaders = [candidate for candidate, _ in made.leaders()]
    for place in range(3):
        best = max(row[place] for row in rows)
        assert any(candidate.values[place] == best for candidate in leaders)
    assert made.draw(random.Random(1)) is made.draw(random.Random(1))
