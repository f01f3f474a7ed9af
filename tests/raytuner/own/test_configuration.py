"""Configurations as functions and programs get them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.own.configuration import Config, flat, nested


def test_names_are_dotted_or_nested():
    config = Config({"steps.route.method": "llm", "steps.route.k": 3, "seed": 1})
    assert config["steps.route.method"] == config["steps"]["route"]["method"] == "llm"
    assert config["steps.route"] == {"method": "llm", "k": 3}
    assert config.nested() == {"steps": {"route": {"method": "llm", "k": 3}}, "seed": 1}
    assert "steps" not in config
    with pytest.raises(KeyError, match=r"no parameter 'sed'; there are: .* Did you mean 'seed'\?"):
        config["sed"]


def test_tuples_are_lists_in_json():
    assert nested({"tools": ("a", ("b", 1))}) == {"tools": ["a", ["b", 1]]}


@pytest.mark.parametrize("values", [{"a": 1, "a.b": 2}, {"a.b": 1, "a.b.c": 2}])
def test_a_name_that_is_a_part_of_another_one_is_refused(values):
    with pytest.raises(ConfigError, match="is a value already"):
        nested(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"a": {"b": 1}, "a.b": 2}, "a.b is there twice"), ({1: 2}, "1 names no parameter"),
     ({"a": {"": 2}}, "names no parameter")],
)  # fmt: skip
def test_what_cannot_be_flat_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        flat(values)


_NAMES = st.text("abc", min_size=1, max_size=2)
_TREES = st.recursive(
    st.dictionaries(_NAMES, st.integers(), min_size=1),
    lambda inner: st.dictionaries(_NAMES, inner | st.integers(), min_size=1),
    max_leaves=12,
)


@given(_TREES)
def test_flat_and_nested_are_inverse(tree):
    assert nested(flat(tree)) == tree
    assert flat(flat(tree)) == flat(tree)
