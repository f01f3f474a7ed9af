"""Bayesian optimisation by a Gaussian process."""

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from raytuner.component import digest
from raytuner.search import Bayes, Search
from raytuner.search.axes import layout
from raytuner.search.bayes import expected_improvement, neighbour
from raytuner.search.learner import Outcome
from raytuner.search.sampling import Random
from raytuner.space import Space
from tests.raytuner.search.conformance import (
    RAG,
    SQUARE,
    best,
    bowl,
    check_covers,
    check_points,
    check_resume,
)
from tests.raytuner.test_space import spaces

QUICK = Bayes(startup=3, candidates=30)


@settings(max_examples=4, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    check_covers(QUICK, spelled, seed)


def test_proposals_are_new_active_points_inside_the_constraints():
    check_points(QUICK, RAG, 25)


def test_it_goes_on_after_a_break_as_if_there_had_been_none():
    check_resume(QUICK, RAG, 18)


def test_it_beats_chance():
    found = [best(Bayes(startup=5, candidates=200), seed, 20) for seed in range(3)]
    chance = [best(Random(), seed, 20) for seed in range(25)]
    assert statistics.median(found) > 0.05 * statistics.median(chance)


def guide(search=QUICK, space=SQUARE, points=12, score=bowl):
    made = search.guide(space, 0)
    for seed in range(points):
        point = space.sample(random.Random(seed))
        made.learn(point, Outcome(score(point)))
    return made


def test_equal_outcomes_and_seeds_give_equal_proposals():
    first, second = guide(), guide()
    second.learn(SQUARE.sample(random.Random(0)), Outcome(-9.0, 3, ended=False))
    second.suggest(1)
    second.learn(SQUARE.sample(random.Random(0)), Outcome(bowl(SQUARE.sample(random.Random(0)))))
    assert [first.suggest(s) for s in range(3)] == [second.suggest(s) for s in range(3)]
    assert first.suggest(1) != first.suggest(2)


def test_regions_that_fail_are_left():
    def fails_right(point):
        return None if point["x"] > 0.5 else 1.0 - (point["y"] - 0.5) ** 2

    made = guide(Bayes(startup=5, margin=0.0), points=30, score=fails_right)
    assert sum(made.suggest(seed)["x"] > 0.5 for seed in range(10)) <= 1


def test_every_field_changes_proposals():
    base = guide(Bayes()).suggest(5)
    assert guide(Bayes(startup=20)).suggest(5) != base
    assert guide(Bayes(candidates=50)).suggest(5) != base
    assert guide(Bayes(margin=5.0)).suggest(5) != base


def test_asked_again_it_proposes_something_else():
    space = Space.parse({"n": {"int": [0, 30]}})
    made = guide(space=space, points=8, score=lambda p: -abs(p["n"] - 14))
    again = {digest(made.retry(seed, 1)) for seed in range(12)}
    assert len(again) > 1


@pytest.mark.parametrize(("mean", "deviation", "top"), [(0.0, 1.0, 0.5), (2.0, 0.3, 1.0)])
def test_expected_improvement_is_the_integral(mean, deviation, top):
    found = expected_improvement(np.array([mean]), np.array([deviation]), top)
    density = stats.norm(mean, deviation).pdf
    wanted, _ = integrate.quad(lambda score: (score - top) * density(score), top, 20)
    assert found[0] == pytest.approx(wanted, rel=1e-6)
    nothing = expected_improvement(np.array([0.0, 3.0]), np.zeros(2), 1.0)
    assert nothing == pytest.approx([0.0, 2.0], abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(spaces(), st.integers(0, 999))
def test_neighbours_are_points_of_the_space(spelled, seed):
    space = Space.parse(*spelled)
    point = next(space.every(), None)
    if point is not None:
        found = neighbour(layout(space), point, random.Random(seed))
        assert space.active(found) == found


def test_it_is_named_in_a_study():
    assert Search.model_validate({"kind": "bayes", "samples": 9}) == Bayes(samples=9)
    assert Bayes.learns
