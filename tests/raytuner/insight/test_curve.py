"""The best so far against questions, dollars and seconds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raytuner
from raytuner.component import ConfigError
from raytuner.insight import curve
from tests.raytuner.insight.sheet import made

SPACE = {"x": [0, 1, 2, 3]}


def test_a_curve_by_hand(run):
    values = [0.3, 0.2, 0.6, 0.5]
    table = curve(run(lambda p, q: values[p["x"]], SPACE))
    assert list(table.score) == pytest.approx(values)
    assert list(table.best) == pytest.approx([0.3, 0.3, 0.6, 0.6])
    assert list(table.improved) == [True, False, True, False]
    assert list(table.questions) == [12, 24, 36, 48]
    assert list(table.usd) == pytest.approx([3, 6, 9, 12])
    assert list(table.trial) == [0, 1, 2, 3]
    assert table.seconds.is_monotonic_increasing


def test_less_may_be_better(run):
    values = [0.3, 0.2, 0.6, 0.1]
    table = curve(run(lambda p, q: values[p["x"]], SPACE, maximise=False))
    assert list(table.best) == pytest.approx([0.3, 0.2, 0.2, 0.1])


def test_stopped_trials_count_as_spent_not_as_best(run):
    found = run(
        lambda p, q: p["x"] / 8, {"x": list(range(8))}, units=16,
        scheduler={"kind": "halving", "grace": 4},
    )  # fmt: skip
    table = curve(found)
    assert len(table) < 8
    spent = sum(trial.answered for trial in found.record.current)
    assert table.questions.iloc[-1] <= spent
    assert table.best.iloc[-1] == found.score(found.best)


def test_what_an_earlier_study_has_paid_for_is_not_paid_again(run):
    first = run(lambda p, q: p["x"] / 8, SPACE)
    second = run(lambda p, q: p["x"] / 8, {"x": [0, 1, 2, 3, 4]})
    assert len(curve(first)) >= 4
    table = curve(second)
    assert sorted(table.trial) == [0, 1, 2, 3, 4]
    assert table.questions.iloc[-1] == 5 * 12
    assert table.best.iloc[-1] == 0.5


def test_trials_that_spend_too_much_are_not_the_best(run):
    def function(params, question):
        return {"score": params["x"] / 4, "usd_per_question": float(params["x"])}

    found = run(function, SPACE, metric="score", budget={"usd_per_question": 1.5})
    table = curve(found)
    assert table.best.max() == found.score(found.best) == 0.25


def test_a_study_in_memory_has_no_journal():
    found = raytuner.run(made(lambda p, q: 0.5, SPACE), in_memory=True)
    with pytest.raises(ConfigError, match="ran in memory"):
        curve(found)


@settings(max_examples=10, deadline=None)
@given(values=st.lists(st.floats(0, 1, width=16), min_size=4, max_size=4))
def test_a_curve_never_falls(values, tmp_path_factory):
    root = tmp_path_factory.mktemp("curve")
    table = curve(raytuner.run(made(lambda p, q: values[p["x"]], SPACE, units=3), root))
    assert table.best.is_monotonic_increasing
    assert table.questions.is_monotonic_increasing
    assert table.usd.is_monotonic_increasing
    assert (table.best >= table.score).all()
    assert list(table.improved) == [
        n == 0 or row.score > max(table.score[:n]) for n, row in enumerate(table.itertuples())
    ]
