"""AutoGen's arguments become a space that says the same."""

import random

import pytest

from raytuner.compat.completion_space import MODELS, completion_space
from raytuner.component import ConfigError
from raytuner.space import Space


def test_the_default_space_is_autogens():
    chosen = completion_space({})
    space = Space.parse(chosen.space)
    assert space.names == ("model", "sampler", "temperature", "top_p", "max_tokens", "n")
    assert chosen.fixed == {"prompt": "{prompt}"}
    assert chosen.space["model"] == {"choice": list(MODELS)}
    for seed in range(20):
        point = space.sample(random.Random(seed))
        assert ("temperature" in point) != ("top_p" in point)
        assert point["sampler"] in point


def test_scalars_hold_lists_are_choices_and_mappings_are_domains():
    chosen = completion_space(
        {"model": "m", "n": 3, "max_tokens": [10, 20],
         "temperature": {"float": [0, 1]}, "prompt": ["{a}", "{b}"]}
    )  # fmt: skip
    assert chosen.fixed == {"model": "m", "n": 3}
    assert chosen.space == {
        "prompt": {"choice": ["{a}", "{b}"]},
        "temperature": {"float": [0, 1]},
        "max_tokens": {"choice": [10, 20]},
    }
    assert "prompt" in completion_space({"prompt": ["{a}"]}).fixed


def test_the_studys_models_are_tried_unless_one_is_named():
    assert completion_space({}, ["a", "b"]).space["model"] == {"choice": ["a", "b"]}
    assert completion_space({}, ["a"]).fixed["model"] == "a"
    assert completion_space({"model": "b"}, ["a", "b"]).fixed["model"] == "b"


def test_conversations_and_stops_are_named():
    one = [{"role": "user", "content": "{q}"}]
    two = [{"role": "system", "content": "Be brief."}, *one]
    chosen = completion_space({"messages": [one, two], "stop": [["###"], "\n\n", None]})
    assert chosen.messages == {"0": one, "1": two}
    assert chosen.space["messages"] == {"choice": ["0", "1"]}
    assert chosen.stops == {"0": ["###"], "1": ["\n\n"]}
    assert chosen.space["stop"] == {"choice": ["0", "1", None]}
    assert "prompt" not in chosen.fixed

    single = completion_space({"messages": one, "stop": ["a", "b"]})
    assert single.messages == {"0": one}
    assert single.fixed["messages"] == "0"
    assert single.fixed["stop"] == ["a", "b"]


def test_alternatives_of_sampling():
    mixed = completion_space({"temperature_or_top_p": [{"temperature": [0, 1]}, {"top_p": 0.5}]})
    assert mixed.space["temperature"] == {"choice": [0, 1], "when": {"sampler": "temperature"}}
    assert mixed.space["top_p"] == {"choice": [0.5], "when": {"sampler": "top_p"}}
    assert "sampler" not in completion_space({"temperature_or_top_p": {"top_p": 0.5}}).space


def test_a_space_without_choice_still_has_a_parameter():
    fixed = {"model": "m", "n": 1, "max_tokens": 5, "temperature": 0, "prompt": "{a}"}
    assert Space.parse(completion_space(fixed).space).size() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"temperature": 0, "top_p": 1}, "temperature and top_p are both given"),
        ({"temperature": 0, "temperature_or_top_p": []}, "both given"),
        ({"temperature_or_top_p": 3}, "give a list"),
        ({"temperature_or_top_p": [{"top_p": 1}, {"top_p": 0.5}]}, "listed twice"),
        ({"temprature": 0}, "Did you mean 'temperature'"),
        ({"prompt": "{a}", "messages": [{"role": "user", "content": "x"}]}, "both given"),
        ({"prompt": len}, "list of templates"),
        ({"messages": "plain"}, "list of"),
    ],
)
def test_bad_input(given, said):
    with pytest.raises(ConfigError, match=said):
        completion_space(given)
