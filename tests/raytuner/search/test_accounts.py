"""What was asked for, and what came of it."""

import pytest

from raytuner.search.accounts import Accounts, Booked, rank
from raytuner.search.learner import Outcome
from raytuner.search.port import Exhausted
from raytuner.space import Space

SPACE = Space.parse({"x": [1, 2, 3]})


class Counting(Booked):
    def propose(self):
        return next((p for p in SPACE.every() if self.books.fresh(p)), None)


def test_only_news_about_points_of_the_space_is_noted():
    books = Accounts(SPACE)
    assert books.note({"x": 1}, Outcome(0.5, 4, ended=False))
    assert not books.note({"x": 1}, Outcome(0.5, 4, ended=False))
    assert books.note({"x": 1}, Outcome(0.6))
    assert not books.note({"x": 9}, Outcome(0.6))
    assert not books.note({"x": 2}, Outcome(None, ended=False))
    assert books.outcome({"x": 1}) == Outcome(0.6)
    assert [books.fresh({"x": x}) for x in (1, 2)] == [False, True]


def test_what_went_further_is_better_and_the_first_of_equals_is_best():
    books = Accounts(SPACE)
    books.note({"x": 1}, Outcome(0.9, 4))
    books.note({"x": 2}, Outcome(0.5))
    books.note({"x": 3}, Outcome(0.5))
    assert books.best([{"x": 1}, {"x": 3}, {"x": 2}]) == {"x": 3}
    books.note({"x": 2}, Outcome(None))
    assert books.best([{"x": 2}]) is None
    assert rank(Outcome(None)) is rank(None) is None


def test_asked_for_is_pending_until_it_has_ended():
    proposer = Counting(SPACE, 2)
    point = proposer.ask()
    assert proposer.books.pending(point)
    proposer.tell(point, 0.5, units=2, ended=False)
    assert proposer.books.pending(point)
    proposer.tell(point, None)
    assert not proposer.books.pending(point)
    proposer.recall({"x": 2})
    with pytest.raises(Exhausted):
        proposer.ask()
