"""Puts the objective into Ray's object store, once; names what in it cannot travel."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import ray
from numpy.typing import NDArray

from raytuner.component import ConfigError
from raytuner.objective import Objective

_DEEPEST = 6
"""Steps into an objective that the search for the culprit takes."""


class Parcel(NamedTuple):
    """A pickled objective; its arrays lie beside it, so that Ray can share them.

    Attributes:
        pickled: the objective without the content of its arrays.
        buffers: that content, as bytes.
    """

    pickled: bytes
    buffers: list[NDArray[np.uint8]]


def put_objective(objective: Objective) -> Any:
    """Store the objective for all workers; arrays in it are shared by those of a node, read-only.

    It is pickled here and not by `ray.put`, whose server at the other end of `ray://` would have
    to import the user's modules.

    Returns:
        The reference of a `Parcel`.

    Raises:
        ConfigError: it cannot be pickled; names the attribute.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        pickled = ray.cloudpickle.dumps(objective, protocol=5, buffer_callback=buffers.append)
    except Exception as error:
        path, culprit = _culprit(objective, "objective", _DEEPEST)
        raise ConfigError(
            f"objective: {path} is a {type(culprit).__name__}, which cannot be sent to a Ray "
            f"worker ({_why(culprit)}); make it inside `evaluate`, or leave it out in "
            "`__getstate__`",
            ("objective",),
        ) from error
    return ray.put(Parcel(pickled, [np.frombuffer(part.raw(), np.uint8) for part in buffers]))


def unpacked(parcel: Parcel) -> Objective:
    """Load the objective of this run's own driver; raises whatever its modules raise."""
    objective: Objective = pickle.loads(  # noqa: S301 - from our own driver
        parcel.pickled, buffers=parcel.buffers
    )
    return objective


def _culprit(value: Any, path: str, depth: int) -> tuple[str, Any]:
    """Find the innermost thing that cannot be pickled, and where it is."""
    if depth:
        for name, part in _parts(value):
            if _why(part):
                return _culprit(part, f"{path}{name}", depth - 1)
    return path, value


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isfunction(value):
        known = inspect.getclosurevars(value)
        for name, part in {**known.nonlocals, **known.globals}.items():
            yield f" uses {name}, which", part
        return
    if inspect.ismethod(value):
        yield ".__self__", value.__self__
        return
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield f"[{name!r}]", part
    elif isinstance(value, list | tuple | set | frozenset):
        for number, part in enumerate(value):
            yield f"[{number}]", part
    for name, part in getattr(value, "__dict__", {}).items():
        yield f".{name}", part


def _why(value: Any) -> str:
    """Say in one line why something cannot be pickled; empty if it can."""
    try:
        ray.cloudpickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - `__reduce__` may raise anything
        return (str(error).splitlines() or [type(error).__name__])[0]
    return ""
