"""Adapts a plain Python callable to the objective port: parameters in, a score out."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import math
import numbers
import threading
import time
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from raytuner.component import digest
from raytuner.objective import Failure, Meter, Objective, Params, UnitScore

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

    The key covers the callable's own code, not the code it calls.
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
        self.results: dict[str, Any] = {}

    def units(self) -> Sequence[str]:
        """Give the one unit."""
        return (UNIT,)

    def scope(self) -> str:
        """Identify the callable, its fixed parameters and its version."""
        return digest("function", _code(self.function), _plain(self.fixed), self.version)

    def key(self, params: Params) -> str:
        """Identify the call."""
        return digest(self.scope(), _plain(params))

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
            given = _run_apart(given)
        yield [self._score(params, given, time.perf_counter() - started)]

    async def aevaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> AsyncIterator[Sequence[UnitScore]]:
        """Call the function without blocking the loop."""
        del units, meter
        started = time.perf_counter()
        arguments = self.arguments(params)
        if inspect.iscoroutinefunction(inspect.unwrap(_bare(self.function))):
            given = self.function(arguments)
        else:
            given = await asyncio.to_thread(self.function, arguments)
        if inspect.isawaitable(given):
            given = await given
        yield [self._score(params, given, time.perf_counter() - started)]

    def _score(self, params: Params, given: Any, seconds: float) -> UnitScore:
        scores, notes = self._read(given)
        self.results[self.key(params)] = given
        bad = {name: value for name, value in scores.items() if not _finite(value)}
        if bad or not scores:
            shown = ", ".join(f"{k} = {v!r}" for k, v in bad.items()) or repr(given)[:200]
            reason = f"the function gave {shown}; a score is a finite number"
            return UnitScore(UNIT, {}, seconds=seconds, failure=Failure("objective", reason))
        return UnitScore(
            UNIT, {k: float(v) for k, v in scores.items()}, seconds=seconds, notes=notes
        )

    def _read(self, given: Any) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        """Tell scores from what merely accompanies them."""
        if isinstance(given, numbers.Real):
            return {self.metric: given}, None
        if isinstance(given, Mapping):
            scores = {str(k): v for k, v in given.items() if isinstance(v, numbers.Real)}
            return scores, _json_only({k: v for k, v in given.items() if k not in scores})
        score = getattr(given, "score", None)
        if isinstance(score, numbers.Real):
            return {self.metric: score}, _json_only(getattr(given, "metadata", None) or {})
        return {}, None


def _finite(value: Any) -> bool:
    return isinstance(value, numbers.Real) and math.isfinite(value)


def _bare(function: Any) -> Any:
    """Find the function inside partials, bound methods and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.ismethod(function):
        return function.__func__
    return function if inspect.isroutine(function) else type(function).__call__


def _code(function: Any) -> list[Any]:
    """Spell a callable's own code and what is bound to it; comments do not count."""
    bare = inspect.unwrap(_bare(function))
    name = [getattr(bare, "__module__", ""), getattr(bare, "__qualname__", "")]
    code = getattr(bare, "__code__", None)
    if not isinstance(code, types.CodeType):
        return name
    cells = [_plain(_content(cell)) for cell in bare.__closure__ or ()]
    defaults = [_plain(bare.__defaults__), _plain(bare.__kwdefaults__)]
    bound = []
    if isinstance(function, functools.partial):
        bound = [_plain(function.args), _plain(function.keywords)]
    return [*name, _bytecode(code, bare.__doc__), cells, defaults, bound]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a cell that is filled later, as in a recursive function
        return None


def _bytecode(code: types.CodeType, doc: str | None = None) -> list[Any]:
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constants.append(_bytecode(constant))
        elif isinstance(constant, frozenset):  # its order changes from run to run
            constants.append(sorted(map(repr, constant)))
        elif constant is not doc:
            constants.append(repr(constant))
    return [code.co_code, constants, list(code.co_names), list(code.co_varnames)]


def _plain(value: Any) -> Any:
    """Reduce a value to what a key can be made of; foreign objects to their type."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _json_only(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Keep what the journal can hold; the rest stays with the live result."""
    kept = {}
    for name, value in values.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            continue
        kept[str(name)] = value
    return kept or None


def _run_apart(awaitable: Any) -> Any:
    """Await something from sync code, also while this thread's event loop runs (a notebook)."""
    box: dict[str, Any] = {}

    async def wait() -> Any:
        return await awaitable

    def work() -> None:
        try:
            box["value"] = asyncio.run(wait())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            box["error"] = error

    thread = threading.Thread(target=work, name="raytuner-await")
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["value"]
