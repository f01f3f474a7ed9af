"""Schedules: what a copy has gone through before it was changed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.record import plain
from raytuner.schedule import (
    HISTORY,
    Segment,
    at_step,
    current,
    forked,
    read_schedule,
    schedule_of,
    spelled,
    until,
)
from raytuner.space import Space

SLOW, FAST = {"rate": 0.1, "kind": "a"}, {"rate": 0.2, "kind": "a"}
VALUES = st.fixed_dictionaries({"rate": st.sampled_from([0.1, 0.2, 0.3]), "tools": st.just((1, 2))})


def test_a_trial_without_history_is_one_segment():
    assert schedule_of(SLOW, 9) == (Segment(9, SLOW),)
    assert forked(SLOW, FAST, 0) == FAST


def test_a_copy_goes_on_where_its_parent_was():
    copy = forked(SLOW, FAST, 3)
    assert schedule_of(copy, 9) == (Segment(3, SLOW), Segment(9, FAST))
    assert current(copy) == FAST
    again = forked(copy, SLOW, 6)
    assert schedule_of(again, 9) == (Segment(3, SLOW), Segment(6, FAST), Segment(9, SLOW))
    early = forked(again, FAST, 2)  # before the first change: the later ones never happened
    assert schedule_of(early, 9) == (Segment(2, SLOW), Segment(9, FAST))
    assert at_step(schedule_of(again, 9), 3) == SLOW
    assert at_step(schedule_of(again, 9), 4) == FAST
    assert until(schedule_of(again, 9), 4) == (Segment(3, SLOW), Segment(4, FAST))


def test_a_copy_that_changes_nothing_is_its_parent():
    assert forked(SLOW, SLOW, 3) == SLOW
    copy = forked(SLOW, FAST, 3)
    assert forked(copy, FAST, 6) == copy


@given(st.lists(st.tuples(VALUES, st.integers(1, 4)), min_size=1, max_size=5))
def test_journals_and_exports_keep_schedules(changes):
    params, done = changes[0][0], 0
    for changed, length in changes[1:]:
        done += length
        params = forked(params, changed, done)
    steps = done + 1
    schedule = schedule_of(params, steps)
    assert plain(json.loads(json.dumps(params))) == params
    assert schedule_of(read_schedule(spelled(schedule), steps), steps) == schedule
    assert [one.until for one in schedule] == sorted({one.until for one in schedule})
    assert schedule[-1].until == steps
    assert all(until(schedule, step)[-1].until == step for step in range(1, steps + 1))


def test_spaces_let_histories_pass():
    space = Space.parse({"rate": {"float": [0.0, 1.0]}, "kind": ["a", "b"]})
    copy = forked(SLOW, FAST, 3)
    assert space.active(copy) == copy
    assert space.contains(copy)
    assert HISTORY in copy


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("fast", "give a list of"),
        ([], "give a list of"),
        ([{"rate": 1}], r"schedule\[0\]: `until` is a number of steps above 0"),
        ([{"until": 3, "rate": 1}, {"until": 3, "rate": 2}], r"schedule\[1\]: .* above 3"),
        ([{"until": 3, "rate": 1}], "it ends after 3 steps, and there are 9"),
    ],
)
def test_no_schedules(given, reason):
    with pytest.raises(ConfigError, match=reason):
        read_schedule(given, 9)
