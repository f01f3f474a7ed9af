"""Population-based searches."""

import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import digest
from raytuner.search import PopulationBandit, PopulationBased, Search
from raytuner.search.axes import layout
from raytuner.search.learner import Outcome
from raytuner.search.population import Herd, changed_value
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
    exhaust,
)
from tests.raytuner.test_space import spaces

BOTH = pytest.mark.parametrize(
    "search", [PopulationBased(), PopulationBandit(candidates=40)], ids=["pbt", "pb2"]
)


@settings(max_examples=8, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    check_covers(PopulationBased(population=3), spelled, seed)


def test_the_bandit_covers_a_finite_space():
    space = Space.parse({"k": {"int": [1, 4]}, "kind": ["a", "b"]}, ["k < 4"])
    found = exhaust(PopulationBandit(population=3, candidates=5), space)
    assert len({digest(p) for p in found}) == len(found) == 6


@BOTH
def test_proposals_are_new_active_points_inside_the_constraints(search):
    check_points(search, RAG, 25)


@BOTH
def test_it_goes_on_after_a_break_as_if_there_had_been_none(search):
    check_resume(search, RAG, 16)


@pytest.mark.parametrize(
    ("search", "steps"), [(PopulationBased(), 60), (PopulationBandit(candidates=80), 25)]
)
def test_it_beats_chance(search, steps):
    found = [best(search, seed, steps) for seed in range(5)]
    chance = [best(Random(), seed, steps) for seed in range(25)]
    assert statistics.median(found) > 0.5 * statistics.median(chance)


def herd(reports, population=4):
    made = Herd(layout(SQUARE), population)
    for x, units, score in reports:
        made.learn({"x": x, "y": 0.5}, Outcome(score, units, ended=units is None))
    return made


def test_what_is_told_again_needs_no_new_model():
    made = herd([(0.1, None, 1.0), (0.2, None, 2.0)])
    model = made.surrogate(made.ranked())
    made.learn({"x": 0.1, "y": 0.5}, Outcome(1.0))
    made.learn({"x": 0.9, "y": 0.5}, Outcome(None))
    assert made.surrogate(made.ranked()) is model
    made.learn({"x": 0.1, "y": 0.5}, Outcome(3.0))
    assert made.surrogate(made.ranked()) is not model


def order(made):
    return [point["x"] for point, _ in made.ranked()]


def test_the_best_are_those_of_the_highest_common_number_of_units():
    first = [(0.1, 10, 1.0), (0.2, 10, 2.0), (0.3, 10, 3.0), (0.4, 10, 4.0)]
    assert order(herd(first)) == [0.4, 0.3, 0.2, 0.1]
    assert order(herd([*first, (0.1, 20, 9.0)])) == [0.4, 0.3, 0.2, 0.1]
    assert order(herd([*first, (0.1, 20, 9.0), (0.4, 20, 5.0)])) == [0.1, 0.4]
    assert order(herd([(0.1, 10, 1.0), (0.2, None, 0.5)], 8)) == [0.2]
    assert order(herd([*first, (0.4, 10, None)])) == [0.3, 0.2, 0.1]
    assert order(herd([(0.1, None, None)])) == []


def test_the_first_are_random_and_all_others_descend_from_the_best():
    space = Space.parse({"n": {"int": [0, 1000]}, "kind": [f"k{i}" for i in range(9)]})
    guide = PopulationBased(population=8, quantile=0.25, resample=0.0).guide(space, 0)
    for number in range(7):
        guide.learn({"n": 100 * number, "kind": "k0"}, Outcome(number))
        assert guide.suggest(3) == space.sample(random.Random(3))
    guide.learn({"n": 800, "kind": "k8"}, Outcome(9))
    found = [guide.suggest(seed) for seed in range(60)]
    assert {(p["n"], p["kind"]) for p in found} == {
        (n, kind) for n in (667, 960) for kind in ("k7", "k8")
    } | {(n, kind) for n in (500, 720) for kind in ("k0", "k1")} - {(500, "k0")}  # known already


@settings(max_examples=80, deadline=None)
@given(spaces(), st.integers(0, 999), st.floats(0, 1), st.floats(1.01, 3))
def test_a_changed_value_is_one_of_the_domain(spelled, seed, resample, factor):
    space = Space.parse(*spelled)
    rng = random.Random(seed)
    for domain in space.domains.values():
        value = domain.sample(rng)
        changed = changed_value(domain, value, rng, resample, factor)
        assert domain.contains(changed)
        assert domain.clean(changed) == changed


def test_small_numbers_move_by_a_step_at_least():
    domain = Space.parse({"k": {"int": [0, 9]}}).domains["k"]
    found = {changed_value(domain, 2, random.Random(seed), 0.0, 1.1) for seed in range(20)}
    assert found == {1, 3}
    assert {changed_value(domain, 0, random.Random(s), 0.0, 1.1) for s in range(20)} == {0, 1}


def test_every_field_changes_proposals():
    def proposed(search):
        guide = search.guide(RAG, 0)
        for seed in range(20):
            point = RAG.sample(random.Random(seed))
            guide.learn(point, Outcome(seed))
        return [guide.suggest(seed) for seed in range(5)]

    base = proposed(PopulationBased())
    for field, value in {"population": 30, "quantile": 0.5, "resample": 1.0, "factor": 2.0}.items():
        assert proposed(PopulationBased(**{field: value})) != base
    bandit = proposed(PopulationBandit())
    for field, value in {"resample": 1.0, "optimism": 9.0, "candidates": 9}.items():
        assert proposed(PopulationBandit(**{field: value})) != bandit


def test_the_bandit_aims_where_scores_were_high():
    guide = PopulationBandit(optimism=0.0, resample=0.0).guide(SQUARE, 0)
    for seed in range(20):
        point = SQUARE.sample(random.Random(seed))
        guide.learn(point, Outcome(bowl(point)))
    found = [guide.suggest(seed) for seed in range(5)]
    assert all(abs(p["x"] - 0.3) < 0.15 and abs(p["y"] - 0.7) < 0.15 for p in found)


def test_they_are_named_in_a_study_and_work_with_their_scheduler_only():
    assert Search.model_validate("pbt") == PopulationBased()
    assert Search.model_validate({"kind": "pb2", "optimism": 2}) == PopulationBandit(optimism=2)
    assert PopulationBased.schedulers == PopulationBandit.schedulers == {"pbt"}
    assert PopulationBased.learns
