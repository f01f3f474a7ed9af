"""Rung sizes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.schedulers import Asha, HyperBand, Median, PopulationBased
from raytuner.schedulers.ladder import even, geometric
from tests.raytuner.schedulers.simulation import EVERY, label


@given(units=st.integers(1, 5000), grace=st.none() | st.integers(1, 5000), eta=st.integers(2, 6))
def test_geometric_rungs_rise_by_the_factor_to_all_units(units, grace, eta):
    if grace is not None and grace > units:
        with pytest.raises(ConfigError):
            geometric(units, grace, eta)
        return
    rungs = geometric(units, grace, eta)
    assert rungs[-1] == units
    assert grace is None or rungs[0] == grace
    assert all(low * eta == high for low, high in itertools.pairwise(rungs[:-1]))
    assert all(low < high for low, high in itertools.pairwise(rungs))
    if len(rungs) > 2:
        assert eta**0.5 <= units / rungs[-2] < eta**1.5 + 1e-9
    if grace is None:
        assert rungs[0] * 27 >= units


@given(units=st.integers(1, 2000), first=st.integers(1, 2000), interval=st.integers(1, 2000))
def test_even_rungs_rise_by_the_interval_to_all_units(units, first, interval):
    if max(first, interval) > units:
        with pytest.raises(ConfigError):
            even(units, first, interval)
        return
    rungs = even(units, first, interval)
    assert (rungs[0], rungs[-1]) == (first, units)
    assert all(high - low == interval for low, high in itertools.pairwise(rungs[:-1]))
    assert all(low < high for low, high in itertools.pairwise(rungs))


@pytest.mark.parametrize(
    ("scheduler", "units", "rungs"),
    [
        (HyperBand(grace=1), 81, (1, 3, 9, 27, 81)),
        (Asha(), 290, (11, 33, 99, 290)),
        (Asha(grace=10), 290, (10, 30, 90, 290)),  # 270 would pause what is all but complete
        (Asha(grace=20), 29, (20, 29)),
        (Asha(grace=290), 290, (290,)),
        (Asha(reduction=2, grace=40), 290, (40, 80, 160, 290)),
        (Asha(), 1, (1,)),
        (Median(grace=30, interval=100), 290, (30, 130, 230, 290)),
        (Median(), 95, (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)),
        (PopulationBased(), 290, (73, 146, 219, 290)),
        (PopulationBased(interval=100), 290, (100, 200, 290)),
    ],
)
def test_rungs_of_schedulers(scheduler, units, rungs):
    assert scheduler.rungs(units) == rungs


@pytest.mark.parametrize("scheduler", EVERY, ids=label)
def test_the_first_rung_is_where_trials_begin(scheduler):
    assert scheduler.start(290, 0).add("a") == scheduler.rungs(290)[0]


@pytest.mark.parametrize(
    ("scheduler", "field"),
    [
        (Asha(grace=500), "grace"),
        (HyperBand(grace=500), "grace"),
        (Median(grace=500), "grace"),
        (Median(interval=500), "interval"),
        (PopulationBased(interval=500), "interval"),
    ],
)
def test_more_questions_than_there_are_is_one_sentence(scheduler, field):
    with pytest.raises(ConfigError) as caught:
        scheduler.start(290, 0)
    assert str(caught.value) == (
        f"scheduler.{field}: 500 questions are asked for, there are only 290; give 290 or fewer"
    )
    assert caught.value.field == ("scheduler", field)
