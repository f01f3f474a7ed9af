"""The record of one configuration."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.objective import Cost, Failure, UnitScore
from raytuner.trial import Trial

UNITS = ("a", "b", "c")
PLACES = {unit: row for row, unit in enumerate(UNITS)}
LOST = Failure("timeout", "late", retryable=True)


def trial(*scores):
    made = Trial("k", {"x": 1}, UNITS)
    made.record(scores, PLACES)
    return made


def test_scores_and_means():
    made = trial(UnitScore("b", {"hit": 1.0}), UnitScore("a", {"hit": 0.0}))
    assert made.missing() == ["c"]
    assert made.mean("hit") is None  # a missing unit cannot be a gain
    made.record([UnitScore("c", {"hit": 0.5})], PLACES)
    assert made.missing() == []
    assert made.mean("hit") == 0.5
    assert made.mean("other") is None
    assert list(made.values("hit")) == [0.0, 1.0, 0.5]
    assert np.isnan(made.values("other")).all()


def test_a_score_is_never_replaced():
    made = trial(UnitScore("a", {"hit": 1.0}, Cost(1.0), 1.0))
    made.record([UnitScore("a", {"hit": 0.0}, Cost(1.0), 1.0)], PLACES)
    made.record([UnitScore("a", {}, Cost(1.0), 1.0, LOST)], PLACES)
    assert made.values("hit")[0] == 1.0
    assert made.failures == {}
    assert (made.cost.usd, made.seconds) == (3.0, 3.0)  # what was spent was spent


def test_a_failure_is_replaced_by_a_score():
    made = trial(UnitScore("a", {}, failure=LOST))
    assert made.failures == {"a": LOST}
    assert made.missing() == list(UNITS)
    made.record([UnitScore("a", {"hit": 1.0}, notes={"answer": "x"})], PLACES)
    assert made.failures == {}
    assert made.notes == {"a": {"answer": "x"}}


def test_metrics_that_are_not_defined_everywhere():
    made = trial(
        UnitScore("a", {"hit": 1.0}), UnitScore("b", {"hit": 0.0, "f1": 0.5}),
        UnitScore("c", {"f1": 0.7, "hit": 0.5}),
    )  # fmt: skip
    assert made.metrics == ("hit", "f1")
    assert made.mean("f1") == 0.6
    assert made.mean("hit") == 0.5


def test_unknown_units_cost_but_do_not_count():
    made = trial(UnitScore("z", {"hit": 1.0}, Cost(1.0)))
    assert made.missing() == list(UNITS)
    assert made.cost.usd == 1.0


@settings(max_examples=60, deadline=None)
@given(st.permutations(UNITS), st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_order_and_batches_do_not_matter(order, sizes):
    scores = {unit: UnitScore(unit, {"m": 0.1 * row + 0.1}) for unit, row in PLACES.items()}
    made = Trial("k", {}, UNITS)
    rest = [scores[unit] for unit in order]
    for size in sizes:
        made.record(rest[:size], PLACES)
        rest = rest[size:]
    assert made.missing() == []
    assert made.mean("m") == trial(*scores.values()).mean("m")
    assert (made.values("m") == trial(*scores.values()).values("m")).all()
