"""Domains one by one: grids, sampling, cleaning, membership, and messages."""

import json
import math
import pickle
import random
from collections import Counter

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.domains import identical, scalar, shorten
from raytuner.intervals import Float, Int
from raytuner.options import Bool, Choice, Subset
from raytuner.spelling import parse_domain

CHECK = settings(max_examples=80, deadline=None)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6).map(lambda x: x + 0.0),
    st.text(max_size=6),
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


def test_int_grids():
    assert parse_domain({"int": [1, 10], "step": 4}).grid() == (1, 5, 9)
    assert parse_domain({"int": [1, 4096], "log": True, "points": 13}).grid() == tuple(
        2**n for n in range(13)
    )
    assert parse_domain({"int": [0, 10], "points": 3}).grid() == (0, 5, 10)
    assert parse_domain({"int": [1, 4], "log": True}).grid() == (1, 2, 3, 4)
    assert parse_domain({"int": [1, 3], "log": True, "points": 9}).grid() == (1, 2, 3)
    assert parse_domain({"int": [7, 7]}).grid() == (7,)


def test_float_grids_are_decimals_not_dust():
    assert parse_domain({"float": [0.0, 0.5], "step": 0.1}).grid() == (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert parse_domain({"float": [5.25, 5.29], "step": 0.01}).grid() == (
        5.25, 5.26, 5.27, 5.28, 5.29,
    )  # fmt: skip
    assert parse_domain({"float": [1e-4, 1], "log": True, "points": 5}).grid() == (
        1e-4, 1e-3, 1e-2, 0.1, 1.0,
    )  # fmt: skip
    assert parse_domain({"float": [0, 0.3], "points": 4}).grid() == (0.0, 0.1, 0.2, 0.3)


def test_subset_grid_is_small_first_in_list_order():
    domain = parse_domain({"subset": ["b", "a", "c"], "max": 2})
    assert domain.grid() == ((), ("b",), ("a",), ("c",), ("b", "a"), ("b", "c"), ("a", "c"))
    assert domain.size == 7


def test_shorthands():
    assert parse_domain([1, "x", None, True]).grid() == (1, "x", None, True)
    assert parse_domain("gpt").grid() == ("gpt",)
    assert parse_domain(0.5).grid() == (0.5,)
    assert parse_domain(None).grid() == (None,)
    assert parse_domain("bool").grid() == (False, True)
    assert parse_domain({"bool": True}) == parse_domain("bool")
    assert parse_domain(np.array([1, 2]).tolist()).grid() == (1, 2)


def test_dust_is_snapped_to_the_steps():
    cents = parse_domain({"float": [5.0, 6.0], "step": 0.01})
    assert cents.clean(5.2700000000000005) == 5.27
    assert cents.clean(6.000000000000001) == 6.0
    assert repr(cents.clean(np.float32(5.27))) == "5.27"
    assert parse_domain({"float": [0, 1]}).clean(-1e-17) == 0.0
    assert math.copysign(1, parse_domain({"float": [-1, 1]}).clean(-0.0)) == 1


def test_int_snaps_to_the_nearest_step_inside():
    domain = parse_domain({"int": [128, 500], "step": 128})
    assert [domain.clean(v) for v in (128, 191, 192.0, 300, 500)] == [128, 128, 256, 256, 384]
    assert domain.contains(np.int64(256))
    assert not domain.contains(300)
    assert not domain.contains(256.5)


def test_choice_keeps_look_alikes_apart():
    domain = Choice(choice=[1, True, "1", 0.1])
    assert [domain.clean(v) for v in (1, True, "1", np.bool_(True))] == [1, True, "1", True]
    assert type(domain.clean(np.bool_(True))) is bool
    assert domain.clean(0.1 + 1e-17) == 0.1
    assert domain.clean(np.int64(1)) == 1
    assert Bool(bool=True).clean(1) is True
    assert Bool(bool=True).clean(np.float64(0)) is False


def test_subset_cleans_any_order_and_container():
    domain = Subset(subset=["a", "b", "c"], min=1, max=2)
    for spelled in (["c", "a"], ("c", "a"), {"a", "c"}, np.array(["c", "a"])):
        assert domain.clean(spelled) == ("a", "c")


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


def test_what_has_no_grid_says_so():
    with pytest.raises(ConfigError, match="needs a `step` or `points: n`"):
        Float(float=(0.0, 1.0)).grid()
    with pytest.raises(ConfigError, match=r"1000001 values\) needs a `step` or `points: n`"):
        Int(int=(0, 10**6)).grid()
    with pytest.raises(ConfigError, match="at most 100000 values"):
        Subset(subset=list(range(30))).grid()


def test_log_sampling_gives_every_decade_its_share():
    rng = random.Random(1)
    for domain in (Float(float=(1e-3, 1e3), log=True), Int(int=(1, 10**6 - 1), log=True)):
        decades = Counter(int(math.log10(domain.sample(rng)) // 1) for _ in range(6000))
        assert len(decades) == 6
        assert all(880 < n < 1120 for n in decades.values()), decades


def test_log_sampling_of_integers_follows_the_logarithm_at_both_ends():
    rng = random.Random(2)
    drawn = Counter(Int(int=(1, 3), log=True).sample(rng) for _ in range(8000))
    for value in (1, 2, 3):
        share = math.log((value + 1) / value) / math.log(4)
        assert abs(drawn[value] / 8000 - share) < 0.025


def test_subsets_are_drawn_evenly():
    rng = random.Random(3)
    domain = Subset(subset=["a", "b", "c"], min=1)
    drawn = Counter(domain.sample(rng) for _ in range(7000))
    assert set(drawn) == set(domain.grid())
    assert all(850 < n < 1150 for n in drawn.values())


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
