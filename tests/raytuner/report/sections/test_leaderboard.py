"""Intervals of the leaderboard: those of the trial table, and none that cannot be."""

import re

import pytest

import raytuner
from raytuner.report.data import collect
from raytuner.report.sections.leaderboard import render
from tests.raytuner.insight.sheet import made


def intervals(score):
    found = raytuner.run(made(score, {"x": [0, 1]}, units=20), in_memory=True)
    text = render(collect(found))
    pairs = re.findall(r"95 % interval (\S+) to ([^\s<]+)", text)
    return found, [tuple(float(end.replace("−", "-")) for end in pair) for pair in pairs]


def test_intervals_of_shares_end_where_shares_do():
    _, found = intervals(lambda params, question: params["x"])
    assert found
    assert all(0 <= low <= high <= 1 for low, high in found)


def test_intervals_are_those_of_the_trial_table():
    results, found = intervals(lambda params, question: 100 * params["x"] + question % 3)
    table = results.trials
    assert table["low"].tolist() == pytest.approx([low for low, _ in found], abs=6e-4)
    assert table["high"].tolist() == pytest.approx([high for _, high in found], abs=6e-4)
