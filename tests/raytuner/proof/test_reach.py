"""Nothing is shown beyond what scores of a metric can be."""

import math

import pytest

import raytuner
from raytuner.proof.reach import Reach
from tests.raytuner.insight.sheet import made


def test_a_mean_lies_between_the_least_and_the_greatest_score_of_any_trial():
    run = made(lambda params, question: params["x"] + question / 10, {"x": [1, 2]}, units=5)
    reach = raytuner.run(run, in_memory=True).reach
    assert reach == pytest.approx((1.0, 2.4))
    assert [reach.nearest(value) for value in (-3.0, 1.7, 9.0)] == pytest.approx([1.0, 1.7, 2.4])


def test_only_intervals_of_shares_are_cut():
    assert Reach(0.0, 1.0).shown(-0.1, 1.02) == (0.0, 1.0)
    assert Reach(0.2, 0.9).shown(0.3, 0.8) == (0.3, 0.8)
    assert Reach(-1.0, 1.0).shown(-0.1, 1.02) == (-0.1, 1.02)
    assert Reach(0.0, 7.0).shown(-0.1, 1.02) == (-0.1, 1.02)
    assert Reach().shown(-0.1, 1.02) == (-0.1, 1.02)
    assert Reach(0.0, 1.0).shown(-math.inf, math.inf) == (-math.inf, math.inf)


def test_without_scores_there_is_no_end():
    def nothing(params, question):
        raise RuntimeError("out of luck")

    found = raytuner.run(made(nothing, {"x": [1]}, retry={"times": 0}), in_memory=True)
    assert found.reach == (-math.inf, math.inf)
