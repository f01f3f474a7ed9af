"""The configuration that an objective of the user's own is called with: dotted names, or nested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raytuner.component import ConfigError, nearest


class Config(dict[str, Any]):
    """Parameters by their dotted names; a part of a name gives what is below it.

    `config["steps.route.method"]` and `config["steps"]["route"]["method"]` are the same.
    """

    def __missing__(self, name: str) -> Config:
        prefix = f"{name}."
        below = {key.removeprefix(prefix): value for key, value in self.items()
                 if key.startswith(prefix)}  # fmt: skip
        if not below:
            known = ", ".join(self) or "none"
            raise KeyError(f"no parameter {name!r}; there are: {known}.{nearest(name, self)}")
        return Config(below)

    def nested(self) -> dict[str, Any]:
        """Give them as mappings in mappings.

        Raises:
            ConfigError: one name is a part of another one.
        """
        return nested(self)


def flat(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Spell mappings in mappings, or dotted names, or both, by dotted names.

    Raises:
        ConfigError: one name is there twice, or is no text.
    """
    found: dict[str, Any] = {}
    _flatten(values, "", found)
    return found


def _flatten(values: Mapping[Any, Any], prefix: str, found: dict[str, Any]) -> None:
    for key, value in values.items():
        if not isinstance(key, str) or not key:
            raise ConfigError(f"{key!r:.60} names no parameter; give a text")
        name = prefix + key
        if isinstance(value, Mapping) and value:
            _flatten(value, f"{name}.", found)
        elif name in found:
            raise ConfigError(f"{name} is there twice")
        else:
            found[name] = value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Spell dotted names by mappings in mappings; tuples become lists.

    Raises:
        ConfigError: one name is a part of another one.
    """
    found: dict[str, Any] = {}
    for name in sorted(values):  # a name comes before those that it is a part of
        *path, last = name.split(".")
        at = found
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise ConfigError(f"{name}: {part} is a value already, and cannot hold others")
        at[last] = _listed(values[name])
    return found


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, list | tuple) else value
