"""Calls functions as objectives, and compiles them as a user would write them."""

import asyncio
import functools
import textwrap

from raytuner.objective import Tally
from raytuner.own.function import UNIT, FunctionObjective


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
