"""What a search does in the background is on record, with its cost, until the session is over."""

import pytest

from raytuner.budget import BudgetExhaustedError, SweepEndingError
from raytuner.journal import Journal
from raytuner.meter import WorkMeter
from raytuner.objective import Cost
from raytuner.record import Record
from raytuner.search.port import Unaffordable
from raytuner.sweeping.workroom import Room

OPENED = {"event": "opened", "schema": 1, "study": "s", "scope": "x", "units": ["a"]}


@pytest.fixture
def made():
    """A room over an open session; gives it, the journal, the record, and how often it woke."""
    journal, awake = Journal(None), []
    journal.append(OPENED)
    record = Record("s", "x", ["a", "b"])

    def wake(change):
        awake.append(change)
        if change is not None:
            change()

    return Room(journal, record, WorkMeter, wake), journal, record, awake


def work(room, number, again=False):
    meter = room.begin(number, again=again)
    meter.spend(Cost(0.5, 10, 4, 1))
    meter.count("paid/reflect/m/calls", 2)
    room.made(number, f"point {number}", "it failed")


def test_beginnings_and_ends_are_on_record_and_add_up(made):
    room, journal, record, awake = made
    work(room, 0)
    work(room, 1)
    assert record.cost == Cost(1.0, 20, 8, 2)
    assert record.background == record.work == {"paid/reflect/m/calls": 4}
    assert room.units == ("a", "b")
    events = list(journal)
    assert [event["event"] for event in events[1:]] == ["begun", "made", "begun", "made"]
    again = Record("s", "x", ["a", "b"], events)
    assert again.cost == record.cost
    assert again.spent_usd == 1.0
    assert again.background == record.background
    steps = [(step.kind, step.units, step.key) for step in again.history]
    assert steps[:2] == [("begun", 0, ""), ("made", 0, "point 0")]
    room.wake()
    assert awake[-1] is None


def test_what_is_gone_on_with_is_not_begun_again(made):
    room, journal, _, _ = made
    work(room, 0, again=True)
    assert [event["event"] for event in journal][1:] == ["made"]


def test_another_studys_work_is_spent_but_no_history(made):
    room, journal, _, _ = made
    work(room, 0)
    other = Record("other", "x", ["a"], list(journal))
    assert other.cost.usd == 0.5
    assert other.history == []


def test_nothing_is_recorded_after_the_end(made):
    room, journal, record, awake = made
    room.begin(0, again=False)
    room.close()
    room.made(0, "point")
    room.begin(1, again=False)
    assert [event["event"] for event in journal][1:] == ["begun"]
    assert awake == []
    assert record.cost == Cost()


@pytest.mark.parametrize("error", [BudgetExhaustedError, SweepEndingError])
def test_a_budget_without_room_is_said_so(made, error):
    with pytest.raises(Unaffordable, match="no room"), made[0].paying():
        raise error("no room")
    with pytest.raises(ValueError, match="other"), made[0].paying():
        raise ValueError("other")
