"""Scores with several goals, and Optuna's samplers that look at all of them."""

import statistics

import pytest

from raytuner.search import Grid, Optuna, Random
from raytuner.search.goals import Score, parts_of
from raytuner.space import Space

SPACE = Space.parse({"x": {"float": [0.0, 1.0]}, "y": {"float": [0.0, 1.0]}})


def score(point):
    """Two goals that agree about y, and are at odds about x between 0.2 and 0.8."""
    x, y = point["x"], point["y"]
    return Score([-((x - 0.2) ** 2) - y, -((x - 0.8) ** 2) - y])


def points(search, seed=0, count=40, space=SPACE, failing=()):
    proposer, found = search.start(space, seed), []
    for number in range(count):
        point = proposer.ask()
        found.append(point)
        proposer.tell(point, None if number in failing else score(point))
    return found


def test_a_score_is_its_first_goal_to_whoever_knows_one():
    made = Score([0.5, -2.0])
    assert (made, float(made), made + 1, parts_of(made)) == (0.5, 0.5, 1.5, (0.5, -2.0))
    assert made != Score([0.5, -3.0])
    assert made == Score([0.5, -2.0])
    assert hash(made) == hash(0.5)
    assert max(Score([0.1, 9.0]), made) is made
    assert parts_of(0.25) == (0.25,)
    assert made != "0.5"


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_sampler_learns_of_every_goal(sampler):
    search = Optuna(sampler=sampler, startup=10)
    later = [p for seed in range(4) for p in points(search, seed, 50)[30:]]
    chance = [p for seed in range(4) for p in points(Random(), seed, 50)[30:]]
    middle = [statistics.median(p["y"] for p in found) for found in (later, chance)]
    assert middle[0] < 0.8 * middle[1]  # what both goals agree about
    assert any(p["x"] < 0.4 for p in later)
    assert any(p["x"] > 0.6 for p in later)  # and neither end of the front is given up


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "cmaes"])
def test_failures_are_no_obstacle_and_equal_seeds_give_equal_proposals(sampler):
    search = Optuna(sampler=sampler, startup=4)
    failing = {0, 1, 9}
    assert points(search, 3, 20, failing=failing) == points(search, 3, 20, failing=failing)


def test_a_trial_that_goes_on_is_known_by_its_latest_goals():
    search = Optuna(sampler="tpe", startup=2)
    one, other = search.start(SPACE, 0), search.start(SPACE, 0)
    for proposer, early in ((one, [0.5, 0.1]), (other, [0.5, 0.9])):
        for _ in range(4):
            point = proposer.ask()
            proposer.tell(point, Score(early), units=8, ended=False)
            proposer.tell(point, score(point))
    assert one.ask() == other.ask()


def test_searches_that_do_not_learn_need_no_number():
    space = Space.parse({"x": {"choice": [0.0, 1.0]}, "y": {"choice": [0.0, 1.0]}})
    assert len(points(Grid(), 0, 4, space)) == 4
