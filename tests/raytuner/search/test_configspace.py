"""Spaces in ConfigSpace's words."""

import random
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raytuner.component import MissingExtraError
from raytuner.search.axes import layout, positions, values
from raytuner.search.configspace import configuration_space
from raytuner.space import Space
from tests.raytuner.search.conformance import RAG
from tests.raytuner.test_space import spaces

ConfigSpace = pytest.importorskip("ConfigSpace")


def accepted(space, translated, point):
    """Tell whether ConfigSpace sees the same parameters active as the space does."""
    at = positions(layout(space), point)
    configuration = ConfigSpace.Configuration(translated, values=at)  # raises if it does not
    return set(configuration) == set(at)


def check_draws(space, translated, count=30):
    plan = layout(space)
    translated.seed(1)
    for _ in range(count):
        drawn = {label: float(at) for label, at in dict(translated.sample_configuration()).items()}
        point = space.active(values(plan, drawn))
        assert set(positions(plan, point)) == set(drawn)


@settings(max_examples=40, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_the_same_parameters_are_active_in_both(case, seed):
    space = Space.parse(case[0])
    translated = configuration_space(space)
    assume(len(translated))
    rng = random.Random(seed)
    assert all(accepted(space, translated, space.sample(rng)) for _ in range(20))
    check_draws(space, translated)


WHEN = {
    "log": ({"int": [1, 6], "log": True}, [1, 3, 6]),
    "log steps": ({"float": [0.1, 1.0], "step": 0.3, "log": True}, [0.4]),
    "logarithmic pair": ({"int": [2, 3], "log": True}, [3]),
    "real": ({"float": [0.0, 1.0], "points": 3}, [0.5]),
    "real log": ({"float": [0.01, 1.0], "log": True}, [0.01, 1.0]),
    "steps": ({"float": [0.1, 0.5], "step": 0.1}, [0.3, 0.5]),
    "listed": ({"choice": [30, 10, 20]}, [30, 20]),
    "mixed": ({"choice": ["x", None, 2, True]}, [None, True]),
    "member": ({"subset": ["p", "q", "r"]}, ["q"]),
    "member or whole": ({"subset": ["p", "q", "r"]}, ["q", ["p", "r"], []]),
    "constant": ({"int": [3, 3]}, [3]),
}


@pytest.mark.parametrize("case", WHEN.values(), ids=WHEN)
def test_a_condition_on_any_domain(case):
    domain, wanted = case
    space = Space.parse(
        {
            "top": ["on", "off"],
            "parent": {**domain, "when": {"top": "on"}},
            "child": {"float": [0, 1], "when": {"parent": wanted}},
            "grandchild": {"int": [0, 9], "when": {"parent": wanted, "top": ["on", "off"]}},
        }
    )
    translated = configuration_space(space)
    rng = random.Random(0)
    points = [space.sample(rng) for _ in range(60)]
    for value in wanted:
        chosen = ("q",) if value == "q" else value
        points.append(space.active({"top": "on", "parent": chosen, "child": 0.5, "grandchild": 4}))
    assert any("child" in point for point in points)
    assert any("child" not in point for point in points)
    assert all(accepted(space, translated, point) for point in points)
    check_draws(space, translated)


def test_what_can_never_be_active_is_left_out():
    space = Space.parse(
        {
            "one": {"int": [3, 5], "step": 2, "points": None},
            "only": ["x"],
            "off": {"int": [1, 9], "when": {"only": "x", "dead": "y"}},
            "dead": {"choice": ["y", "z"], "when": {"gone": 7}},
            "gone": {"int": [7, 9], "when": {"one": 3, "never": True}},
            "never": {"bool": True, "when": {"one": 5}},
        }
    )
    translated = configuration_space(space)
    check_draws(space, translated)
    assert "one" in translated
    assert "only" not in translated


def test_one_hyperparameter_an_axis():
    translated = configuration_space(RAG)
    assert set(translated) == {axis.label for axis in layout(RAG).axes}
    assert "fixed" not in translated


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ConfigSpace", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'raytuner\[bohb\]'"):
        configuration_space(RAG)
