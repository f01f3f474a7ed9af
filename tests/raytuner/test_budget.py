"""Limits, and the purse that parallel workers share."""

import contextlib
import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from raytuner.budget import (
    Budget,
    BudgetExhaustedError,
    Entry,
    Purse,
    Spent,
    SweepEndingError,
    ledger_spent,
)
from raytuner.objective import Cost


def test_tokens_are_a_limit_of_the_sweep_and_dollars_a_question_are_none():
    budget = Budget(tokens=100, usd_per_question=0.01)
    assert budget.exceeded(Spent(tokens=99, usd=1e9)) is None
    assert budget.exceeded(Spent(tokens=100)) == "the budget of 100 tokens is used"
    assert not budget.exceeded_never()
    assert Budget(usd_per_question=0.01).exceeded_never()


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
                                    {"usd": float("nan")}, {"trials": 1.5},
                                    {"tokens": 0}, {"usd_per_question": 0}])  # fmt: skip
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


def test_tokens_are_held_like_dollars():
    purse = Purse(1.0, tokens=100, tokens_spent=10)
    ticket = purse.hold(0.1, 60)
    with pytest.raises(BudgetExhaustedError, match=r"of 100 tokens .* up to 31 tokens"):
        purse.hold(0.1, 31)
    assert purse.held == (0.1, 60)
    assert purse.fits_later(0.1, 90)
    assert not purse.fits_later(0.1, 91)
    assert not purse.fits_now(0.1, 31)
    assert purse.fits_now(0.1, 30)
    purse.close(ticket, Cost(0.05, 20, 10, 1))
    assert (purse.spent, purse.tokens_spent, purse.held) == (0.05, 40, (0.0, 0))


def test_what_nobody_knows_the_cost_of_has_cost_all_that_was_held():
    purse = Purse(1.0, tokens=100)
    purse.close(purse.hold(0.25, 50), None)
    assert (purse.spent, purse.tokens_spent) == (0.25, 50)


def test_a_call_that_cost_more_than_its_worst_case_is_counted_as_it_is():
    purse = Purse(1.0)
    purse.close(purse.hold(0.5), Cost(1.5))
    assert purse.spent == 1.5
    with pytest.raises(BudgetExhaustedError):
        purse.hold(0.0)


def test_a_ticket_is_closed_once():
    purse = Purse(1.0)
    ticket = purse.hold(0.5)
    purse.close(ticket, Cost(0.5))
    with pytest.raises(KeyError):
        purse.close(ticket, Cost(0.5))
    assert purse.spent == 0.5


def test_a_cost_without_a_reservation_is_spent_too():
    rows = []
    purse = Purse(1.0, ledger=rows.extend)
    purse.settle(0.25, Cost(0.25, 1, 2))
    assert (purse.spent, purse.held) == (0.25, (0.0, 0))
    assert ledger_spent(rows) == (0.25, 3)


def test_settlements_are_told_outside_the_lock():
    purse = Purse(1.0)
    seen = []
    purse.on_change(lambda: seen.append(purse.fits_now(1.0)))
    ticket = purse.hold(0.5)
    assert not seen
    purse.close(ticket, Cost())
    assert seen == [True]


def test_a_ledger_that_raises_refuses_the_hold():
    def full(rows):
        raise OSError(28, "no space left")

    purse = Purse(1.0, ledger=full)
    with pytest.raises(OSError, match="no space"):
        purse.hold(0.75)
    assert purse.held == (0.0, 0)
    assert purse.spent == 0.0


def test_a_ledger_that_raises_at_the_settlement_says_too_much_and_the_purse_does_not():
    rows = []

    def note(new):
        if new[0].settled:
            raise OSError(28, "no space left")
        rows.extend(new)

    purse = Purse(1.0, ledger=note)
    ticket = purse.hold(0.75)
    with pytest.raises(OSError, match="no space"):
        purse.close(ticket, Cost(0.5))
    assert (purse.spent, purse.held) == (0.5, (0.0, 0))
    assert ledger_spent(rows) == (0.75, 0)


def test_no_ledger_is_kept_where_there_is_no_limit():
    rows = []
    purse = Purse(None, ledger=rows.extend)
    assert not purse.limited
    purse.close(purse.hold(1.0), Cost(1.0))
    assert rows == []


def test_unsettled_rows_count_whole_in_any_order():
    rows = [
        Entry(2, 0.25, 5, settled=True),
        Entry(1, 0.5, 10, settled=False),
        Entry(2, 0.75, 15, settled=False),
        Entry(3, 0.125, 1, settled=False),
    ]
    assert ledger_spent(rows) == (0.875, 16)
    assert ledger_spent([]) == (0, 0)


def test_an_ending_sweep_stops_jobs_as_an_empty_purse_does():
    assert issubclass(SweepEndingError, BudgetExhaustedError)


_Step = st.tuples(
    st.sampled_from(["hold", "close", "lose"]),
    st.integers(0, 50),
    st.integers(0, 40),
    st.floats(0, 1),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_Step, max_size=60))
def test_at_every_moment_the_record_says_no_less_than_was_spent_and_no_more_than_the_limit(steps):
    """A crash may come whenever the ledger has just been told, or is about to be."""
    moments = []

    def note(new):
        moments.append((purse.spent, list(rows)))
        rows.extend(new)
        moments.append((purse.spent, list(rows)))

    rows = []
    purse = Purse(1.0, tokens=200, ledger=note)
    under_way = []
    for what, cents, tokens, share in steps:
        usd = cents / 64
        if what == "hold":
            try:
                under_way.append((purse.hold(usd, tokens), usd, tokens))
            except BudgetExhaustedError:
                held = sum(one[1] for one in under_way), sum(one[2] for one in under_way)
                fits = purse.spent + held[0] + usd <= 1.0
                assert not fits or purse.tokens_spent + held[1] + tokens > 200
        elif under_way:
            ticket, *worst = under_way.pop(cents % len(under_way))
            real = Cost(worst[0] * share, int(worst[1] * share), 0, 1)
            purse.close(ticket, None if what == "lose" else real)
        assert purse.spent + purse.held[0] <= 1.0 + 1e-6
        assert purse.tokens_spent + purse.held[1] <= 200
        moments.append((purse.spent, list(rows)))
    for spent, then in moments:
        usd, tokens = ledger_spent(then)
        assert spent - 1e-6 <= usd <= 1.0 + 1e-6
        assert tokens <= 200
    for ticket, usd, _ in under_way:
        purse.close(ticket, Cost(usd / 2))
    assert ledger_spent(rows) == (pytest.approx(purse.spent), purse.tokens_spent)


def test_threads_never_put_more_on_record_than_there_is():
    """Whichever way their rows interleave."""
    rows, tops = [], []
    lock = threading.Lock()

    def note(new):
        with lock:
            rows.extend(new)
            tops.append(len(rows))

    purse = Purse(1.0, ledger=note)

    def work(seed):
        chance = random.Random(seed)
        for _ in range(60):
            usd = chance.uniform(0, 0.2)
            with contextlib.suppress(BudgetExhaustedError):
                purse.close(purse.hold(usd), Cost(usd * chance.random() / 4))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(ledger_spent(rows[:top])[0] for top in tops) <= 1.0 + 1e-6
    assert ledger_spent(rows)[0] == pytest.approx(purse.spent)
