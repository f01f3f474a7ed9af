"""BOHB by HpBandSter."""

import logging
import random
import statistics
import sys
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raytuner.component import MissingExtraError
from raytuner.search import Bohb, Random, Search
from raytuner.search.bohb import _Density
from raytuner.search.learner import Outcome
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
    lead,
    worth,
)
from tests.raytuner.test_space import spaces

pytest.importorskip("hpbandster")
QUICK = Bohb(candidates=4)
GREEDY = Bohb(candidates=16, random_fraction=0.0)


@settings(max_examples=12, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    check_covers(Bohb(candidates=1), spelled, seed)


def test_proposals_are_points():
    check_points(QUICK, RAG, 45)


@settings(max_examples=15, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_whatever_is_told_it_can_go_on(case, seed):
    space, rng = Space.parse(*case), random.Random(seed)
    assume(space.total())
    guide = Bohb(candidates=1, random_fraction=0.0).guide(space, seed)
    for number in range(24):
        guide.learn(space.sample(rng), Outcome(rng.random() if number % 5 else None, number % 2))
    for number in range(4):
        assert space.active(guide.suggest(number))


def test_resuming_goes_on_as_if_never_away():
    check_resume(QUICK, RAG, 24)


def feed(guide, target, units, count=24, spread=0):
    for step in range(count):
        point = SQUARE.sample(random.Random(step + spread))
        guide.learn(point, Outcome(-abs(point["x"] - target), units, ended=units is None))


def centre(guide):
    return statistics.median(guide.suggest(seed)["x"] for seed in range(15))


def test_the_highest_rung_with_enough_points_is_the_one_that_counts():
    guide = GREEDY.guide(SQUARE, 0)
    feed(guide, 0.15, units=5)
    assert centre(guide) < 0.4
    feed(guide, 0.85, units=20, count=3)
    assert centre(guide) < 0.4
    feed(guide, 0.85, units=None)
    assert centre(guide) > 0.6
    feed(guide, 0.15, units=5, spread=100)
    assert centre(guide) > 0.6


def test_the_latest_outcome_of_a_rung_holds():
    once, twice = GREEDY.guide(SQUARE, 0), GREEDY.guide(SQUARE, 0)
    feed(twice, 0.15, units=5)
    feed(twice, 0.85, units=5)
    feed(once, 0.85, units=5)
    assert [twice.suggest(seed) for seed in range(5)] == [once.suggest(seed) for seed in range(5)]


def test_what_it_is_reminded_of_changes_nothing():
    guide, reminded = GREEDY.guide(SQUARE, 0), GREEDY.guide(SQUARE, 0)
    told = []
    for step in range(20):
        point = SQUARE.sample(random.Random(step))
        told.append((point, Outcome(None if step % 6 == 1 else bowl(point))))
    for one in told:
        guide.learn(*one)
    for one in [*told, *told[:9]]:
        reminded.learn(*one)
    assert [guide.suggest(s) for s in range(5)] == [reminded.suggest(s) for s in range(5)]


def test_it_beats_random_search_on_a_bowl():
    ours = statistics.median(best(Bohb(candidates=24), seed, 40) for seed in range(5))
    chance = statistics.median(best(Random(), seed, 40) for seed in range(5))
    assert ours > chance / 2


def test_a_choice_is_learned_together_with_numbers():
    space = Space.parse({**SQUARE.model_dump(), "k": ["a", "b", "c", "d"]})

    def score(point):
        return bowl(point) - 0.1 * (point["k"] != "b")

    proposer, late = GREEDY.start(space, 1), []
    for step in range(50):
        point = proposer.ask()
        proposer.tell(point, score(point))
        late += [point["k"]] if step >= 30 else []
    assert late.count("b") > 12


def test_failures_count_as_bad_and_never_as_good():
    late = []
    for seed in range(2):
        proposer = Bohb(candidates=16).start(SQUARE, seed)
        for step in range(50):
            point = proposer.ask()
            proposer.tell(point, None if point["y"] < 0.5 else bowl(point))
            late += [point["y"] < 0.5] if step >= 25 else []
    assert sum(late) < 0.4 * len(late)
    guide, blank = GREEDY.guide(SQUARE, 0), GREEDY.guide(SQUARE, 0)
    for step in range(30):
        guide.learn(SQUARE.sample(random.Random(step)), Outcome(None))
    assert guide.suggest(1) == blank.suggest(1)


@pytest.mark.parametrize("percent", [1, 50, 70, 99])
def test_whatever_share_is_good_there_are_bad_ones_before_it_models(percent):
    guide = Bohb(candidates=1, random_fraction=0.0, top_percent=percent).guide(SQUARE, 0)
    for number in range(20):
        guide.learn(SQUARE.sample(random.Random(number)), Outcome(number / 20))
        assert SQUARE.contains(SQUARE.active(guide.suggest(number)))


def test_a_density_knows_categories_that_it_has_not_seen():
    density = _Density(
        np.array([[1.0, 0.2], [1.0, 0.4]]), np.array([0.1, 0.1]), np.array([4, 0], dtype=int)
    )
    seen, unseen = density.pdf([1, 0.3]), density.pdf([2, 0.3])
    assert unseen / seen == pytest.approx((0.1 / 3) / 0.9)
    shares = np.linspace(-1, 2, 3001)
    total = sum(density.pdf([k, x]) for k in range(4) for x in shares[::10]) * 0.01
    assert total == pytest.approx(1.0, rel=1e-3)


def test_nobody_else_notices(caplog, capfd):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        first = lead(QUICK.start(RAG, 2), worth, 20)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    np.random.seed(4)  # noqa: NPY002
    assert lead(QUICK.start(RAG, 2), worth, 20) == first
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "changed",
    [
        {"random_fraction": 0.9},
        {"top_percent": 60},
        {"min_points": 7},
        {"candidates": 9},
        {"bandwidth_factor": 1.0},
        {"min_bandwidth": 0.3},
    ],
)
def test_every_field_matters(changed):
    usual = {"candidates": 4, "random_fraction": 0.1}

    def drawn(fields):
        guide = Bohb(**fields).guide(SQUARE, 0)
        for step in range(14):
            point = SQUARE.sample(random.Random(step))
            guide.learn(point, Outcome(bowl(point), 4))
        return [guide.suggest(seed) for seed in range(8)]

    assert drawn({**usual, **changed}) != drawn(usual)


def test_a_space_of_one_point_is_proposed_once():
    space = Space.parse({"a": {"int": [3, 3]}, "b": ["x"]})
    assert exhaust(Bohb(), space) == [{"a": 3, "b": "x"}]


def test_it_is_named_in_a_study_and_asks_for_its_scheduler():
    assert Search.model_validate({"kind": "bohb", "samples": 9}) == Bohb(samples=9)
    assert Bohb.schedulers == {"bohb"}
    assert Bohb.learns
    with pytest.raises(ValueError, match="less than or equal to 1"):
        Bohb(random_fraction=2)


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hpbandster.optimizers.config_generators.bohb", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'raytuner\[bohb\]'"):
        Bohb().start(RAG, 0)
