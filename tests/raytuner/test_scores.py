"""What an objective hands over, made safe to record."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.objective import Cost, Failure, ObjectiveFailure, UnitScore
from raytuner.scores import checked, failure_of

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3),
    st.lists(st.integers(), max_size=2), st.sampled_from([10**400, np.float32(0.5), object()]),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    scores=st.dictionaries(st.text(max_size=3), ANYTHING, max_size=3) | st.none(),
    notes=st.dictionaries(st.text(max_size=3), ANYTHING, max_size=3) | st.none() | st.just([1]),
    seconds=ANYTHING,
    usd=ANYTHING,
)
def test_whatever_comes_can_be_recorded(scores, notes, seconds, usd):
    score = checked(UnitScore("q", scores, Cost(usd), seconds, notes=notes))
    json.dumps([score.scores, score.notes, score.seconds, list(score.cost)], allow_nan=False)
    assert bool(score.scores) != bool(score.failure)
    assert all(math.isfinite(value) for value in score.scores.values())
    if score.failure:
        assert score.failure.kind == "objective"
        assert not score.failure.retryable


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, None, "0.5", 10**400, [0.5], 1j, np.nan]
)
def test_a_score_is_a_finite_number(value):
    score = checked(UnitScore("q", {"good": 1.0, "bad": value}, Cost(0.5), 2.0))
    assert score.scores == {}
    assert "bad = " in score.failure.message
    assert (score.cost.usd, score.seconds) == (0.5, 2.0)  # it was paid for


def test_numbers_of_any_kind_become_floats():
    score = checked(UnitScore("q", {"a": True, "b": np.float32(0.5), 3: 2, "d": np.int64(1)}))
    assert score.scores == {"a": 1.0, "b": 0.5, "3": 2.0, "d": 1.0}
    assert {type(value) for value in score.scores.values()} == {float}


def test_costs_and_notes_are_made_plain():
    loop = []
    loop.append(loop)
    notes = {"answer": "x", "object": object(), "nan": math.nan, "loop": loop}
    score = checked(UnitScore("q", {"a": 1}, Cost(np.float64(1), np.int64(2)), 1, notes=notes))
    assert score.notes == {"answer": "x"}
    assert json.dumps(list(score.cost)) == "[1.0, 2, 0, 0]"
    bad = checked(UnitScore("q", {"a": 1}, Cost(math.nan)))
    assert bad.cost == Cost()
    assert "no finite cost" in bad.failure.message


def test_a_key_that_a_tool_told_is_not_kept(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "nothing-that-looks-like-one")
    said = "the key is nothing-that-looks-like-one, or sk-0123456789abcdef"
    notes = {"answer": said, "trace": [{"output": said, said: 1}], "calls": 2}

    kept = checked(UnitScore("q", {"m": 1.0}, notes=notes)).notes

    struck = "the key is ***, or ***"
    assert kept == {"answer": struck, "trace": [{"output": struck, struck: 1}], "calls": 2}


def test_failures_stay_failures():
    failure = Failure("rate_limit", "m" * 9000, retryable=True)
    score = checked(UnitScore("q", {"a": 1.0}, failure=failure))
    assert score.scores == {}
    assert score.failure == Failure("rate_limit", "m" * 2000, retryable=True)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (RuntimeError("a"), Failure("objective", "RuntimeError: a")),
        (KeyError(), Failure("objective", "KeyError")),
        (SystemExit(2), Failure("objective", "SystemExit: 2")),
        (TimeoutError("slow"), Failure("timeout", "TimeoutError: slow", retryable=True)),
        (MemoryError(), Failure("out_of_memory", "MemoryError")),
        (ConfigError("k: no", ("k",)), Failure("config", "k: no")),
        (
            ObjectiveFailure("provider", "503", retryable=True),
            Failure("provider", "503", retryable=True),
        ),
    ],
)
def test_exceptions_are_classified(error, failure):
    assert failure_of(error) == failure
