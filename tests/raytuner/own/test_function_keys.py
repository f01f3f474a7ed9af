"""When the key of a plain callable changes, and when it must not."""

import asyncio
import functools
import math
import os
import subprocess
import sys

import pytest

import raytuner
from raytuner.objective import Tally
from raytuner.own.function import UNIT, FunctionObjective
from tests.raytuner.function_probes import Scorer, make, scope
from tests.raytuner.probes import study


async def add(k, params):
    await asyncio.sleep(0)
    return params["x"] + k


BASE = """
def f(p):
    total = 0
    for item in (1, 2.5, "a"):
        total += p["x"] in {"a", "b", "c"}
    return total + 3
"""


def test_comments_layout_and_docstrings_do_not_count():
    same = [
        "# a comment\n\n\n" + BASE,
        BASE.replace("    total = 0", "    # why\n    total = (\n        0)"),
        BASE.replace("def f(p):\n", 'def f(p):\n    """Say something."""\n'),
        BASE.replace("def f(p):\n", 'def f(p):\n    """Say something else,\n\n    longer."""\n'),
        BASE.replace("def f(p):", "def f(p: dict) -> float:"),
    ]
    assert {scope(source) for source in same} == {scope(BASE)}
    nested = 'def f(p):\n    def g(x):\n        """{}"""\n        return x\n    return g(p["x"])\n'
    assert scope(nested.format("a")) == scope(nested.format("b"))
    assert scope(nested.format("a")) == scope(nested.replace('"""{}"""', "# nothing"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ 3", "+ 4"), ("+ 3", "+ 3.0"), ("+ 3", "- 3"), ("+ 3", "* 3"), ('"a")', '"b")'),
        ('"c"}', '"d"}'), ("2.5", "2.6"), ("(1,", "(True,"), ('p["x"]', 'p["y"]'),
        ("in {", "not in {"),
        ("def f(p):", "def f(p, k=1):"), ("return total + 3", "return max(total, 3)"),
        ("return total + 3", "try:\n        return total + 3\n    finally:\n        p = 0"),
    ],
)  # fmt: skip
def test_code_and_constants_count(old, new):
    assert old in BASE
    assert scope(BASE.replace(old, new)) != scope(BASE)


def test_what_a_try_covers_counts():
    inside = """
    def f(p):
        try:
            a = p["x"]
            b = p["y"]
        except KeyError:
            return 0
        return a + b
    """
    outside = inside.replace('            b = p["y"]\n', "").replace(
        "        return a + b", '        b = p["y"]\n        return a + b'
    )
    assert scope(inside) != scope(outside)


def closing(value):
    def function(params):
        return value

    return function


@pytest.mark.parametrize(
    "values", [(1, 2), (1, 1.0), (1, True), ("a", "b"), ([1], [2]), ({"k": 1}, {"k": 2}),
               ((1, 2), (2, 1)), ({1, 2}, {1, 3}), (math.nan, math.inf), (None, 0)],
)  # fmt: skip
def test_closures_defaults_partials_attributes_and_fixed_count(values):
    def defaulted(value):
        def function(params, value=value):
            return value

        return function

    def keyword(value):
        def function(params, *, value=value):
            return value

        return function

    makers = [
        closing, defaulted, keyword, lambda v: functools.partial(add, v),
        lambda v: functools.partial(add, k=v),
        lambda v: functools.partial(functools.partial(add), v),
    ]  # fmt: skip
    if not isinstance(values[0], list | dict | set | None.__class__):
        makers += [Scorer, lambda v: Scorer(v).later]
    for maker in makers:
        one, two = maker(values[0]), maker(values[1])
        assert scope(one) != scope(two)
        assert scope(one) == scope(maker(values[0]))
    assert scope(add, fixed={"k": values[0]}) != scope(add, fixed={"k": values[1]})


def test_functions_inside_closures_and_wrappers_count():
    source = """
    def times(k):
        def wrap(function):
            @functools.wraps(function)
            def wrapper(p):
                return k * function(p)
            return wrapper
        return wrap

    @times(2)
    def f(p):
        return p["x"]
    """
    assert scope(source) == scope(source)
    assert scope(source.replace("@times(2)", "@times(3)")) != scope(source)
    assert scope(source.replace('p["x"]', 'p["y"]')) != scope(source)
    cached = "@functools.lru_cache\ndef f(p):\n    return 1\n"
    assert scope(cached) != scope(cached.replace("1", "2"))


def test_plain_globals_count_unless_the_function_sets_them():
    source = "K = {}\ndef f(p):\n    return [p[n] for n in 'x'][0] * K\n"
    assert scope(source.format(2)) == scope(source.format(2))
    assert scope(source.format(2)) != scope(source.format(3))
    inner = "K = {}\ndef f(p):\n    return (lambda: K)()\n"
    assert scope(inner.format("'a'")) != scope(inner.format("'b'"))
    counter = "N = {}\ndef f(p):\n    global N\n    N += 1\n    return 1\n"
    assert scope(counter.format(1)) == scope(counter.format(9))
    unused = "K = {}\nL = 1\ndef f(p):\n    return L\n"
    assert scope(unused.format(1)) == scope(unused.format(2))


def test_names_versions_and_foreign_objects():
    assert scope("def f(p): return 1") != scope("def g(p): return 1", "g")
    assert scope(add, version="1") != scope(add, version="2")
    assert scope(add, fixed={"o": object()}) == scope(add, fixed={"o": object()})
    assert scope(add, fixed={"o": object()}) != scope(add, fixed={"o": Scorer()})
    assert scope(math.sin) != scope(math.cos)
    assert scope(Scorer.free) != scope(Scorer(1))


def test_recursion_and_loops_end():
    def function(params):
        return function(params) if params else 0

    assert scope(function) == scope(function)
    loop = []
    loop.append(loop)
    assert scope(add, fixed={"loop": loop}) == scope(add, fixed={"loop": loop})
    assert scope(closing(loop)) == scope(closing(loop))


def test_what_a_function_remembers_does_not_change_its_key_under_way():
    seen = []

    def function(params):
        seen.append(params)
        return 1.0

    objective = FunctionObjective(function)
    before = objective.key({"x": 1})
    list(objective.evaluate({"x": 1}, (UNIT,), Tally()))
    assert objective.key({"x": 1}) == before


def test_keys_cover_parameters_by_type():
    objective = FunctionObjective(add)
    keys = {objective.key({"x": value}) for value in (1, 1.0, True, "1", None, (1,), (1.0,))}
    assert len(keys) == 7
    assert objective.key({"a": 1, "b": 2}) == objective.key({"b": 2, "a": 1})


def test_keys_are_the_same_in_every_process(tmp_path):
    (tmp_path / "users.py").write_text(
        "import functools\nK = ('a', 1)\n" + BASE + "\n"
        "def g(p, names={'b', 'a'}):\n    return (K, {'x', 'y', 'z'}, lambda: K)\n"
        "h = functools.partial(g, {'k': {'q', 'r'}})\n"
    )
    code = (
        "import users; from raytuner.own.function import FunctionObjective as F\n"
        "print([F(f).key({'x': 1}) for f in (users.f, users.g, users.h)])"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(keys) == 1


def test_resume_of_a_function_study(tmp_path):
    source = "CALLS = []\ndef f(p):\n    CALLS.append(1)\n    return p['x'] * {}\n"
    one, same, other = make(source.format(2)), make(source.format(2)), make(source.format(3))
    for function, calls in ((one, 12), (same, 0), (other, 12), (one, 12)):
        results = raytuner.run(study(function), tmp_path)
        assert len(function.__globals__["CALLS"]) == calls
        assert len(results.trials) == 12
