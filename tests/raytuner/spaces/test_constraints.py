"""Constraints: what they mean, and what is refused before a run."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.spaces.constraints import constraint
from raytuner.spaces.spelling import parse_domain

DOMAINS = {
    name: parse_domain(spelled)
    for name, spelled in {
        "chunker.size": {"int": [1, 1000]},
        "chunker.overlap": {"int": [0, 1000]},
        "a": {"float": [-10, 10]},
        "b": {"float": [-10, 10]},
        "t": {"choice": [None, 0.0, 0.5]},
        "p": {"choice": [None, 0.9]},
        "hyde": "bool",
        "kind": ["hash", "mini"],
        "mixed": [1, "auto"],
        "tools": {"subset": ["x", "y"]},
        "bm25-k1": {"float": [0, 3]},
    }.items()
}


def holds(text, **point):
    values = {name.replace("__", "."): value for name, value in point.items()}
    return constraint(text, DOMAINS).holds(values)


@pytest.mark.parametrize(
    ("text", "point", "expected"),
    [
        ("chunker.overlap < chunker.size", {"chunker__overlap": 5, "chunker__size": 5}, False),
        ("chunker.overlap <= chunker.size", {"chunker__overlap": 5, "chunker__size": 5}, True),
        ("chunker.overlap <= 0.5 * chunker.size", {"chunker__overlap": 6, "chunker__size": 11}, 0),
        ("chunker.overlap + chunker.size <= 20", {"chunker__overlap": 9, "chunker__size": 11}, 1),
        ("a - b - 1 == 0", {"a": 3.0, "b": 2.0}, True),
        ("a / b / 2 == 2", {"a": 8.0, "b": 2.0}, True),
        ("2 * (a + b) > 9", {"a": 2.0, "b": 2.5}, False),
        ("-a < -1", {"a": 2.0}, True),
        ("0 <= a <= b < 1e1", {"a": 2.0, "b": 3.0}, True),
        ("0 <= a <= b < 1e1", {"a": 4.0, "b": 3.0}, False),
        ("3 * a <= 0.3", {"a": 0.1}, True),  # 0.30000000000000004 in binary
        ("a + b == 0.3", {"a": 0.1, "b": 0.2}, True),
        ("a / b > 1", {"a": 1.0, "b": 0.0}, False),
        ("kind == 'mini' or a > 0", {"kind": "hash", "a": -1.0}, False),
        ('kind != "mini"', {"kind": "hash"}, True),
        ("not (kind == 'mini' and a > 0)", {"kind": "mini", "a": 1.0}, False),
        ("hyde or a > 0 and b > 0", {"hyde": True, "a": -1.0, "b": -1.0}, True),
        ("hyde == true", {"hyde": False}, False),
        ("not hyde", {"hyde": False}, True),
        ("mixed == 1", {"mixed": "auto"}, False),
        ("t != null", {"t": None}, False),
        ("t == null", {"t": None}, True),
        ("`bm25-k1` < 2", {"bm25-k1": 1.0}, True),
    ],
)
def test_meaning(text, point, expected):
    assert holds(text, **point) == bool(expected)


@pytest.mark.parametrize(
    ("t", "p", "expected"),
    [(None, 0.9, True), (0.5, None, True), (0.0, None, True), (0.5, 0.9, False), (None, None, 0)],
)
def test_xor_wants_exactly_one_that_is_not_null(t, p, expected):
    assert holds("t xor p", t=t, p=p) == bool(expected)


def test_xor_counts_inactive_as_off_and_false_as_off():
    assert holds("t xor p", t=0.5)
    assert not holds("t xor p", t=None)
    assert holds("t xor p")
    assert holds("t xor hyde", t=0.5, hyde=False)
    assert not holds("t xor p xor hyde", t=0.5, p=0.9, hyde=True)
    assert holds("(a > 0) xor (b > 0)", a=1.0, b=-1.0)


def test_a_constraint_on_an_inactive_parameter_is_satisfied():
    assert holds("chunker.overlap > chunker.size", chunker__size=5)
    assert holds("hyde and a > 0", hyde=False)


def test_null_is_not_ordered_whatever_the_order_of_writing():
    assert holds("t > 5", t=None)
    assert holds("a > 5 and t > 5", t=None, a=0.0)
    assert holds("t > 5 and a > 5", t=None, a=0.0)
    assert holds("t + 1 > 5", t=None)
    assert not holds("t > 5", t=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chunker.overlap < chunker.sise", "Did you mean 'chunker.size'?"),
        ("kind < 5", "`<` needs numbers, kind is text"),
        ("a < '5'", "`<` needs numbers, '5' is text"),
        ("kind + 1 > 2", "`+` needs numbers, kind is text"),
        ("mixed < 5", "mixed is number or text"),
        ("hyde < 5", "hyde is boolean"),
        ("tools == 'x'", "tools is a subset"),
        ("kind == 5", "never equal"),
        ("a == null", "never equal"),
        ("kind == 'hahs'", "'hahs' is no value of kind, which is one of 'hash', 'mini'"),
        ("kind == a", "never equal"),
        ("not a", "`not` joins conditions, a is number"),
        ("a and b > 1", "`and` joins conditions, a is number"),
        ("a + b", "(a + b) is no condition"),
        ("1 < 2", "mentions no parameter"),
        ("a = 2", "write == to compare"),
        ("a & b", "cannot read it from '& b'"),
        ("a <", "it ends where a parameter or a value should follow"),
        ("(a < 2", "it ends where `)` should follow"),
        ("a < 2)", "at ')': expected an operator"),
        ("a 2", "at '2': expected an operator"),
        ("< a", "at '< a': expected a parameter"),
        ("a < and", "expected a parameter or a value"),
        ("2b < a", "cannot read it from '2b < a'"),
        ("__import__('os')", "expected an operator"),
        ("(" * 30 + "a > 1" + ")" * 30, "nests more than 20 deep"),
        ("not " * 30 + "hyde", "nests more than 20 deep"),
        ("+".join("a" * 300) + " > 1", "longer than 500 characters"),
        ("  ", "is no text"),
        (7, "is no text"),
    ],
)
def test_what_cannot_work_is_refused_by_name(text, message):
    with pytest.raises(ConfigError) as caught:
        constraint(text, DOMAINS)
    assert message in str(caught.value)
    assert str(caught.value).startswith("constraint ")


def test_the_longest_constraint_is_within_the_recursion_limit():
    longest = constraint("+".join("a" * 248) + ">1", DOMAINS)
    assert pickle.loads(pickle.dumps(longest)).holds({"a": 1.0})


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab t.<>=!()+-*/'`\"0123456789eE_andorxnull", max_size=40))
def test_any_text_is_a_constraint_or_a_config_error(text):
    try:
        read = constraint(text, DOMAINS)
    except ConfigError:
        return
    assert read.holds({"a": 0.5, "b": 0.5, "t": None}) in (True, False)


TERMS = st.recursive(
    st.sampled_from(["a", "b", "chunker.size", "2", "0.5"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=5,
)
CONDITIONS = st.recursive(
    st.tuples(TERMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), TERMS).map(" ".join),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        )
        | inner.map(lambda text: f"not ({text})")
    ),
    max_leaves=4,
)


@settings(max_examples=120, deadline=None)
@given(CONDITIONS, st.integers(-8, 8), st.integers(-8, 8), st.integers(1, 9))
def test_arithmetic_and_logic_are_those_of_python(text, a, b, size):
    # Quarters have exact binary fractions, so that Python's own arithmetic is exact as well.
    try:
        read = constraint(text, DOMAINS)
    except ConfigError as error:
        # Two refusals are right here: no parameter at all, or equal to what it can never be.
        if "is no value of chunker.size" not in str(error):
            assert not {"a", "b", "chunker.size"} & set(text.replace("(", " ").split())
        return
    point = {"a": a / 4, "b": b / 4, "chunker.size": size}
    names = {"a": a / 4, "b": b / 4, "size": size}
    needed = all(name in point for name in read.names)
    assert needed
    assert read.holds(point) == eval(text.replace("chunker.size", "size"), {}, names)
