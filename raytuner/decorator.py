"""`@objective`: declares a function of one's own as what a study optimises.

    from raytuner.decorator import objective

    @objective(items="questions.jsonl", metrics=("correct",), config={"temperature": 0.2})
    def answer(item, config):
        return {"correct": ..., "cost_usd": ...}

The function stays what it was: it can be called, tested and pickled as before. It is not exported
from `raytuner` itself, whose attribute `objective` is the module of the port.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from raytuner.component import ConfigError
from raytuner.objective import Objective
from raytuner.own.callable_objective import CallableObjective
from raytuner.own.function import FunctionObjective
from raytuner.own.generator import GeneratorObjective
from raytuner.own.identity import bare
from raytuner.own.items import Source
from raytuner.own.settings import OwnSettings

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MARK = "__raytuner_objective__"


@overload
def objective(function: _Function, /) -> _Function: ...
@overload
def objective(
    *,
    items: Source | None = None,
    id: str = "id",
    group: str | None = None,
    stratum: str | None = None,
    config: Mapping[str, Any] | None = None,
    metrics: Sequence[str] = (),
    minimise: Sequence[str] = (),
    version: str = "",
    timeout: float | None = None,
    concurrency: int | None = None,
    steps: int | None = None,
) -> Callable[[_Function], _Function]: ...
def objective(function: Any = None, /, **settings: Any) -> Any:  # noqa: D417 - spelled out above
    """Declare a function as an objective.

    Args:
        function: `f(config)`, or, with items, `f(item, config)`; sync or async; or a generator,
            which yields after each step of a training. Gives a number, or a mapping whose numbers
            are metrics and whose `cost_usd` is what it spent.
        items: a file of JSON lines, relative to the folder of the study; a list of mappings; or a
            function that gives one, called once. Each item is a unit.
        id: field that names an item; without it in any item, they are numbered from 1.
        group: field that says what an item comes from; items of one group are no independent
            evidence.
        stratum: field that says of which kind an item is; all kinds are met alike early on.
        config: the configuration as it stands, nested or by dotted names: trial 0, and the values
            of what is not tuned.
        metrics: that every result has to have, else it fails; the first is the goal unless the
            study names another. Others may be missing: they are then not defined for the item.
        minimise: metrics of which less is better.
        version: change it to make recorded scores void.
        timeout: seconds that a call may take. An async function is cancelled; the thread of one
            that is not goes on, unheeded: `timeout` of the study ends its process.
        concurrency: calls at the same time within a trial; default: 8 of an async function, one
            of any other, which gets threads if it is more.
        steps: how often a generator yields.

    Raises:
        ConfigError: naming the setting, its value and what would be right.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    parsed = OwnSettings.parse(given)

    def declare(function: Any) -> Any:
        if not callable(function):
            raise ConfigError(f"objective: {function!r:.80} cannot be called")
        try:
            setattr(function, _MARK, parsed)
        except (AttributeError, TypeError):
            raise ConfigError(
                f"objective: {function!r:.80} cannot be marked; write a function around it"
            ) from None
        return function

    return declare if function is None else declare(function)


def adapted(
    function: Callable[..., Any], args: Mapping[str, Any], root: Path | None, seed: int
) -> Objective:
    """Make a callable an objective.

    Args:
        function: declared by `objective` or not. One that was not, and takes one argument, is
            called with all of `args` and the parameters.
        args: from a study: settings, which go before those that were declared.
        root: folder that relative paths start from; default: the current one.
        seed: the study's seed.

    Raises:
        ConfigError: for bad input, naming the field.
    """
    declared: OwnSettings | None = getattr(function, _MARK, None)
    generates = inspect.isgeneratorfunction(bare(function)) or inspect.isasyncgenfunction(
        bare(function)
    )
    if declared is None and not generates and _wanted(function) != 2:
        return FunctionObjective(function, args)
    settings = OwnSettings.parse({**_given(declared), **args})
    if generates:
        return _generator(function, settings)
    _check_arguments(function, settings)
    return CallableObjective(function, settings, (root or Path.cwd()).resolve(), seed)


def _given(declared: OwnSettings | None) -> dict[str, Any]:
    """Give what was declared explicitly."""
    if declared is None:
        return {}
    return {name: getattr(declared, name) for name in declared.model_fields_set}


def _generator(function: Callable[..., Any], settings: OwnSettings) -> Objective:
    for name in ("items", "timeout", "concurrency"):
        if getattr(settings, name) is not None:
            raise ConfigError(
                f"{name}: {_name(function)} is a generator, which has steps and no items; leave "
                "it out",
                (name,),
            )
    return GeneratorObjective(
        function,
        settings.config,
        steps=settings.steps,
        metrics=settings.metrics,
        minimise=settings.minimise,
        version=settings.version,
    )


def _check_arguments(function: Callable[..., Any], settings: OwnSettings) -> None:
    """Refuse a function that cannot be called as the settings have it."""
    if settings.steps is not None:
        raise ConfigError(
            f"steps: {_name(function)} is no generator; steps are what one yields", ("steps",)
        )
    wanted = 1 if settings.items is None else 2
    try:
        inspect.signature(function).bind(*[None] * wanted)
    except ValueError:  # a builtin without a signature
        return
    except TypeError:
        if wanted == 1:
            raise ConfigError(
                f"items: {_name(function)} takes more than a configuration; give the items it is "
                "to be called with (a file of JSON lines, or a list)",
                ("items",),
            ) from None
        raise ConfigError(
            f"items: {_name(function)} cannot be called with an item and a configuration; write "
            "it as `def answer(item, config)`",
            ("items",),
        ) from None


def _wanted(function: Callable[..., Any]) -> int:
    """Count the positional arguments without a default."""
    try:
        parameters: Iterable[inspect.Parameter] = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters)


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", repr(function)))
