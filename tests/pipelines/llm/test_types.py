import pytest
from pydantic import ValidationError

from pipelines.llm.types import Completion, Reply, Sampling
from raytuner.objective import Cost


@pytest.mark.parametrize(
    "fields",
    [{"max_tokens": 0}, {"temperature": -0.1}, {"temperature": 2.1}, {"top_p": 0}, {"top_p": 1.1},
     {"presence_penalty": -3}, {"frequency_penalty": 3}, {"temperature": float("nan")},
     {"heat": 1}],
)  # fmt: skip
def test_what_no_endpoint_takes_is_refused(fields):
    with pytest.raises(ValidationError):
        Sampling(**fields)


def test_temperature_and_top_p_are_not_given_together():
    with pytest.raises(ValidationError, match=r"temperature \(0.5\) and top_p \(0.9\)"):
        Sampling(temperature=0.5, top_p=0.9)


def test_what_is_none_is_not_sent():
    assert Sampling(max_tokens=5).sent() == {"max_tokens": 5}


def test_what_is_zero_is_sent():
    given = {"temperature": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    assert Sampling(max_tokens=5, **given).sent() == {"max_tokens": 5, **given}


@pytest.mark.parametrize(("stop", "sent"), [("\n", "\n"), (("a", "b"), ["a", "b"])])
def test_stop_is_a_text_or_a_list(stop, sent):
    assert Sampling(stop=stop).sent()["stop"] == sent


def test_the_seed_is_sent_by_sample_and_not_with_the_rest():
    assert "seed" not in Sampling(seed=7).sent()


def test_a_reply_without_samples_costs_nothing():
    assert Reply().usage == Cost()
    assert Reply((Completion("a"), Completion("b"))).first.text == "a"
