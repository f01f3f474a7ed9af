"""What the tests of the drop-in tuners tune: objectives that note their calls, foreign objects."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from typing import Any

from raytuner.compat.param_tuner import RunResult, TunedResult

GRID = {"size": [128, 256, 512], "k": [1, 2]}


def product(params: dict[str, Any]) -> RunResult:
    return RunResult(score=params["size"] * params["k"], params=params)


async def aproduct(params: dict[str, Any]) -> RunResult:
    await asyncio.sleep(0)
    return product(params)


def scores(result: TunedResult) -> list[float]:
    return [run.score for run in result.run_results]


class Theirs:
    """What LlamaIndex's own RunResult looks like from outside."""

    def __init__(self, score: Any, params: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.score, self.params, self.metadata = score, params, metadata


class Uncopied:
    """Stands for a big index."""

    def __copy__(self) -> Uncopied:
        raise AssertionError("copied")

    def __deepcopy__(self, memo: object) -> Uncopied:
        raise AssertionError("copied")

    def __reduce__(self) -> str:
        raise AssertionError("pickled")


class Counting:
    """An objective that notes its calls; some parameters fail."""

    def __init__(self, failing: Any = (), error: BaseException | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self.failing = failing
        self.error = error or RuntimeError("no memory for this one")

    def __call__(self, params: dict[str, Any]) -> RunResult:
        self.calls.append(params)
        if params["size"] in self.failing:
            raise self.error
        return product(params)

    async def later(self, params: dict[str, Any]) -> RunResult:
        await asyncio.sleep(0.001)
        return self(params)


def python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
