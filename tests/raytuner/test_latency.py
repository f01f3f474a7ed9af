"""Percentiles over the questions whose latency is known."""

import pytest

from raytuner.latency import Latency, latencies, latency_of
from raytuner.objective import LATENCY, UnitScore
from raytuner.trial import Trial

UNITS = ("a", "b", "c", "d")


def trial(seconds):
    made = Trial("k", {}, UNITS)
    scores = [
        UnitScore(unit, {"hit": 1.0}, notes=None if taken is None else {LATENCY: taken})
        for unit, taken in zip(UNITS, seconds, strict=False)
    ]
    made.record(scores, {unit: row for row, unit in enumerate(UNITS)})
    return made


def test_percentiles_are_those_of_the_questions_that_were_measured():
    assert latency_of(trial([1.0, None, 3.0, 2.0])) == Latency(2.0, pytest.approx(2.9), 3)
    assert latency_of(trial([0.5])) == Latency(0.5, 0.5, 1)


def test_without_a_measurement_there_is_no_latency():
    assert latency_of(trial([None] * 4)) is None
    assert latency_of(trial([])) is None
    assert latency_of(trial(["slow", -1.0])) is None  # notes are anybody's


def test_the_first_questions_alone():
    assert latencies(trial([4.0, 3.0, 2.0, 1.0]), 2).tolist() == [4.0, 3.0]
