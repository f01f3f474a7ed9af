"""Spaces as a whole: grids, draws, cleaning, conditions, constraints, and messages."""

import itertools
import json
import os
import pickle
import random
import subprocess
import sys
import time

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from raytuner.component import ConfigError, digest
from raytuner.space import Space

CHECK = settings(max_examples=60, deadline=None)

RAG = {
    "chunker.kind": ["fixed", "sentence"],
    "chunker.size": {"int": [128, 512], "step": 128},
    "chunker.overlap": {"int": [0, 256], "step": 64, "when": {"chunker.kind": "fixed"}},
    "retriever.hybrid": "bool",
    "retriever.weight": {
        "float": [0.1, 0.5],
        "step": 0.1,
        "when": {"retriever.hybrid": True, "chunker.kind": ["fixed", "sentence"]},
    },
    "generator.tools": {"subset": ["search", "sql"]},
    "generator.rounds": {"int": [1, 2], "when": {"generator.tools": "sql"}},
}
RULES = ["chunker.overlap <= 0.5 * chunker.size", "retriever.weight < 0.5 or chunker.size > 128"]


def rag_rules(point):
    overlap, size = point.get("chunker.overlap"), point["chunker.size"]
    weight = point.get("retriever.weight")
    return (overlap is None or overlap <= size / 2) and (
        weight is None or weight < 0.5 or size > 128
    )


CHOICES = ["x", None, 2, True]


@st.composite
def spaces(draw):
    """Make a finite space of up to five parameters with conditions, and constraints."""
    names = ["p.a", "p.b", "q", "r-1", "s"][: draw(st.integers(1, 5))]
    spelled, values = {}, {}
    for number, name in enumerate(names):
        low, width = draw(st.integers(-3, 3)), draw(st.integers(0, 4))
        kind = draw(st.sampled_from(["int", "float", "choice", "bool", "subset"]))
        domain, values[name] = {
            "int": ({"int": [low, low + width]}, range(low, low + width + 1)),
            "float": (
                {"float": [low / 10, (low + width) / 10], "step": 0.1},
                [x / 10 for x in range(low, low + width + 1)],
            ),
            "choice": ({"choice": CHOICES[: width + 1]}, CHOICES[: width + 1]),
            "bool": ({"bool": True}, [False, True]),
            "subset": ({"subset": ["x", "y"]}, [(), ("x",), ("y",), ("x", "y")]),
        }[kind]
        if kind == "float" and width == 0:
            del domain["step"]
        if number and draw(st.booleans()):
            parent = draw(st.sampled_from(names[:number]))
            wanted = draw(st.lists(st.sampled_from(list(values[parent])), min_size=1, max_size=2))
            domain["when"] = {parent: [list(w) if isinstance(w, tuple) else w for w in wanted]}
        spelled[name] = domain
    if draw(st.booleans()):  # a child may be declared before its parent
        spelled = dict(reversed(spelled.items()))
    numeric = [n for n in names if "int" in spelled[n] or "float" in spelled[n]]
    rules = []
    if len(numeric) >= 2 and draw(st.booleans()):
        rules.append(f"`{numeric[0]}` <= `{numeric[1]}` + 1")
    return spelled, rules


def brute_force(spelled, rules):
    """List the grid the slow way: the whole product, cleaned by hand, without repetitions."""
    bare = Space.parse({n: {k: v for k, v in d.items() if k != "when"} for n, d in spelled.items()})
    found = {}
    for values in itertools.product(*(d.grid() for d in bare.domains.values())):
        point = dict(zip(spelled, values, strict=True))
        changed = True
        while changed:  # drop until nothing more becomes inactive
            inactive = [name for name in point if not fulfilled(spelled[name], point)]
            changed = bool(inactive)
            point = {name: value for name, value in point.items() if name not in inactive}
        if all(rule_holds(rule, point) for rule in rules):
            found[digest(point)] = point
    return found


def fulfilled(domain, point):
    return all(
        parent in point
        and any(same(point[parent], tuple(w) if isinstance(w, list) else w) for w in wanted)
        for parent, wanted in domain.get("when", {}).items()
    )


def same(left, right):
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def rule_holds(rule, point):
    left, right = rule.replace("`", "").removesuffix(" + 1").split(" <= ")
    if left not in point or right not in point:
        return True
    return round(10 * point[left]) <= round(10 * point[right]) + 10


@CHECK
@given(spaces())
def test_the_grid_is_the_product_without_inactive_repetitions(case):
    spelled, rules = case
    space = Space.parse(spelled, rules)
    expected = brute_force(spelled, rules)
    assert space.size() == space.total() == len(expected)
    if not expected:
        with pytest.raises(ConfigError, match="no point satisfies"):
            space.grid()
        return
    grid = list(space.grid())
    assert {digest(point): point for point in grid} == expected
    assert len(grid) == len(expected)
    assert list(space.every()) == grid


@CHECK
@given(spaces(), st.integers(0, 3))
def test_grid_and_drawn_points_are_in_the_space_and_clean(case, seed):
    space = Space.parse(*case)
    rng = random.Random(seed)
    try:
        points = [*itertools.islice(space.grid(), 50), *(space.sample(rng) for _ in range(10))]
    except ConfigError:
        assert not brute_force(*case)
        return
    for point in points:
        assert space.contains(point)
        assert space.violated(point) is None
        again = space.active(point)
        assert again == point
        assert list(again) == [name for name in space.names if name in point]
        assert digest(again) == digest(point)


@CHECK
@given(spaces(), st.randoms(use_true_random=False))
def test_equal_points_look_equal_however_they_are_spelled(case, shuffler):
    space = Space.parse(*case)
    rng = random.Random(0)
    try:
        point = space.sample(rng)
    except ConfigError:
        return
    spelled = {name: in_numpy(value) for name, value in point.items()}
    spelled |= {name: None for name in space.names if name not in point}
    items = list(spelled.items())
    shuffler.shuffle(items)
    assert digest(space.active(dict(items))) == digest(point)


def in_numpy(value):
    if isinstance(value, tuple):
        return [np.str_(member) for member in reversed(value)]
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.float64(value)
    if isinstance(value, float):
        return np.float64(value) + 1e-16
    return np.str_(value) if isinstance(value, str) else value


@CHECK
@given(spaces())
def test_a_space_survives_json_and_pickle(case):
    space = Space.parse(*case)
    assert Space.model_validate_json(space.model_dump_json()) == space
    assert pickle.loads(pickle.dumps(space)) == space
    jsonschema.validate(json.loads(space.model_dump_json()), Space.model_json_schema())


def test_a_realistic_space():
    space = Space.parse(RAG, RULES)
    space.check()
    points = list(space.grid())
    assert len(points) == space.size() == len({digest(p) for p in points})
    assert all(map(rag_rules, points))
    sentence = [p for p in points if p["chunker.kind"] == "sentence"]
    assert not any("chunker.overlap" in p for p in sentence)
    assert all(("retriever.weight" in p) == p["retriever.hybrid"] for p in points)
    assert all(("generator.rounds" in p) == ("sql" in p["generator.tools"]) for p in points)
    free = sum(1 for p in Space.parse(RAG).grid() if rag_rules(p))
    assert len(points) == free


def test_the_last_parameter_varies_fastest():
    grid = Space.parse({"a": [1, 2], "b": ["x", "y"], "c": "bool"}).grid()
    assert [tuple(p.values()) for p in grid][:5] == [
        (1, "x", False), (1, "x", True), (1, "y", False), (1, "y", True), (2, "x", False),
    ]  # fmt: skip


def test_a_child_declared_first_keeps_its_place_in_the_point():
    space = Space.parse({"child": {"choice": [1, 2], "when": {"kind": "a"}}, "kind": ["a", "b"]})
    assert space.order == ("kind", "child")
    assert list(space.grid()) == [
        {"child": 1, "kind": "a"},
        {"child": 2, "kind": "a"},
        {"kind": "b"},
    ]
    assert [list(p) for p in space.grid()] == [["child", "kind"], ["child", "kind"], ["kind"]]


def test_nested_conditions():
    space = Space.parse(
        {
            "kind": ["dense", "bm25"],
            "rerank": {"bool": True, "when": {"kind": "dense"}},
            "depth": {"int": [1, 3], "when": {"rerank": True}},
        }
    )
    assert space.size() == 5
    assert space.active({"kind": "bm25", "rerank": True, "depth": 2}) == {"kind": "bm25"}
    assert space.conditions["depth"] == (("rerank", (True,)),)


def test_a_condition_on_a_subset_asks_for_a_member_or_the_whole():
    domain = {"choice": [1, 2]}
    member = Space.parse({"tools": {"subset": ["a", "b"]}, "x": {**domain, "when": {"tools": "a"}}})
    whole = Space.parse(
        {"tools": {"subset": ["a", "b"]}, "x": {**domain, "when": {"tools": [["b", "a"], []]}}}
    )
    assert [p["tools"] for p in member.grid() if p.get("x") == 1] == [("a",), ("a", "b")]
    assert [p["tools"] for p in whole.grid() if p.get("x") == 1] == [(), ("a", "b")]


def test_the_grid_is_lazy_and_sizes_are_not_walked():
    wide = {f"p{n}": {"int": [1, 100]} for n in range(20)}
    space = Space.parse(wide, ["p0 < p1", "p18 + p19 == 3"])
    started = time.perf_counter()
    assert space.size() == 4950 * 2 * 100**16
    assert len(list(itertools.islice(space.grid(), 10))) == 10
    space.check()
    assert space.contains(space.sample(random.Random(0)))
    assert time.perf_counter() - started < 5


def test_an_impossible_last_pair_is_found_without_walking_the_rest():
    wide = {f"p{n}": {"int": [1, 50]} for n in range(12)}
    space = Space.parse(wide, ["p10 > p11 + 49"])
    with pytest.raises(ConfigError, match=r"no point satisfies 'p10 > p11 \+ 49': widen p10, p11"):
        space.check()
    with pytest.raises(ConfigError, match="no point satisfies"):
        space.grid()
    with pytest.raises(ConfigError, match="no point satisfies"):
        space.sample(random.Random(0))
    assert space.size() == 0


def test_continuous_spaces_have_no_size_but_points_give_a_grid():
    free = Space.parse({"t": {"float": [0, 1]}, "k": [1, 2]})
    assert (free.size(), free.total(), free.finite) == (None, None, False)
    with pytest.raises(ConfigError, match=r"space: t: a grid over float 0\.0 to 1\.0"):
        free.grid()
    with pytest.raises(ConfigError, match=r"space: t: .* continuous"):
        free.every()
    free.check()
    some = Space.parse({"t": {"float": [0, 1], "points": 3}, "k": [1, 2]})
    assert (some.size(), some.total(), some.finite) == (6, None, False)
    coarse = Space.parse({"n": {"int": [1, 100], "log": True, "points": 3}})
    assert (coarse.size(), coarse.total()) == (3, 100)


def test_a_draw_satisfies_constraints_between_continuous_parameters():
    space = Space.parse(
        {"a": {"float": [0, 1]}, "b": {"float": [0, 1]}, "t": [None, 0.5], "p": [None, 0.9]},
        ["a + b <= 0.2", "t xor p"],
    )
    rng = random.Random(5)
    for _ in range(50):
        point = space.sample(rng)
        assert point["a"] + point["b"] <= 0.2
        assert (point["t"] is None) != (point["p"] is None)


def test_an_equation_between_continuous_parameters_asks_for_a_step():
    ends = {"a": {"float": [0, 1]}, "b": {"float": [0, 1]}}
    with pytest.raises(ConfigError, match="need a `step`"):
        Space.parse(ends, ["a + b == 1"]).check()
    stepped = {name: {**domain, "step": 0.1} for name, domain in ends.items()}
    space = Space.parse(stepped, ["a + b == 1"])
    space.check()
    assert space.size() == 11


def test_a_rare_point_is_proven_by_listing():
    space = Space.parse({f"p{n}": {"int": [1, 60]} for n in range(3)}, ["p0 + p1 + p2 == 180"])
    space.check()
    assert list(space.grid()) == [{"p0": 60, "p1": 60, "p2": 60}]


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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "a", "n": 3}, "space: n: 3 is outside of int 1 to 2"),
        ({"kind": "a"}, "space: n: it has no value: give int 1 to 2"),
        ({"kind": "c"}, "space: kind: 'c' is not one of 'a', 'b'"),
        ({"kindd": "a"}, "space: kindd: no such parameter; the space has kind, n. Did you mean"),
    ],
)
def test_values_that_are_no_point_are_refused(values, message):
    space = Space.parse({"kind": ["a", "b"], "n": {"int": [1, 2], "when": {"kind": "a"}}})
    with pytest.raises(ConfigError) as caught:
        space.active(values)
    assert message in str(caught.value)
    assert not space.contains(values)
    assert space.contains({"kind": "b"})
    assert space.contains({"kind": "b", "n": 77})  # inactive: whatever it says


def test_active_does_not_judge_constraints_but_contains_does():
    space = Space.parse({"a": [1, 2], "b": [1, 2]}, ["a < b"])
    assert space.active({"a": 2, "b": 1}) == {"a": 2, "b": 1}
    assert space.violated({"a": 2, "b": 1}) == "a < b"
    assert not space.contains({"a": 2, "b": 1})


def test_check_refuses_empty_spaces_and_parameters_that_are_never_active():
    with pytest.raises(ConfigError, match="no parameter"):
        Space.parse({}).check()
    never = {
        "a": [1, 2],
        "b": {"choice": [1], "when": {"a": 1}},
        "c": {"choice": [1], "when": {"b": 1, "a": 2}},
    }
    with pytest.raises(ConfigError, match=r"space: c: its `when` .* is never fulfilled"):
        Space.parse(never).check()
    cut = {"a": [1, 2], "b": {"choice": [1], "when": {"a": 2}}}
    with pytest.raises(ConfigError, match="space: b: its `when`"):
        Space.parse(cut, ["a < 2"]).check()


def test_a_space_is_a_field_of_other_models():
    class Document(BaseModel):
        space: Space

    document = Document.model_validate({"space": {"a": [1, 2], "constraints": ["a < 2"]}})
    assert document.space == Space.parse({"a": [1, 2]}, ["a < 2"])
    assert Document.model_validate(document.model_dump()) == document
    with pytest.raises(ValidationError, match="a: int low 5 is above high 1"):
        Document.model_validate({"space": {"a": {"int": [5, 1]}}})
    with pytest.raises(ValidationError, match="no parameter is called 'b'"):
        Document.model_validate({"space": {"a": 1, "constraints": ["a < b"]}})
    schema = Document.model_json_schema()
    jsonschema.validate({"space": RAG}, schema)
    for wrong in ({"a": {"int": [1]}}, {"a": {"int": [1, 2], "stepp": 1}}, {"constraints": 3}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"space": wrong}, schema)


def test_the_order_does_not_depend_on_the_hash_seed():
    script = (
        "import random, json\n"
        "from raytuner.space import Space\n"
        f"space = Space.parse({RAG!r}, {RULES!r})\n"
        "rng = random.Random(3)\n"
        "print(json.dumps([list(space.grid()), [space.sample(rng) for _ in range(20)]]))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
