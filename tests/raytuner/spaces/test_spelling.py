"""How studies spell domains and spaces, and what they are told when they get it wrong."""

import math

import numpy as np
import pytest

from raytuner.component import ConfigError
from raytuner.space import Space
from raytuner.spaces.spelling import parse_domain


def test_shorthands():
    assert parse_domain([1, "x", None, True]).grid() == (1, "x", None, True)
    assert parse_domain("gpt").grid() == ("gpt",)
    assert parse_domain(0.5).grid() == (0.5,)
    assert parse_domain(None).grid() == (None,)
    assert parse_domain("bool").grid() == (False, True)
    assert parse_domain({"bool": True}) == parse_domain("bool")
    assert parse_domain(np.array([1, 2]).tolist()).grid() == (1, 2)


@pytest.mark.parametrize(
    ("spelled", "message"),
    [
        ({"int": [512, 128]}, "int low 512 is above high 128: swap them"),
        ({"int": [1, 2, 3]}, "int takes [low, high], not [1, 2, 3]"),
        ({"int": [1, "9"]}, "int high takes a number, not '9'"),
        ({"int": [True, 9]}, "int low takes a number, not true"),
        ({"int": [1, 2.5]}, "int high takes a whole number, not 2.5: use `float`"),
        ({"int": [0, 9], "log": True}, "int low 0 has no logarithm"),
        ({"int": [0, 9], "step": 10}, "int step 10 is wider than 0 to 9"),
        ({"int": [0, 9], "step": 0}, "step"),
        ({"int": [0, 9], "step": 2, "points": 2}, "both step 2 and points 2: keep one"),
        ({"int": [0, 9], "steps": 2}, "Did you mean 'step'?"),
        ({"float": [0, math.inf]}, "inf is no finite 64-bit number"),
        ({"float": [0, 1], "step": -0.1}, "step"),
        ({"float": [0, 1], "points": 1}, "points"),
        ({"float": [0, 1], "log": "yes"}, "log"),
        ({"choice": {"a": 1}}, "choice takes a list"),
        ({"choice": "abc"}, "choice takes a list"),
        ({"choice": [{"kind": "x"}]}, "a value is a scalar"),
        ({"choice": [[1, 2]]}, "a value is a scalar"),
        ([], "choice is empty"),
        ([1, 1.0], "lists 1.0 twice"),
        ([object()], "is a object"),
        ({"bool": False}, "bool takes true, not false"),
        ({"subset": ["a"], "max": 2}, "subset max 2 is above the 1 values listed"),
        ({"subset": ["a", "b"], "min": 2, "max": 1}, "subset min 2 is above max 1"),
        ({"chioce": [1]}, "Did you mean 'choice'?"),
        ({"int": [1, 2], "float": [1, 2]}, "exactly one of int, float"),
        ({}, "exactly one of int, float"),
        ({"choice": [1], "when": "x"}, "`when` is a mapping"),
        ({"choice": [1], "when": {"x": []}}, "`when` lists no value for x"),
    ],
)
def test_bad_domains_say_what_would_be_right(spelled, message):
    with pytest.raises(ConfigError) as caught:
        parse_domain(spelled)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "rules", "message"),
    [
        ({"a.b": {"int": [9, 1]}}, [], "space: a.b: int low 9 is above high 1: swap them"),
        ({"a": {"int": [1, 2], "stepp": 1}}, [], "space: a: int has no field 'stepp'"),
        ({"a": {"int": [1, 5], "step": "2"}}, [], "space: a: step: "),
        ({"a b": 1}, [], "space: 'a b' is no parameter name"),
        ({3: 1}, [], "space: 3 is no parameter name"),
        ({"a..b": 1}, [], "space: 'a..b' is no parameter name"),
        (["a"], [], "space: ['a'] is no mapping"),
        (
            {"alpha": 1, "b": {"choice": [1], "when": {"alfa": 1}}},
            [],
            "no parameter is called 'alfa'; the space has alpha, b. Did you mean 'alpha'?",
        ),
        (
            {"kind": ["x"], "b": {"choice": [1], "when": {"kind": "y"}}},
            [],
            "space: b: `when` kind: 'y' is no value of kind, which is one of 'x'",
        ),
        (
            {"n": {"int": [1, 5]}, "b": {"choice": [1], "when": {"n": 6}}},
            [],
            "space: b: `when` n: 6 is no value of n, which is int 1 to 5",
        ),
        (
            {"a": {"choice": [1], "when": {"b": 1}}, "b": {"choice": [1], "when": {"a": 1}}},
            [],
            "in a circle, a -> b -> a",
        ),
        ({"a": {"choice": [1], "when": {"a": 1}}}, [], "in a circle, a -> a"),
        ({"a": 1}, ["a < b"], "space: constraint 'a < b': no parameter is called 'b'"),
        ({"a": 1, "k": "x"}, ["a < k"], "`<` needs numbers, k is text"),
        ({"a": 1}, "a < 0 +", "space: constraint 'a < 0 +': it ends"),
        ({"a": 1}, [3], "space: constraints: [3] is no list of texts"),
        ({"a": 1, "constraints": {"int": [1, 2]}}, [], "space: constraints: "),
    ],
)
def test_bad_spaces_name_the_parameter_and_the_remedy(mapping, rules, message):
    with pytest.raises(ConfigError) as caught:
        Space.parse(mapping, rules)
    assert message in str(caught.value)
    assert caught.value.field
