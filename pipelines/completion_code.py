"""The user's functions in a study: found, identified by their code, called safely."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import math
import numbers
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from raytuner.component import ConfigError
from raytuner.objective import COSTS, Failure

Evaluate = Callable[..., Any]
_SCALARS = (bool, int, float, str, bytes)
_LONGEST_NOTE = 2_000


class Evaluated(NamedTuple):
    """What an evaluation function gave for one instance.

    Attributes:
        metrics: its numbers; empty after a failure.
        notes: the rest of it, cut short.
        failure: why there are no metrics.
    """

    metrics: Mapping[str, float]
    notes: Mapping[str, Any]
    failure: Failure | None = None


def find_function(given: str | Evaluate, field: str = "eval_func") -> Evaluate:
    """Give the function that a study names or holds.

    Args:
        given: module:function, or the function.
        field: where the study has it.

    Raises:
        ConfigError: it cannot be imported, or is no plain function.
    """
    found = find_object(given, field) if isinstance(given, str) else given
    if not callable(found):
        raise ConfigError(f"{field}: {given!r:.80} cannot be called", (field,))
    if inspect.iscoroutinefunction(found):
        raise ConfigError(f"{field}: {given!r:.80} is async; give a plain function", (field,))
    function: Evaluate = found
    return function


def find_object(given: str, field: str) -> Any:
    """Import what a study names as module:name.

    Raises:
        ConfigError: it cannot be imported.
    """
    module, _, name = given.partition(":")
    if not name:
        raise ConfigError(f"{field}: {given!r} is no module:function", (field,))
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        reason = f"{field}: {given} cannot be imported: {error}"
        raise ConfigError(reason, (field,)) from error


def evaluate(
    function: Evaluate, unit: str, texts: Sequence[str], fields: Mapping[str, Any]
) -> Evaluated:
    """Call the evaluation function for one instance; whatever it does wrong is a failure of it."""
    try:
        given = function(list(texts), **fields)
    except Exception as error:  # noqa: BLE001 - the user's code may raise anything
        return failed(unit, f"eval_func raised {type(error).__name__}: {error}")
    return taken(given, unit, "eval_func")


def taken(given: Any, unit: str, source: str, *, partial: bool = False) -> Evaluated:
    """Take metrics and notes from what a user's function gave for one instance.

    Args:
        given: a mapping of metrics, if all is well.
        unit: id of the instance.
        source: what gave it, for messages.
        partial: whether no metric is fine.
    """
    if not isinstance(given, Mapping):
        return failed(unit, f"{source} gave {given!r:.100}; a mapping of metrics is wanted")
    metrics, notes = {}, {}
    for name, value in given.items():
        number = _number(value)
        if number is None:
            notes[str(name)] = short(value)
        elif not math.isfinite(number):
            return failed(unit, f"{source} gave {name} = {number}; a metric is a finite number")
        elif name in COSTS:
            return failed(unit, f"{source} gave {name}, which is counted already; rename it")
        else:
            metrics[str(name)] = number
    if not metrics and not partial:
        return failed(unit, f"{source} gave no number: {short(dict(given))!r:.100}")
    return Evaluated(metrics, notes)


def failed(unit: str, reason: str) -> Evaluated:
    """Give what there is of an instance without a score."""
    return Evaluated({}, {}, Failure("objective", f"instance {unit}: {reason}"))


def _number(value: Any) -> float | None:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():  # a NumPy scalar
        value = item()
    try:
        return float(value) if isinstance(value, numbers.Real) else None
    except OverflowError:  # an integer beyond all floats
        return math.inf


def short(value: Any) -> Any:
    """Give what the journal can keep of a value."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text, value = repr(value), repr(value)
    return value if len(text) <= _LONGEST_NOTE else str(value)[:_LONGEST_NOTE]


# ---- identity


def code_of(function: Any) -> Any:
    """Spell what a function does, as plain values that go into a key.

    Covers its bytecode, what is bound to it (defaults, closure, partial arguments), the plain
    globals it reads, and the functions of its own module that it calls. Of anything else the type
    counts. Another version of Python may spell the same function differently.
    """
    spelled = _spelled(function, frozenset())
    call = inspect.getattr_static(type(function), "__call__", None)
    if isinstance(call, types.FunctionType):  # an object that can be called
        return [spelled, _function(call, frozenset())]
    return spelled


def class_code(owner: type) -> Any:
    """Spell what a class does: methods and constants, those inherited in its package included."""
    home = owner.__module__.split(".")[0]
    bases = [base for base in owner.__mro__ if base.__module__.split(".")[0] == home]
    members = [
        [name, code_of(getattr(member, "__func__", member))]
        for base in bases
        for name, member in sorted(vars(base).items())
        if inspect.isroutine(member)
        or (name[:2] != "__" and isinstance(member, (*_SCALARS, tuple)))
    ]
    return [owner.__qualname__, members]


def _spelled(value: Any, seen: frozenset[int]) -> Any:
    if value is None or isinstance(value, _SCALARS):
        return repr(value) if isinstance(value, float) else value
    if id(value) in seen:
        return "itself"
    return _deeper(value, seen | {id(value)})


def _deeper(value: Any, seen: frozenset[int]) -> Any:
    if isinstance(value, Mapping):
        return {repr(key): _spelled(item, seen) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item, seen) for item in value]
    if isinstance(value, set | frozenset):  # their order changes from run to run
        return ["set", *sorted(map(repr, value))]
    if isinstance(value, functools.partial):
        return ["partial", *(_spelled(x, seen) for x in (value.func, value.args, value.keywords))]
    if inspect.ismethod(value):
        return ["method", _spelled(value.__func__, seen), _kind(value.__self__)]
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    if isinstance(value, types.CodeType):
        return _code(value, seen)
    return _kind(value)


def _function(function: types.FunctionType, seen: frozenset[int]) -> list[Any]:
    code = function.__code__
    reads = {name: function.__globals__.get(name) for name in sorted(_names(code))}
    plain = {
        name: _spelled(value, seen)
        for name, value in reads.items()
        if isinstance(value, (*_SCALARS, tuple)) or _neighbour(value, function)
    }
    cells = [_spelled(_content(cell), seen) for cell in function.__closure__ or ()]
    bound = [_spelled(x, seen) for x in (function.__defaults__, function.__kwdefaults__)]
    return [_code(code, seen), bound, cells, plain]


def _neighbour(value: Any, function: types.FunctionType) -> bool:
    return isinstance(value, types.FunctionType) and value.__module__ == function.__module__


def _names(code: types.CodeType) -> set[str]:
    inner = [
        _names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType)
    ]
    return set(code.co_names).union(*inner)


def _code(code: types.CodeType, seen: frozenset[int]) -> list[Any]:
    constants = [_spelled(constant, seen) for constant in code.co_consts]
    names = [list(code.co_names), list(code.co_varnames), list(code.co_freevars)]
    return [code.co_code, constants, *names, code.co_argcount, code.co_kwonlyargcount]


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a cell that is filled later
        return None


def _kind(value: Any) -> str:
    kind = value if inspect.isclass(value) or inspect.isroutine(value) else type(value)
    name = getattr(kind, "__qualname__", type(kind).__qualname__)
    return f"{getattr(kind, '__module__', None)}.{name}"
