"""Money on record before it is spent, and never less than was spent."""

import pytest

from raytuner.budget import BudgetExhaustedError, Entry, Purse
from raytuner.journal import Journal, read
from raytuner.objective import Cost
from raytuner.paying.ledger import Ledger


def rows(path):
    return [row for event in read(path)[0] for row in event["rows"]]


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path)
    yield opened
    opened.close()


def test_holds_are_written_before_they_are_granted(journal):
    reasons = []
    purse = Purse(1.0, ledger=Ledger(journal, reasons.append))
    ticket = purse.hold(0.5, 10)
    assert rows(journal.path) == [[ticket, 0.5, 10, False]]
    purse.close(ticket, Cost(0.25, 3, 4))
    assert rows(journal.path)[1:] == [[ticket, 0.25, 7, True]]
    assert not reasons


def test_what_cannot_be_recorded_is_not_spent_and_ends_the_sweep(journal):
    reasons = []
    purse = Purse(1.0, ledger=Ledger(journal, reasons.append))
    ticket = purse.hold(0.5)
    journal.close()
    with pytest.raises(BudgetExhaustedError, match="is closed"):
        purse.hold(0.1)
    purse.close(ticket, Cost(0.25))
    assert purse.spent == 0.25
    assert len(reasons) == 2
    assert "is closed" in reasons[0]


def test_nothing_is_written_after_the_session(journal):
    reasons = []
    ledger = Ledger(journal, reasons.append)
    ledger([Entry(1, 0.5, 0, False)])
    ledger.close()
    ledger([Entry(1, 0.1, 0, True)])
    with pytest.raises(BudgetExhaustedError, match="the session is over"):
        ledger([Entry(2, 0.5, 0, False)])
    assert rows(journal.path) == [[1, 0.5, 0, False]]
    assert not reasons
