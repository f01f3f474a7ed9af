"""Plain callables as objectives: what they may give, and when their key changes."""

import asyncio
import functools
import math
import os
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

import raytuner
from raytuner.function import UNIT, FunctionObjective
from raytuner.objective import Tally
from tests.raytuner.probes import study


def call(function, params=None, **arguments):
    objective = FunctionObjective(function, **arguments)
    batches = list(objective.evaluate(params or {"x": 2}, (UNIT,), Tally()))
    (score,) = (score for batch in batches for score in batch)
    return score


def make(source, name="f"):
    """Compile a function from source, as a user would write it in a module of its own."""
    space = {"__name__": "users_module", "functools": functools}
    exec(textwrap.dedent(source), space)
    return space[name]


def scope(source, name="f", **arguments):
    function = make(source, name) if isinstance(source, str) else source
    return FunctionObjective(function, **arguments).scope()


# ---- results


@pytest.mark.parametrize(
    ("given", "scores", "notes"),
    [
        (0.5, {"score": 0.5}, None),
        (1, {"score": 1}, None),
        (True, {"score": 1}, None),
        (np.float32(0.5), {"score": 0.5}, None),
        ({"hit": 0.5, "mrr": 0.25, "answer": "x"}, {"hit": 0.5, "mrr": 0.25}, {"answer": "x"}),
        (SimpleNamespace(score=0.5, metadata={"n": 1}), {"score": 0.5}, {"n": 1}),
        (SimpleNamespace(score=0.5, metadata=None), {"score": 0.5}, None),
        (SimpleNamespace(score=0.5), {"score": 0.5}, None),
    ],
)
def test_what_a_function_may_give(given, scores, notes):
    score = call(lambda p: given)
    assert score.scores == scores
    assert (score.notes or None) == notes
    assert score.failure is None


@pytest.mark.parametrize(
    "given", [None, "0.5", {}, {"answer": "x"}, [], [0.5], object(), {"score": None}, 1j,
              SimpleNamespace(score=None)],
)  # fmt: skip
def test_what_is_no_score_is_a_failure(given):
    score = call(lambda p: given)
    assert score.scores == {}
    assert score.failure.kind == "objective"
    assert "a score is a finite number" in score.failure.message


@pytest.mark.parametrize("given", [math.nan, math.inf, {"hit": 1.0, "mrr": math.nan}, 10**400])
def test_what_is_not_finite_is_a_failed_trial(given):
    results = raytuner.run(study(lambda p: given), in_memory=True)
    assert results.best is None
    assert {trial.failure.kind for trial in results.record.current} == {"objective"}


def test_arguments_and_metric_name():
    seen = []

    def function(params):
        seen.append(params)
        return 1

    score = call(function, {"x": 2}, fixed={"x": 1, "k": [3]}, metric="loss")
    assert seen == [{"x": 2, "k": [3]}]
    assert score.scores == {"loss": 1}


class Scorer:
    def __init__(self, k=1):
        self.k = k

    def __call__(self, params):
        return params["x"] * self.k

    async def later(self, params):
        await asyncio.sleep(0)
        return params["x"] * self.k

    @staticmethod
    def free(params):
        return 7


class AsyncScorer:
    async def __call__(self, params):
        await asyncio.sleep(0)
        return params["x"]


async def add(k, params):
    await asyncio.sleep(0)
    return params["x"] + k


CALLABLES = {
    "object": (Scorer(3), 6), "method": (Scorer(3).later, 6), "async object": (AsyncScorer(), 2),
    "partial": (functools.partial(add, 5), 7), "static": (Scorer.free, 7),
    "awaitable": (lambda params: add(1, params), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLABLES)
async def test_callables_of_all_kinds_sync_and_async(name):
    function, value = CALLABLES[name]
    assert call(function).scores == {"score": value}  # inside this test's running loop
    objective = FunctionObjective(function)
    batches = [b async for b in objective.aevaluate({"x": 2}, (UNIT,), Tally())]
    assert batches[0][0].scores == {"score": value}


def test_exceptions_of_async_functions_surface():
    async def function(params):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        call(function)


def test_live_results_are_kept_only_where_wanted():
    objective = FunctionObjective(lambda p: {"score": 1, "big": object()})
    list(objective.evaluate({"x": 1}, (UNIT,), Tally()))
    assert objective.results == {}
    kept = objective.results = {}
    list(objective.evaluate({"x": 1}, (UNIT,), Tally()))
    assert list(kept) == [objective.key({"x": 1})]
    assert isinstance(kept[objective.key({"x": 1})]["big"], object)


# ---- keys

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
        ('"c"}', '"d"}'), ("2.5", "2.6"), ("(1,", "(True,"), ('p["x"]', 'p["y"]'), ("in {", "not in {"),
        ("def f(p):", "def f(p, k=1):"), ("return total + 3", "return max(total, 3)"),
        ("return total + 3", "try:\n        return total + 3\n    except KeyError:\n        return 0"),
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
        "import users; from raytuner.function import FunctionObjective as F\n"
        "print([F(f).key({'x': 1}) for f in (users.f, users.g, users.h)])"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)},
        ).stdout  # fmt: skip
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
