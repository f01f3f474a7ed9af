"""Optuna's samplers."""

import importlib.util
import logging
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError, MissingExtraError
from raytuner.search import Optuna, Search
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

SAMPLERS = ("tpe", "cmaes", "nsga2")
ALL = pytest.mark.parametrize("sampler", SAMPLERS)


@settings(max_examples=8, deadline=None)
@given(spaces(), st.integers(0, 99), st.sampled_from(["tpe", "nsga2"]))
def test_it_covers_exactly_a_finite_space(spelled, seed, sampler):
    check_covers(Optuna(sampler=sampler, startup=3), spelled, seed)


@ALL
def test_proposals_are_new_active_points_inside_the_constraints(sampler):
    check_points(Optuna(sampler=sampler, startup=4), RAG, 50)


@ALL
def test_it_goes_on_after_a_break_as_if_there_had_been_none(sampler):
    check_resume(Optuna(sampler=sampler, startup=4), RAG, 30)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_it_beats_chance(sampler):
    found = [best(Optuna(sampler=sampler), seed, 50) for seed in range(7)]
    chance = [best(Random(), seed, 50) for seed in range(25)]
    assert statistics.median(found) > 0.5 * statistics.median(chance)


def test_selection_moves_a_generation():
    found = [best(Optuna(sampler="nsga2"), seed, 90) for seed in range(7)]
    chance = [best(Random(), seed, 90) for seed in range(25)]
    assert statistics.median(found) > 0.8 * statistics.median(chance)


def guide(search, space=SQUARE, points=30, score=bowl):
    made = search.guide(space, 0)
    for seed in range(points):
        point = space.sample(random.Random(seed))
        made.learn(point, Outcome(score(point)))
    return made


@ALL
def test_equal_outcomes_and_seeds_give_equal_proposals(sampler):
    first, second = (guide(Optuna(sampler=sampler)) for _ in range(2))
    point = SQUARE.sample(random.Random(0))
    second.learn(point, Outcome(-9.0, 3, ended=False))
    for seed in range(30):
        second.suggest(seed)
    second.learn(point, Outcome(bowl(point)))
    assert [first.suggest(s) for s in range(5)] == [second.suggest(s) for s in range(5)]
    assert first.suggest(1) != first.suggest(2)


@ALL
def test_regions_that_fail_are_left(sampler):
    def fails_right(point):
        return None if point["x"] > 0.5 else 1.0 - (point["y"] - 0.5) ** 2

    made = guide(Optuna(sampler=sampler, startup=5), points=60, score=fails_right)
    assert sum(made.suggest(seed)["x"] > 0.5 for seed in range(40)) < 12


def test_trials_that_were_stopped_early_rank_below_those_that_went_on():
    made = Optuna(startup=2).guide(SQUARE, 0)
    for seed in range(40):
        point = SQUARE.sample(random.Random(seed))
        left = point["x"] < 0.5
        made.learn(point, Outcome(1.0 if left else 0.5, 10 if left else 40, ended=False))
    assert sum(made.suggest(seed)["x"] < 0.5 for seed in range(40)) < 10


def test_conditions_are_modelled():
    space = Space.parse(
        {"kind": ["a", "b"], "t": {"float": [0, 1], "when": {"kind": "b"}}, "s": {"float": [0, 1]}}
    )
    made = guide(
        Optuna(), space, 60, lambda p: 1 - (p["t"] - 0.8) ** 2 if p["kind"] == "b" else 0.0
    )
    found = [made.suggest(seed) for seed in range(20)]
    assert all(("t" in point) == (point["kind"] == "b") for point in found)
    near = [point["t"] for point in found if "t" in point]
    assert len(near) > 14
    assert statistics.median(abs(t - 0.8) for t in near) < 0.12


@ALL
def test_startup_changes_proposals(sampler):
    early, late = Optuna(sampler=sampler, startup=5), Optuna(sampler=sampler, startup=90)
    assert guide(early).suggest(5) != guide(late).suggest(5)


def test_the_logging_of_the_user_stays_as_it_was(caplog):
    logger = logging.getLogger("optuna")
    before, logger.level = logger.level, logging.DEBUG
    try:
        with caplog.at_level(logging.DEBUG):
            guide(Optuna()).suggest(0)
        assert logger.level == logging.DEBUG
        assert not [record for record in caplog.records if record.name.startswith("optuna")]
    finally:
        logger.level = before


def test_cmaes_needs_two_numbers():
    with pytest.raises(
        ConfigError, match=r"search\.sampler: 'cmaes' needs two .* has 1: use 'tpe'"
    ):
        Optuna(sampler="cmaes").start(Space.parse({"a": {"int": [1, 9]}, "b": ["x", "y"]}), 0)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_the_gaussian_process_names_what_is_missing():
    with pytest.raises(MissingExtraError, match=r"torch is not installed; run: pip install"):
        Optuna(sampler="gp").start(SQUARE, 0)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_the_gaussian_process_beats_chance():
    check_points(Optuna(sampler="gp", startup=4), RAG, 12)
    assert best(Optuna(sampler="gp", startup=5), 0, 20) > best(Random(), 0, 200)


def test_it_is_named_in_a_study():
    assert Search.model_validate({"kind": "optuna", "sampler": "cmaes"}) == Optuna(sampler="cmaes")
    assert Optuna.learns
    with pytest.raises(ValueError, match="'tpe', 'gp', 'cmaes' or 'nsga2'"):
        Optuna(sampler="annealing")
