"""A changed evaluation function voids scores; another run of the same one does not."""

import functools
import subprocess
import sys

import pytest

from pipelines.completion_code import class_code, code_of, evaluate, find_function
from raytuner.component import ConfigError, digest

SOURCE = """
LIMIT = {limit}
WORDS = frozenset(["a", "b", "c", "d", "e"])

def helper(text):
    return {helper}

def score(responses, *, weight={weight}, **fields):
    # a comment
    return {{"right": weight * helper(responses[0]) * LIMIT, "in": responses[0] in {{"x", "y"}}}}
"""


def key_of(limit=1, helper="len(text)", weight=2):
    names = {"__name__": "mine"}
    exec(SOURCE.format(limit=limit, helper=helper, weight=weight), names)
    return digest(code_of(names["score"]))


def test_what_decides_the_result_is_covered():
    keys = {
        key_of(), key_of(limit=3), key_of(helper="0"), key_of(weight=5),
        key_of(helper="len(text) + 1"),
    }  # fmt: skip
    assert len(keys) == 5
    assert key_of() == key_of()


def test_closures_partials_and_objects_are_told_apart():
    def make(target):
        return lambda responses, **_: {"right": target in responses}

    class Scorer:
        def __call__(self, responses, **_):
            return {"right": 1}

    class Other:
        def __call__(self, responses, **_):
            return {"right": 2}

    partials = [functools.partial(make("a"), weight=weight) for weight in (1, 2)]
    functions = [make("a"), make("b"), *partials, Scorer(), Other(), len]
    assert len({digest(code_of(function)) for function in functions}) == len(functions)
    assert digest(code_of(make("a"))) == digest(code_of(make("a")))


def test_a_class_is_what_its_methods_and_constants_do():
    def make(limit=1, text="a", doc="says nothing"):
        class Base:
            def inherited(self):
                return text

        class Flow(Base):
            most = limit

            @staticmethod
            def step(value):
                return value + 1

        Flow.__doc__ = doc
        return digest(class_code(Flow))

    assert len({make(), make(limit=2), make(text="b")}) == 3
    assert make() == make(doc="says something else")


def test_a_function_that_calls_itself_has_a_key():
    def again(responses, depth=0, **_):
        return again(responses, depth + 1) if depth < 2 else {"right": 1}

    assert digest(code_of(again)) == digest(code_of(again))


def test_the_key_is_the_same_in_every_process():
    script = (
        "from raytuner.component import digest\n"
        "from pipelines.completion_code import code_of\n"
        "names = {'__name__': 'mine'}\n"
        f"exec({SOURCE.format(limit=1, helper='len(text)', weight=2)!r}, names)\n"
        "print(digest(code_of(names['score'])))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert found == {key_of()}


def test_functions_are_found_by_import_path():
    assert find_function("json:dumps").__name__ == "dumps"
    for wrong in ("json:nothing", "json:__name__", 3):
        with pytest.raises(ConfigError, match="eval_func"):
            find_function(wrong)


def test_an_async_function_is_refused():
    async def score(responses, **_):
        return {"right": 1}

    with pytest.raises(ConfigError, match="async"):
        find_function(score)


def test_numbers_of_all_kinds_are_metrics_and_the_rest_is_noted():
    import numpy as np

    def score(responses, **_):
        return {"a": True, "b": np.float32(0.5), "c": np.bool_(True), "d": "text", "e": object}

    found = evaluate(score, "q", ["x"], {})
    assert dict(found.metrics) == {"a": 1.0, "b": 0.5, "c": 1.0}
    assert found.notes["d"] == "text"
    assert isinstance(found.notes["e"], str)
