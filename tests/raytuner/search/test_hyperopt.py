"""TPE by HyperOpt."""

import math
import random
import statistics

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raytuner.component import digest
from raytuner.objective import Params
from raytuner.search import HyperOpt, Random, Search
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

QUICK = HyperOpt(startup=2, candidates=4)


@settings(max_examples=15, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    check_covers(QUICK, spelled, seed)


def test_proposals_are_points():
    check_points(QUICK, RAG, 60)


@settings(max_examples=20, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_whatever_is_told_it_can_go_on(case, seed):
    space, rng = Space.parse(*case), random.Random(seed)
    assume(space.total())
    guide = QUICK.guide(space, seed)
    for number in range(8):
        guide.learn(space.sample(rng), Outcome(rng.random() if number % 3 else None, number))
        assert space.active(guide.suggest(number))


def test_every_value_is_within_reach_of_the_library_itself():
    space = Space.parse(
        {
            "n": {"int": [1, 6]},
            "l": {"int": [1, 6], "log": True},
            "f": {"float": [0.1, 0.5], "step": 0.1},
            "t": {"subset": ["p", "q", "r"], "min": 1, "max": 2},
            "b": "bool",
            "s": {"choice": [256, 64, 128]},
        }
    )
    for startup in (1, 1000):
        guide = HyperOpt(startup=startup, candidates=1).guide(space, 0)
        if startup == 1:
            for step in range(12):
                guide.learn(space.sample(random.Random(step)), Outcome(0.5))
        drawn = [space.active(guide.suggest(seed)) for seed in range(120)]
        for name, domain in space.domains.items():
            assert {p[name] for p in drawn} == set(domain.values())


def test_resuming_goes_on_as_if_never_away():
    check_resume(QUICK, RAG, 15)


def test_the_latest_outcome_of_a_point_holds_in_whatever_order_they_were_told():
    one, other = QUICK.guide(SQUARE, 0), QUICK.guide(SQUARE, 0)
    points = [SQUARE.sample(random.Random(seed)) for seed in range(6)]
    for number, point in enumerate(points):
        one.learn(point, Outcome(0.9 - number, units=3, ended=False))
        one.learn(point, Outcome(float(number)))
        other.learn(point, Outcome(float(number)))
    assert [one.suggest(seed) for seed in range(5)] == [other.suggest(seed) for seed in range(5)]


def test_it_beats_random_search_on_a_bowl():
    ours = statistics.median(best(HyperOpt(), seed, 50) for seed in range(9))
    chance = statistics.median(best(Random(), seed, 50) for seed in range(9))
    assert ours > chance / 3


def test_it_learns_about_members_of_a_subset_and_numbers_that_are_listed():
    tools = [f"t{number}" for number in range(8)]
    space = Space.parse({"tools": {"subset": tools}, "size": [16, 32, 64, 128, 256, 512]})

    def score(point: Params):
        good = sum(tool in point["tools"] for tool in tools[:4])
        return good - len(point["tools"]) / 2 - abs(math.log2(point["size"] / 128))

    ours = statistics.median(
        best(HyperOpt(startup=15), seed, 40, score, space) for seed in range(3)
    )
    chance = statistics.median(best(Random(), seed, 40, score, space) for seed in range(9))
    assert ours > chance


BRANCHES = Space.parse({"k": ["a", "b"], "x": {"float": [0, 1], "when": {"k": "a"}}, "y": "bool"})


def test_an_inactive_parameter_says_nothing_about_the_active_one():
    """However good the other branch is, it neither helps nor hurts what is modelled of this."""
    with_other, without = (HyperOpt(startup=1).guide(BRANCHES, 0) for _ in range(2))
    for step in range(60):
        point = {"k": "a", "x": step / 60, "y": bool(step % 2)}
        with_other.learn(point, Outcome(-abs(step / 60 - 0.8)))
        without.learn(point, Outcome(-abs(step / 60 - 0.8)))
    for y in (False, True):
        with_other.learn({"k": "b", "y": y}, Outcome(-5.0))
    for guide in (with_other, without):
        drawn = [guide.suggest(seed)["x"] for seed in range(40)]
        assert statistics.median(drawn) == pytest.approx(0.8, abs=0.05)


def test_a_branch_of_which_every_point_is_known_does_not_hold_it_up():
    off = []
    for seed in range(4):
        proposer = HyperOpt(startup=10).start(BRANCHES, seed)
        for step in range(50):
            point = proposer.ask()
            proposer.tell(point, -abs(point["x"] - 0.8) if "x" in point else -5.0)
            off += [abs(point["x"] - 0.8)] if step >= 25 else []
    assert statistics.median(off) < 0.2  # by chance it would be 0.3


@pytest.mark.parametrize("chance", [0.0, 0.3])
def test_failures_do_not_poison_it(chance):
    """Half of the square always fails, and of the rest what chance wants."""
    late, failed = [], []
    for seed in range(4):
        rng, proposer = random.Random(seed), HyperOpt(startup=10).start(SQUARE, seed)
        for step in range(60):
            point = proposer.ask()
            fails = point["y"] < 0.5 or rng.random() < chance
            proposer.tell(point, None if fails else bowl(point))
            if step >= 30:
                late.append(-bowl(point))
                failed.append(point["y"] < 0.5)
    assert statistics.median(late) < 0.12  # by chance 0.2, and 0.35 if nobody tells it
    assert sum(failed) < 0.45 * len(failed)  # by chance half, and all if nobody tells it


def test_it_stays_random_while_everything_fails():
    proposer = HyperOpt(startup=5).start(SQUARE, 0)
    drawn = HyperOpt(startup=10_000).start(SQUARE, 0)
    for _ in range(20):
        point = proposer.ask()
        assert point == drawn.ask()
        proposer.tell(point, None)
        drawn.tell(point, None)


@pytest.mark.parametrize(
    "changed", [{"startup": 8}, {"gamma": 1.5}, {"candidates": 3}, {"prior_weight": 5.0}]
)
def test_every_field_matters(changed):
    usual = lead(HyperOpt(startup=4).start(RAG, 1), worth, 30)
    assert lead(HyperOpt(**{"startup": 4, **changed}).start(RAG, 1), worth, 30) != usual


def test_a_space_of_one_point_is_proposed_once():
    space = Space.parse({"a": {"int": [3, 3]}, "b": ["x"]})
    assert exhaust(HyperOpt(), space) == [{"a": 3, "b": "x"}]


def test_points_never_asked_for_are_learned():
    told, blank = (HyperOpt(startup=1).guide(SQUARE, 0) for _ in range(2))
    for step in range(30):
        point = SQUARE.sample(random.Random(step))
        told.learn(point, Outcome(bowl(point)))
    assert [told.suggest(s) for s in range(3)] != [blank.suggest(s) for s in range(3)]


def test_it_is_named_in_a_study():
    assert Search.model_validate({"kind": "hyperopt", "samples": 9}) == HyperOpt(samples=9)
    assert HyperOpt.learns
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        HyperOpt(startup=0)


def test_a_proposal_stays_cheap():
    """A guard against work that grows with the square of what is known, not a benchmark."""
    guide = HyperOpt(startup=1).guide(RAG, 0)
    for step in range(400):
        point = RAG.sample(random.Random(step))
        guide.learn(point, Outcome(worth(point)))
    drawn = {digest(RAG.active(guide.suggest(seed))) for seed in range(3)}
    assert len(drawn) == 3
