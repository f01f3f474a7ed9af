"""Finds the objective that a study names: an installed one, or one of the user's own modules."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, nearest
from raytuner.decorator import adapted
from raytuner.objective import Objective

_KIND = ("objective", "kind")


def objectives() -> dict[str, importlib.metadata.EntryPoint]:
    """List installed objectives by short name (entry points `raytuner.objectives`)."""
    return {e.name: e for e in importlib.metadata.entry_points(group="raytuner.objectives")}


def objective_of(kind: str, args: Mapping[str, Any], root: Path, seed: int) -> Objective:
    """Make the objective that a study names.

    Args:
        kind: a short name of `objectives`, or module:name of an Objective or a function.
        args: the section without its `kind`.
        root: folder that relative paths start from.
        seed: the study's seed.

    Raises:
        ConfigError: unknown kind, or whatever the kind finds wrong.
    """
    target = _target(kind)
    if inspect.isclass(target) and issubclass(target, Objective):
        try:
            return target.build(args, root=root, seed=seed)
        except ConfigError as error:
            raise _inside(error) from error
        except TypeError as error:
            raise ConfigError(f"objective: {kind}: {error}", ("objective",)) from error
    if isinstance(target, Objective):
        return target
    if callable(target):
        return callable_of(target, args, root, seed)
    raise ConfigError(f"objective.kind: {kind} is neither an Objective nor callable", _KIND)


def callable_of(
    function: Callable[..., Any], args: Mapping[str, Any], root: Path | None, seed: int
) -> Objective:
    """Make a callable an objective; see `raytuner.decorator.adapted`."""
    try:
        return adapted(function, args, root, seed)
    except ConfigError as error:
        raise _inside(error) from error


def _inside(error: ConfigError) -> ConfigError:
    """Say that a field is one of the section."""
    if not error.field:
        return error
    return ConfigError(f"objective.{error.message}", ("objective", *error.field))


def _target(kind: str) -> Any:
    known = objectives()
    if kind in known:
        return known[kind].load()
    if ":" not in kind:
        raise ConfigError(
            f"objective.kind: no objective called {kind!r}; known: {', '.join(sorted(known))}, "
            f"or name your own as module:function.{nearest(kind, known)}",
            _KIND,
        )
    module, _, name = kind.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        raise ConfigError(f"objective.kind: {kind} cannot be imported: {error}", _KIND) from error
