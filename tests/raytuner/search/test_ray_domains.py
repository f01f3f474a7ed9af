"""Ray Tune's domains as ours: whatever Ray draws from one is a value of the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray import tune

from raytuner.component import ConfigError
from raytuner.search.ray_domains import is_ray_domain, read_ray_domain
from raytuner.spaces.spelling import parse_domain


@st.composite
def domains(draw):
    step = draw(st.integers(2, 5))
    low = draw(st.integers(1, 20))
    high = low + draw(st.integers(1, 40))
    real = draw(st.sampled_from([0.1, 0.25, 0.5]))
    return draw(
        st.sampled_from(
            [
                tune.uniform(low, high),
                tune.loguniform(low / 100, high),
                tune.quniform(low * real, high * real, real),
                tune.qloguniform(low * real, high * real, real),
                tune.randint(low, high),
                tune.lograndint(low, high),
                tune.qrandint(low * step, high * step, step),
                tune.qlograndint(low * step, high * step, step),
                tune.qrandint(low, high, 1),
                tune.choice([low, "b", None]),
            ]
        )
    )


@given(domains(), st.integers(0, 1000))
@settings(deadline=None, max_examples=100)
def test_every_draw_is_a_value(theirs, seed):
    ours = parse_domain(read_ray_domain(theirs, "k"))
    drawn = theirs.sample(size=20, random_state=np.random.RandomState(seed))
    for value in drawn:
        clean = ours.clean(value)
        assert clean == value or abs(clean - value) <= 1e-9 * abs(value)


@pytest.mark.parametrize(
    ("theirs", "values"),
    [
        (tune.randint(1, 4), [1, 2, 3]),
        (tune.qrandint(2, 8, 2), [2, 4, 6, 8]),
        (tune.qrandint(3, 9, 4), [4, 8]),
        (tune.qrandint(1, 4), [1, 2, 3]),
        (tune.quniform(0.5, 1.5, 0.5), [0.5, 1.0, 1.5]),
        (tune.grid_search([3, 1]), [3, 1]),
        (tune.choice(("a", "b")), ["a", "b"]),
    ],
)
def test_ends_are_as_ray_has_them(theirs, values):
    assert list(parse_domain(read_ray_domain(theirs, "k")).values()) == values


@pytest.mark.parametrize("log", [tune.loguniform(1, 10), tune.lograndint(1, 10)])
def test_logarithms_stay(log):
    assert parse_domain(read_ray_domain(log, "k")).log


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (tune.randn(0, 1), "k: a normal distribution has no bounds"),
        (tune.qrandn(0, 1, 0.5), "k: a normal distribution has no bounds"),
        (tune.sample_from(lambda spec: 1), "k: Function of Ray Tune draws values by a function"),
    ],
)
def test_what_has_no_counterpart_is_named(theirs, message):
    with pytest.raises(ConfigError, match=message):
        read_ray_domain(theirs, "k")


def test_what_is_rays():
    assert is_ray_domain(tune.uniform(0, 1))
    assert is_ray_domain({"grid_search": [1]})
    assert not any(map(is_ray_domain, [[1], {"int": [1, 2]}, "bool", 3, object()]))
