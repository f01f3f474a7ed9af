"""Adapts a plain Python callable to the objective port: parameters in, a score out."""

from __future__ import annotations

import asyncio
import inspect
import numbers
import reprlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from raytuner.component import digest
from raytuner.objective import Failure, Meter, Objective, Params, UnitScore
from raytuner.own.awaiting import run_apart
from raytuner.own.identity import bare, identity, plain

UNIT = "result"
"""The one unit of an objective that gives one result."""


class FunctionObjective(Objective):
    """A callable that takes a dict of parameters and gives a float, a dict or a RunResult.

    Args:
        function: sync or async. Called with {**fixed, **params}.
        fixed: parameters that do not vary. They are part of a trial's key if they are plain
            values (numbers, strings, lists and mappings of these); other objects are known by
            their type only, so give `version` when their content changes.
        version: part of every key; change it to make recorded scores void.
        metric: name of the score when the callable gives a bare number.

    The key covers the callable's own code and the plain values it uses: constants, defaults,
    closures, partial arguments, and, unless they are lists or dicts, globals and attributes. It
    does not cover the code it calls. What it covers is read once, when the first key is made.
    """

    name: ClassVar[str] = "function"

    def __init__(
        self,
        function: Callable[[dict[str, Any]], Any],
        fixed: Mapping[str, Any] | None = None,
        *,
        version: str = "",
        metric: str = "score",
    ) -> None:
        self.function = function
        self.fixed = dict(fixed or {})
        self.version = version
        self.metric = metric
        self._results: dict[str, Any] | None = None
        self._identity: str | None = None

    @property
    def results(self) -> dict[str, Any]:
        """What the function gave, by key. Kept only in a dict that is assigned to this."""
        return {} if self._results is None else self._results

    @results.setter
    def results(self, keep: dict[str, Any]) -> None:
        self._results = keep

    def units(self) -> Sequence[str]:
        """Give the one unit."""
        return (UNIT,)

    def scope(self) -> str:
        """Identify the callable, its fixed parameters and its version."""
        if self._identity is None:
            code = identity(self.function)
            self._identity = digest("function", code, plain(self.fixed), self.version)
        return self._identity

    def key(self, params: Params) -> str:
        """Identify the call."""
        return digest(self.scope(), plain(params))

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the dict that the function is called with."""
        return {**self.fixed, **params}

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Call the function, in an event loop of its own if it is async."""
        del units, meter
        started = time.perf_counter()
        given = self.function(self.arguments(params))
        if inspect.isawaitable(given):
            given = run_apart(given)
        yield [self._score(params, given, time.perf_counter() - started)]

    async def aevaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> AsyncIterator[Sequence[UnitScore]]:
        """Call the function without blocking the loop."""
        del units, meter
        started = time.perf_counter()
        arguments = self.arguments(params)
        if inspect.iscoroutinefunction(inspect.unwrap(bare(self.function))):
            given = self.function(arguments)
        else:
            given = await asyncio.to_thread(self.function, arguments)
        if inspect.isawaitable(given):
            given = await given
        yield [self._score(params, given, time.perf_counter() - started)]

    def _score(self, params: Params, given: Any, seconds: float) -> UnitScore:
        scores, notes = self._read(given)
        if self._results is not None:
            self._results[self.key(params)] = given
        if not scores:
            reason = f"the function gave {reprlib.repr(given)}; a score is a finite number"
            return UnitScore(UNIT, {}, seconds=seconds, failure=Failure("objective", reason))
        return UnitScore(UNIT, scores, seconds=seconds, notes=notes)

    def _read(self, given: Any) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        """Tell scores from what merely accompanies them."""
        if isinstance(given, numbers.Real):
            return {self.metric: given}, None
        if isinstance(given, Mapping):
            scores = {str(k): v for k, v in given.items() if isinstance(v, numbers.Real)}
            return scores, {k: v for k, v in given.items() if k not in scores}
        score = getattr(given, "score", None)
        if isinstance(score, numbers.Real):
            return {self.metric: score}, getattr(given, "metadata", None)
        return {}, None
