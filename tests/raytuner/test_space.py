"""Spaces as a whole: grids, draws, cleaning, conditions, constraints, and messages."""

import itertools
import json
import os
import pickle
import random
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from raytuner.component import ConfigError, digest
from raytuner.space import Space

SCHEMA = jsonschema.Draft202012Validator(Space.model_json_schema())
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
    SCHEMA.validate(json.loads(space.model_dump_json()))


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
