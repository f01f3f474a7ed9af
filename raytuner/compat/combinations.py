"""Every combination of lists of values, lazily, with a plain name for every value.

Values may be any objects: nothing here copies, compares or prints them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import PurePath
from typing import Any

import numpy as np

from raytuner.component import ConfigError
from raytuner.objective import Params, Value
from raytuner.search.port import Exhausted, Unlearning

_LONGEST = 200
"""Characters of a name; the rest of a longer one is told by its digest."""


class Names:
    """Gives plain values names that say what they are, and other objects one name each.

    Args:
        lasting: names have to mean the same in another process, which only plain values can.
    """

    def __init__(self, *, lasting: bool = False) -> None:
        self._lasting = lasting
        self._objects: dict[int, tuple[str, Any]] = {}  # holds the object: its id stays its own
        self._counts: dict[str, int] = {}

    def label(self, value: Any, where: str) -> Value:
        """Give a plain scalar itself, and of anything else its name in a tuple of one.

        Args:
            value: any object.
            where: what an error calls it.

        Raises:
            ConfigError: if names have to last and the value is, or holds, a foreign object.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        spelled = self._spell(value, where)
        if isinstance(spelled, Mapping) and set(spelled) == {"~object"}:
            return (str(spelled["~object"]),)
        name = json.dumps(spelled, sort_keys=True)
        if len(name) > _LONGEST:
            name = f"{name[: _LONGEST // 2]}... {hashlib.blake2b(name.encode()).hexdigest()[:32]}"
        return (name,)

    def _spell(self, value: Any, where: str) -> Any:
        """Spell a value as JSON, so that different values differ; tuples equal lists."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list | tuple):
            return [self._spell(item, where) for item in value]
        if isinstance(value, dict):
            if all(isinstance(key, str) for key in value):
                return {key: self._spell(item, where) for key, item in value.items()}
            pairs = [[self._spell(k, where), self._spell(v, where)] for k, v in value.items()]
            return {"~map": sorted(pairs, key=lambda pair: json.dumps(pair[0], sort_keys=True))}
        if isinstance(value, bytes | bytearray):
            return {"~bytes": hashlib.blake2b(value).hexdigest()[:32]}
        if isinstance(value, PurePath):
            return {"~path": str(value)}
        return {"~object": self._object(value, where)}

    def _object(self, value: Any, where: str) -> str:
        kind = type(value).__qualname__
        if self._lasting:
            raise ConfigError(
                f"{where} holds a {kind}, which another process cannot recognise, so `run_dir` "
                "cannot keep its results: give plain values (numbers, strings, lists, dicts), or "
                "set `version` and change it whenever the object changes"
            )
        if id(value) not in self._objects:
            number = self._counts.get(kind, 0)
            self._counts[kind] = number + 1
            self._objects[id(value)] = (f"{kind} #{number}", value)
        return self._objects[id(value)][0]


class Combinations(Unlearning):
    """Proposes every combination of some lists, by label; the first name varies fastest.

    Values with equal labels count once.

    Args:
        param_dict: values to try, by name.
        names: gives the labels.

    Raises:
        ConfigError: for what is not a list of values, naming the parameter.
    """

    def __init__(self, param_dict: Mapping[str, Iterable[Any]], names: Names) -> None:
        self._values: dict[str, dict[str, Any]] = {}
        self.labels: dict[str, list[Value]] = {}
        for name, values in param_dict.items():
            where = f"param_dict[{name!r}]"
            table: dict[str, tuple[Value, Any]] = {}
            for value in _listed(values, where):
                label = names.label(value, where)
                table.setdefault(_text(label), (label, value))
            if isinstance(values, Set):  # its own order changes from process to process
                table = dict(sorted(table.items()))
            self.labels[name] = [label for label, _ in table.values()]
            self._values[name] = {text: value for text, (_, value) in table.items()}
        self.total = math.prod(len(labels) for labels in self.labels.values())
        self._points = itertools.product(*reversed(self.labels.values()))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out how far it has come: workers only look values up."""
        return {name: value for name, value in self.__dict__.items() if name != "_points"}

    def ask(self) -> dict[str, Value]:
        """Give the next combination."""
        point = next(self._points, None)
        if point is None:
            raise Exhausted("every combination has been tried")
        return dict(zip(self.labels, reversed(point), strict=True))

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Take labels as they are."""
        return dict(values)

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the very objects that labels stand for."""
        return {name: self._values[name][_text(label)] for name, label in params.items()}


def _text(label: Value) -> str:
    """Tell True, 1 and 1.0 apart, which are one key to a dict."""
    return json.dumps(label)


def _listed(values: Any, where: str) -> Sequence[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(
            f"{where}: expected a list of values to try, got {reprlib.repr(values)}; what does not "
            "vary belongs into fixed_param_dict"
        )
    listed = list(values)
    if not listed:
        raise ConfigError(f"{where}: the list of values is empty")
    return listed
