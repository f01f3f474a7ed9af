"""Runs that have hardly anything to say say so, and raise nothing."""

import warnings

import pytest

import raytuner
from tests.raytuner.probes import Questions, study

FAILING = dict.fromkeys([1, 2, 3, 4], "raise")


@pytest.mark.parametrize(
    "objective", [Questions(units=1), Questions(faults=FAILING)], ids=["one question", "all failed"]
)
def test_little_or_nothing_is_told_without_a_warning(objective):
    retry = {"times": 0, "wait": 0}
    results = raytuner.run(study(objective, retry=retry), in_memory=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert results.importance().note is not None
        assert len(results.questions) <= 6
        assert not len(results.pareto({"hit": "max", "loss": "min"})) or objective.count == 1
