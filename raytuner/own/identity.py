"""The identity of a callable: its own code and what is bound to it, the same on every host."""

from __future__ import annotations

import dis
import functools
import inspect
import math
import types
from collections.abc import Mapping
from typing import Any

from raytuner.component import Component


def bare(function: Any) -> Any:
    """Find the function inside partials, bound methods and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.ismethod(function):
        return function.__func__
    return function if inspect.isroutine(function) else type(function).__call__


def identity(function: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Spell a callable's own code and what is bound to it; comments do not count."""
    if id(function) in seen:  # it calls itself
        return "itself"
    seen |= {id(function)}
    if isinstance(function, functools.partial):
        bound = plain([function.args, function.keywords], seen)
        return ["partial", identity(function.func, seen), bound]
    if inspect.ismethod(function):
        return ["method", identity(function.__func__, seen), _state(function.__self__, seen)]
    if isinstance(function, types.FunctionType):
        return _function(function, seen)
    if hasattr(function, "__wrapped__"):  # a cache around it
        return ["wrapped", identity(function.__wrapped__, seen)]
    if inspect.isroutine(function) or inspect.isclass(function):
        return [getattr(function, name, None) for name in ("__module__", "__qualname__")]
    return ["object", identity(type(function).__call__, seen), _state(function, seen)]


def _function(function: types.FunctionType, seen: frozenset[int]) -> list[Any]:
    code = function.__code__
    names = _names(code)
    used = {name: function.__globals__.get(name) for name in sorted(names)}
    scalars = {name: value for name, value in used.items() if isinstance(value, _SCALARS)}
    cells = [plain(_content(cell), seen) for cell in function.__closure__ or ()]
    defaults = plain([function.__defaults__, function.__kwdefaults__], seen)
    return [function.__module__, function.__qualname__, _code(code), cells, defaults, scalars]


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
    return [type(owner).__qualname__, plain(fixed, seen)]


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


def plain(value: Any, seen: frozenset[int] = frozenset()) -> Any:
    """Reduce a value to what a key can be made of; foreign objects to their type."""
    if isinstance(value, float) and not math.isfinite(value):
        return ["float", repr(value)]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if id(value) in seen:  # it contains itself
        return "itself"
    inside = seen | {id(value)}
    if isinstance(value, Mapping):
        return {repr(key): plain(item, inside) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, inside) for item in value]
    if isinstance(value, set | frozenset):
        return ["set", *sorted(repr(plain(item, inside)) for item in value)]
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        return identity(value, seen)
    if isinstance(value, Component):
        return value
    return f"{type(value).__module__}.{type(value).__qualname__}"
