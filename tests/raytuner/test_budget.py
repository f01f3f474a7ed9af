"""Limits, and the purse that parallel workers share."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from raytuner.budget import Budget, BudgetExhaustedError, Purse, Spent
from raytuner.objective import Cost


def test_limits_are_reached_exactly():
    budget = Budget(trials=3, seconds=10, usd=1)
    assert budget.exceeded(Spent(2, 9.9, 0.99)) is None
    assert budget.exceeded(Spent(3)) == "the budget of 3 trials is used"
    assert budget.exceeded(Spent(seconds=10.0)) == "the budget of 10 seconds is used"
    assert budget.exceeded(Spent(usd=1.0)) == "the budget of $1 is used"
    assert Budget().exceeded(Spent(10**9, 1e9, 1e9)) is None
    assert Budget().exceeded_never()
    assert not budget.exceeded_never()


@pytest.mark.parametrize("fields", [{"trials": 0}, {"seconds": 0}, {"usd": -1}, {"eur": 1},
                                    {"usd": float("nan")}, {"trials": 1.5}])  # fmt: skip
def test_senseless_limits_are_refused(fields):
    with pytest.raises(ValidationError):
        Budget(**fields)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 1)), max_size=30))
def test_spent_and_reserved_never_exceed_the_limit(calls):
    purse = Purse(1.0, spent=0.1)
    open_calls = []
    for worst, share in calls:
        try:
            purse.reserve(worst)
            open_calls.append((worst, worst * share))
        except BudgetExhaustedError:
            if open_calls:
                reserved, real = open_calls.pop()
                purse.settle(reserved, Cost(real))
        assert purse.spent + sum(worst for worst, _ in open_calls) <= 1.0 + 1e-6
    for reserved, real in open_calls:
        purse.settle(reserved, Cost(real))
    assert purse.spent <= 1.0 + 1e-6


def test_threads_do_not_overshoot():
    purse = Purse(1.0)
    refused = []

    def work():
        for _ in range(100):
            try:
                purse.reserve(0.01)
            except BudgetExhaustedError:
                refused.append(1)
            else:
                purse.settle(0.01, Cost(0.01))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert purse.spent == pytest.approx(1.0)
    assert len(refused) == 700


def test_a_refusal_says_why():
    with pytest.raises(BudgetExhaustedError, match=r"of \$1 has no room for a call of up to \$2"):
        Purse(1.0).reserve(2.0)


def test_no_limit_refuses_nothing():
    purse = Purse(None)
    purse.reserve(1e12)
    purse.settle(1e12, Cost(5.0))
    assert purse.spent == 5.0
