"""Limits: how they are written, who breaks them, and who is stopped for it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.limits import Limit, Limits
from raytuner.objective import LATENCY, UNIT_USD, UnitScore
from raytuner.trial import Trial

UNITS = tuple(f"q{n}" for n in range(64))
ROWS = {unit: row for row, unit in enumerate(UNITS)}


def trial(*, seconds=(), facts=None, **metrics):
    """A trial with so many values per metric, from the first question on."""
    made = Trial("k", {}, UNITS, facts=dict(facts or {}))
    count = max([len(seconds), *map(len, metrics.values())])
    made.record(
        [
            UnitScore(
                unit,
                {"hit": 1.0, **{m: values[n] for m, values in metrics.items()}},
                notes={LATENCY: seconds[n]} if n < len(seconds) else None,
            )
            for n, unit in enumerate(UNITS[:count])
        ],
        ROWS,
    )
    return made


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("usd_per_question <= 0.002", Limit("usd_per_question", 0.002)),
        (" latency_p95<=3 ", Limit("latency_p95", 3.0)),
        ("recall@5 >= 8e-1", Limit("recall@5", 0.8, most=False)),
    ],
)
def test_a_limit_is_a_measure_a_sign_and_a_number(text, limit):
    assert Limit.parse(text) == limit
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cheap", "is no limit"),
        ("usd < 3", "<= or >="),
        ("usd == 3", "<= or >="),
        ("<= 3", "is no limit"),
        ("usd <=", "is no limit"),
        ("usd <= much", "'much' in 'usd <= much' is no number"),
        ("usd <= nan", "is no number"),
        ("usd <= inf", "is no number"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Limit.parse(text, ("limits", 0))
    assert caught.value.field == ("limits", 0)


def test_measures_are_means_percentiles_or_facts():
    made = trial(seconds=[1.0] * 62 + [9.0] * 2, facts={"index_mb": 12.0}, usd=[0.5] * 64)
    assert Limit.parse("usd <= 1").value(made) == 0.5
    assert Limit.parse("latency_p50 <= 1").value(made) == 1.0
    assert Limit.parse("latency_p95 <= 1").value(made) == 1.0
    assert Limit.parse("index_mb <= 1").value(made) == 12.0
    assert Limit.parse("size <= 1").value(made) is None


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("usd <= 0.5", None),
        ("usd <= 0.5000000001", None),
        ("usd <= 0.4", "usd 0.5, above the limit of 0.4"),
        ("usd >= 0.6", "usd 0.5, below the limit of 0.6"),
        ("latency_p95 <= 3", "latency_p95 is not measured, and limited to 3"),
    ],
)
def test_a_complete_trial_keeps_to_a_limit_or_not(limit, reason):
    assert Limits([Limit.parse(limit)]).broken(trial(usd=[0.5] * 64)) == reason


@pytest.mark.parametrize("value", [0.1, 0.01, 0.002, 1e-7, 0.3, 1 / 3, 7.7])
@pytest.mark.parametrize("sign", ["<=", ">="])
def test_a_limit_that_every_question_meets_exactly_is_kept(value, sign):
    limits = Limits([Limit.parse(f"usd {sign} {value!r}")])
    assert limits.broken(trial(usd=[value] * 64)) is None
    assert limits.look(trial(usd=[value] * 64), 64) is None


def test_a_budget_is_a_limit_that_needs_no_measurement():
    limits = Limits([Limit(UNIT_USD, 0.002, lenient=True)])
    assert limits.broken(trial(usd=[1.0] * 64)) is None
    dear = limits.broken(trial(**{UNIT_USD: [0.003] * 64}))
    assert dear == "$0.003 a question, above the budget of $0.002"


def test_who_surely_breaks_a_limit_is_stopped_early():
    limits = Limits([Limit.parse("usd <= 0.4")])
    assert limits.look(trial(usd=[0.5, 0.6] * 4), 8) == "usd 0.55, above the limit of 0.4"
    assert limits.look(trial(usd=[0.5, 0.6] * 3), 6) is None  # too few to conclude
    assert limits.look(trial(usd=[0.0, 1.0] * 4), 8) is None  # may be chance
    assert Limits([Limit.parse("recall >= 0.9")]).look(trial(recall=[0.1, 0.2] * 8), 16)


def test_facts_are_sure_at_once_and_percentiles_when_too_many_are_slow():
    small, quick = Limits([Limit.parse("index_mb <= 1")]), Limits([Limit.parse("latency_p95 <= 1")])
    assert small.look(trial(usd=[1.0], facts={"index_mb": 2.0}), 1)
    assert quick.look(trial(seconds=[0.5] * 15 + [2.0]), 16) is None  # one of 16 is not too many
    assert quick.look(trial(seconds=[0.5] * 8 + [2.0] * 8), 16)
    slow = Limits([Limit.parse("latency_p50 >= 1")])
    assert slow.look(trial(seconds=[0.5] * 32), 32)
    assert slow.look(trial(seconds=[0.5] * 16 + [2.0] * 16), 32) is None


def test_trials_at_the_limit_are_hardly_ever_stopped():
    draws, stopped = random.Random(1), 0
    for _ in range(400):
        limits = Limits([Limit.parse("usd <= 0.5"), Limit.parse("latency_p95 <= 0.95")])
        made = trial(
            usd=[draws.random() for _ in range(64)], seconds=[draws.random() for _ in range(64)]
        )
        stopped += any(limits.look(made, units) for units in (8, 16, 32, 64))
    assert stopped / 400 < 0.1  # 5 % for each limit at most


@given(st.lists(st.floats(0, 1), min_size=8, max_size=64), st.floats(0, 1))
def test_a_trial_that_keeps_to_a_limit_so_far_is_not_stopped(values, bound):
    made = trial(usd=values)
    mean = sum(values) / len(values)
    if mean < bound - 1e-9:
        assert Limits([Limit("usd", bound)]).look(made, len(values)) is None
