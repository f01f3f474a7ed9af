"""The noise of repeated scores, checked by hand."""

import statistics

import pytest

from raytuner.repeats import noise
from raytuner.trial import Trial


def trial_of(notes):
    return Trial("k", {}, tuple(notes), notes=notes)


def judged(**scores):
    return {"judged": {metric: {"scores": own} for metric, own in scores.items()}}


def test_the_pooled_deviation_is_that_within_questions():
    found = noise(trial_of({"a": judged(m=[0.0, 1.0]), "b": judged(m=[0.5, 0.5, 0.5])}))
    assert [(one.metric, one.units) for one in found] == [("m", 2)]
    assert found[0].sd == pytest.approx((0.5 / 3) ** 0.5)


def test_with_equal_numbers_it_is_the_root_mean_variance():
    rows = [[0.1, 0.4, 0.3], [0.9, 0.8, 1.0], [0.0, 0.0, 0.5]]
    found = noise(trial_of({str(i): judged(m=row) for i, row in enumerate(rows)}))
    assert found[0].sd == pytest.approx(statistics.mean(map(statistics.variance, rows)) ** 0.5)


def test_single_scores_and_other_notes_say_nothing():
    notes = {"a": judged(m=[0.5]), "b": {"answer": "x"}, "c": {"judged": "odd"}, "d": {}}
    assert noise(trial_of(notes)) == []
