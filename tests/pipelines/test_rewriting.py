"""What a language model is asked when it is to write a better prompt, and what is taken of it."""

import pytest

from pipelines.cache.responses import ResponseCache
from pipelines.llm.client import client_of
from pipelines.llm.models import OpenAIModel
from pipelines.rewriting import STAGE, asked, rewriter_of, unfenced
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure, Tally
from raytuner.ports.gate import paid_counter
from raytuner.ports.rewriting import Example, Rewriting, Rival
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]
REQUEST = Rewriting(
    parameter="generator.prompt",
    text="Answer {question}.",
    score=0.25,
    examples=(Example("What is 1 + 1?", "3", "2", 0.0), Example("Who?", "", "", 0.5)),
    rivals=(Rival("Say {question}.", 0.5),),
    fields=("context", "question"),
    max_chars=300,
    number=4,
)


@pytest.fixture
def write(tmp_path, endpoint):
    """Have a text written; gives it and the meter."""
    client = client_of(ResponseCache(tmp_path / "answers"))

    def write(request=REQUEST, **more):
        model = {"model": "good-1", "price": {"input": 1.0, "output": 2.0}, "retries": 0, **more}
        meter = Tally()
        return rewriter_of(model, {}, client).rewrite(request, meter), meter

    return write


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Here:\n```\nSay {x}.\n```\nGood luck!", "Say {x}."),
        ("```text\nSay\n{x}.\n```", "Say\n{x}."),
        ("```\nShow ```\ncode\n``` of {x}.\n```", "Show ```\ncode\n``` of {x}."),
        ("  Say {x}.\n", "Say {x}."),
        ("```", "```"),
        ("", ""),
    ],
)
def test_the_text_is_what_stands_between_the_fences(said, text):
    assert unfenced(said) == text


def test_everything_that_may_help_is_shown():
    text = asked(REQUEST)
    for part in (
        "Current generator.prompt, mean score 0.250:\n```\nAnswer {question}.\n```",
        "Example 1, score 0.000\nIt was asked:\nWhat is 1 + 1?\nIt was answered:\n3\nThis was",
        "expected:\n2\n\n",
        "Example 2, score 0.500\nIt was asked:\nWho?\n\n",
        "Another one, mean score 0.500:\n```\nSay {question}.\n```",
        "(variation 5) of at most 300 characters. Keep {context}, {question} in it",
    ):
        assert part in text
    assert "cannot be used" not in text
    bare = Rewriting("p", "x", None, (), (), (), 10, 0, objection="is too long")
    assert "What you wrote before cannot be used: it is too long." in asked(bare)
    assert "Keep" not in asked(bare)


def test_it_is_paid_for_once_and_counted_by_its_stage(write, endpoint):
    text, meter = write()
    assert "Answer {question}." in text or "Answer it." in text
    assert meter.cost.usd == pytest.approx(endpoint.usd(1.0, 2.0))
    assert meter.counts[paid_counter(STAGE, "good-1", "calls")] == 1
    again, free = write()
    assert (again, free.cost.usd) == (text, 0.0)
    assert endpoint.calls() == 1
    write(Rewriting(**{**vars(REQUEST), "number": 5}))
    assert endpoint.calls() == 2


def test_what_it_costs_stays_within_the_bound(write, tmp_path):
    _, meter = write()
    model = {"model": "good-1", "price": {"input": 1.0, "output": 2.0}}
    writer = rewriter_of(model, {}, client_of(ResponseCache(tmp_path / "other")))
    most = writer.most(len(asked(REQUEST)), REQUEST.max_chars)
    assert 0 < meter.cost.usd < most.usd
    assert meter.cost.tokens_in < most.tokens_in
    assert most.calls == 1


def test_a_failure_says_of_which_kind(write, endpoint):
    endpoint.fault("status", status=429)
    with pytest.raises(ObjectiveFailure) as caught:
        write()
    assert caught.value.failure.kind == "rate_limit"
    endpoint.clear_faults()
    endpoint.fault("hang")
    with pytest.raises(ObjectiveFailure) as caught:
        write(timeout=0.3)
    assert caught.value.failure.kind == "timeout"


@pytest.mark.parametrize("kind", ["truncated", "content-filter"])
def test_half_a_text_is_none(write, endpoint, kind):
    endpoint.fault(kind)
    with pytest.raises(ObjectiveFailure, match="good-1: what it wrote is"):
        write()


def test_who_writes_is_named_as_everywhere(tmp_path, endpoint):
    client = client_of(ResponseCache(tmp_path / "answers"))
    known = {"large": OpenAIModel(model="good-1")}
    assert rewriter_of("large", known, client).unpriced() == ["good-1"]
    assert rewriter_of("good-1", {}, client).unpriced() == ["good-1"]
    with pytest.raises(ConfigError, match="Did you mean 'large'"):
        rewriter_of("lage", known, client)
    with pytest.raises(ConfigError, match="modle"):
        rewriter_of({"modle": "x"}, known, client)
    endpoint.configure(models=["other"])
    with pytest.raises(ConfigError, match="good-1"):
        rewriter_of("large", known, client).preflight()
