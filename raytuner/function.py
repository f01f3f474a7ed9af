"""Adapts a plain Python callable to the objective port: parameters in, a score out."""

from __future__ import annotations

import asyncio
import dis
import functools
import inspect
import math
import numbers
import reprlib
import threading
import time
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from raytuner.component import Component, digest
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
            code = _identity(self.function, frozenset())
            self._identity = digest("function", code, _plain(self.fixed), self.version)
        return self._identity

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


def _bare(function: Any) -> Any:
    """Find the function inside partials, bound methods and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.ismethod(function):
        return function.__func__
    return function if inspect.isroutine(function) else type(function).__call__


def _identity(function: Any, seen: frozenset[int]) -> Any:
    """Spell a callable's own code and what is bound to it; comments do not count."""
    if id(function) in seen:  # it calls itself
        return "itself"
    seen |= {id(function)}
    if isinstance(function, functools.partial):
        bound = _plain([function.args, function.keywords], seen)
        return ["partial", _identity(function.func, seen), bound]
    if inspect.ismethod(function):
        return ["method", _identity(function.__func__, seen), _state(function.__self__, seen)]
    if isinstance(function, types.FunctionType):
        return _function(function, seen)
    if hasattr(function, "__wrapped__"):  # a cache around it
        return ["wrapped", _identity(function.__wrapped__, seen)]
    if inspect.isroutine(function) or inspect.isclass(function):
        return [getattr(function, name, None) for name in ("__module__", "__qualname__")]
    return ["object", _identity(type(function).__call__, seen), _state(function, seen)]


def _function(function: types.FunctionType, seen: frozenset[int]) -> list[Any]:
    code = function.__code__
    names = _names(code)
    used = {name: function.__globals__.get(name) for name in sorted(names)}
    plain = {name: value for name, value in used.items() if isinstance(value, _SCALARS)}
    cells = [_plain(_content(cell), seen) for cell in function.__closure__ or ()]
    defaults = _plain([function.__defaults__, function.__kwdefaults__], seen)
    return [function.__module__, function.__qualname__, _code(code), cells, defaults, plain]


_SCALARS = (bool, int, float, str, bytes, tuple)


def _names(code: types.CodeType) -> set[str]:
    """List the globals that code reads and never sets, inner functions included."""
    read = {i.argval for i in dis.get_instructions(code) if i.opname in _READS}
    written = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_GLOBAL"}
    inner = [
        _names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)
    ]
    return set().union(read, *inner) - written


_READS = ("LOAD_GLOBAL", "LOAD_NAME")


def _state(owner: Any, seen: frozenset[int]) -> list[Any]:
    if inspect.isclass(owner) or inspect.ismodule(owner):
        return [owner.__name__]
    # No lists and dicts: a callable object often keeps what it was called with in one.
    fixed = {k: v for k, v in getattr(owner, "__dict__", {}).items() if isinstance(v, _SCALARS)}
    return [type(owner).__qualname__, _plain(fixed, seen)]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a cell that is filled later
        return None


def _code(code: types.CodeType) -> list[Any]:
    """Spell what code does: resolved, because a docstring would shift the numbers of constants."""
    steps = [[step.opname, _operand(step.argval)] for step in dis.get_instructions(code)]
    arguments = code.co_argcount + code.co_kwonlyargcount
    signature = [code.co_posonlyargcount, code.co_argcount, list(code.co_varnames[:arguments])]
    return [steps, signature, code.co_exceptiontable]


def _operand(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, frozenset):  # its order changes from run to run
        return ["frozenset", *sorted(repr(item) for item in value)]
    if isinstance(value, tuple):
        return ["tuple", *map(_operand, value)]
    return repr(value)


def _plain(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Reduce a value to what a key can be made of; foreign objects to their type."""
    if isinstance(value, float) and not math.isfinite(value):
        return ["float", repr(value)]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if id(value) in seen:  # it contains itself
        return "itself"
    inside = seen | {id(value)}
    if isinstance(value, Mapping):
        return {repr(key): _plain(item, inside) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, inside) for item in value]
    if isinstance(value, set | frozenset):
        return ["set", *sorted(repr(_plain(item, inside)) for item in value)]
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        return _identity(value, seen)
    if isinstance(value, Component):
        return value
    return f"{type(value).__module__}.{type(value).__qualname__}"


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
