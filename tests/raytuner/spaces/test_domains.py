"""Domains one by one: grids, sampling, cleaning, membership, and messages."""

import json
import math
import pickle
import random

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.spaces.domains import identical, scalar, shorten
from raytuner.spaces.intervals import Float, Int
from raytuner.spaces.options import Bool, Choice, Subset
from raytuner.spaces.spelling import parse_domain

CHECK = settings(max_examples=80, deadline=None)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6).map(lambda x: x + 0.0),
    st.text(st.characters(exclude_characters="\0"), max_size=6),  # NumPy drops trailing NULs
)


def distinct(values):
    kept = []
    for value in values:
        if not any(identical(value, other) for other in kept):
            kept.append(value)
    return kept


@st.composite
def ints(draw):
    low = draw(st.integers(-50, 200))
    width = draw(st.integers(0, 300))
    log = low > 0 and draw(st.booleans())
    step = draw(st.none() | st.integers(1, max(1, width)))
    points = draw(st.none() | st.integers(2, 12)) if step is None else None
    return Int(int=(low, low + width), step=step, log=log, points=points)


@st.composite
def floats(draw):
    scale = 10 ** draw(st.integers(0, 4))
    low, width = draw(st.integers(-50, 200)), draw(st.integers(1, 300))
    step = draw(st.none() | st.integers(1, width))
    log = low > 0 and draw(st.booleans())
    points = draw(st.integers(2, 12)) if step is None else None
    return Float(
        float=(low / scale, (low + width) / scale),
        step=None if step is None else step / scale,
        log=log,
        points=points,
    )


OPTIONS = st.lists(SCALARS, min_size=1, max_size=5).map(distinct)


@st.composite
def subsets(draw):
    options = draw(OPTIONS)
    least = draw(st.integers(0, len(options)))
    return Subset(subset=options, min=least, max=draw(st.integers(least, len(options))))


DOMAINS = st.one_of(
    ints(), floats(), OPTIONS.map(lambda o: Choice(choice=o)), st.just(Bool(bool=True)), subsets()
)


def other_spelling(value):
    """Give the same value as a searching library might."""
    if isinstance(value, tuple):
        return [other_spelling(member) for member in reversed(value)]
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.float64(value)
    if isinstance(value, float):
        return np.float64(value)
    return np.str_(value) if isinstance(value, str) else value


@CHECK
@given(DOMAINS, st.integers(0, 5))
def test_every_value_is_contained_and_already_clean(domain, seed):
    rng = random.Random(seed)
    for value in (*domain.grid(), *(domain.sample(rng) for _ in range(20))):
        assert domain.contains(value)
        cleaned = domain.clean(value)
        assert identical(cleaned, value)
        assert type(cleaned) is type(value)


@CHECK
@given(DOMAINS)
def test_grids_are_distinct_and_counted(domain):
    grid = domain.grid()
    assert len(distinct(grid)) == len(grid)
    if math.isfinite(domain.size):
        every = list(domain.values())
        assert len(every) == domain.size
        assert set(map(repr, grid)) <= set(map(repr, every))


@CHECK
@given(DOMAINS)
def test_spellings_of_libraries_clean_to_the_same_value(domain):
    numbers = [o for o in getattr(domain, "options", ()) if isinstance(o, int | float)]
    for value in domain.grid():
        if isinstance(value, tuple | int) and len(numbers) != len(set(map(float, numbers))):
            continue  # [1, true] next to each other: only the exact spelling tells them apart
        cleaned = domain.clean(other_spelling(value))
        assert identical(cleaned, value)
        assert not type(cleaned).__module__.startswith("numpy")


@CHECK
@given(DOMAINS)
def test_a_domain_survives_json_and_pickle(domain):
    again = parse_domain(json.loads(domain.model_dump_json()))
    assert again == domain
    assert pickle.loads(pickle.dumps(domain)) == domain


@CHECK
@given(DOMAINS)
def test_a_domain_fits_its_own_schema(domain):
    jsonschema.validate(domain.model_dump(mode="json"), type(domain).model_json_schema())


@pytest.mark.parametrize(
    ("domain", "value", "message"),
    [
        ({"int": [1, 10]}, 11, "11 is outside of int 1 to 10"),
        ({"int": [1, 10]}, 0, "0 is outside"),
        ({"int": [1, 10]}, "3", "takes a number, not '3'"),
        ({"int": [1, 10]}, True, "takes a number, not true"),
        ({"int": [1, 10]}, math.nan, "nan is no finite 64-bit number"),
        ({"float": [0, 1]}, 1.001, "1.001 is outside of float 0.0 to 1.0"),
        ({"float": [0, 1]}, None, "takes a number, not null"),
        ({"float": [0, 1]}, [0.5], "is a list"),
        (["fixed", "sentence"], "sentense", "Did you mean 'sentence'?"),
        ([1, 2], True, "true is not one of 1, 2"),
        ([1, 2], 3, "3 is not one of 1, 2"),
        ({"subset": ["a", "b"]}, "a", "'a' is no list"),
        ({"subset": ["a", "b"]}, ["a", "a"], "names a value twice"),
        ({"subset": ["a", "b"]}, ["x"], "'x' is not one of 'a', 'b'"),
        ({"subset": ["a", "b"], "max": 1}, ["a", "b"], "has 2 values: choose 0 to 1 of 'a', 'b'"),
    ],
)
def test_what_a_domain_does_not_have_is_refused(domain, value, message):
    with pytest.raises(ConfigError) as caught:
        parse_domain(domain).clean(value)
    assert message in str(caught.value)
    assert not parse_domain(domain).contains(value)


def test_what_has_no_grid_says_so():
    with pytest.raises(ConfigError, match="needs a `step` or `points: n`"):
        Float(float=(0.0, 1.0)).grid()
    with pytest.raises(ConfigError, match=r"1000001 values\) needs a `step` or `points: n`"):
        Int(int=(0, 10**6)).grid()
    with pytest.raises(ConfigError, match="at most 100000 values"):
        Subset(subset=list(range(30))).grid()


def test_scalar_gives_builtins():
    assert type(scalar(np.float32(0.5))) is float
    assert type(scalar(np.str_("x"))) is str
    assert type(scalar(np.array(3))) is int
    for wrong in (math.inf, 2**63, b"x", {}, np.array([1])):
        with pytest.raises(ConfigError):
            scalar(wrong)


def test_long_values_are_shortened_in_messages():
    assert len(shorten("prompt " * 1000)) == 60
    assert shorten(None) == "null"
