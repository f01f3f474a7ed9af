"""Sentences about a study with limits, and about few trials."""

import pytest

import raytuner
from raytuner.terminal.summary import lines
from tests.raytuner.insight.sheet import made, over_a_limit


def said_of(run):
    return lines(raytuner.run(run, in_memory=True))


def test_what_beats_it_over_a_limit_is_not_denied():
    said = said_of(over_a_limit())
    assert said[1] == (
        "  This is the configuration as it stands; nothing that was tried within the limits "
        "beats it."
    )
    assert said[2] == "  No other complete trial keeps to the limits."


def test_what_is_worse_and_over_a_limit_is_not_mentioned():
    said = said_of(over_a_limit(standing=1, limits=["price >= 1.5"]))
    assert said[1] == "  This is the configuration as it stands; nothing that was tried beats it."


def test_only_what_keeps_to_the_limits_counts_as_another_one():
    def scores(params, question):
        x = params["x"]
        return {"score": x / 10 + question % 2 / 10, "price": 1 + 1.4 * (x == 3) * (question % 2)}

    limited = {"limits": ["price <= 1.5"], "verdict": {"held_out": 0}}
    said = said_of(made(scores, {"x": [1, 2, 3]}, units=60, **limited))
    assert said[0].endswith("x = 2")
    assert said[1] == "  60 questions tell it apart from the other one (paired, 95 %)."


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        ([0.5], "searched tell it apart from the other one"),
        ([0.0], "searched cannot tell it apart from the other one"),
        ([0.0, 0.0], "searched cannot tell it apart from any other one"),
        ([0.0, 0.5], "searched tell it apart from all but 1 of 2 others"),
        ([0.4, 0.5], "searched tell it apart from all 2 others"),
    ],
)
def test_others_are_counted_in_plain_english(gains, told):
    def score(params, question):  # who is no worse is no better either, question by question
        noise = 0.1 * ((question + params["x"]) % 2)
        return 0.6 - (gains[params["x"] - 1] if params["x"] else 0) + noise

    space = {"x": list(range(len(gains) + 1))}
    said = said_of(made(score, space, units=60, base={"x": 0}))
    assert said[2] == f"  The 24 questions {told} (paired, 95 %)."


def test_one_question_is_one():
    said = said_of(made(lambda params, question: params["x"] / 2, {"x": [0, 1]}, units=1))
    assert said[1].startswith("  A lead, not a proof: 1 question cannot tell it apart")
