"""What a search chooses from, where parameters are given as values of any kind or as domains."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from raytuner.compat.combinations import Combinations, Names
from raytuner.component import ConfigError
from raytuner.objective import Params, Value
from raytuner.search.ray_domains import is_ray_domain, read_ray_domain
from raytuner.space import Space
from raytuner.spaces.domains import Domain, Scalar, identical


def plain_lists(param_dict: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the lists of values behind a param_dict; None if a parameter is a domain of numbers.

    Raises:
        ConfigError: for a domain of Ray Tune that has no counterpart here.
    """
    values = {name: _spelled(name, value) for name, value in param_dict.items()}
    domains = any(isinstance(value, Domain | Mapping) for value in values.values())
    return None if domains else values


class Searched:
    """A space of labels, and the values that they stand for.

    Args:
        param_dict: per parameter a list of values of any kind, a domain as a study spells it
            ({"int": [1, 9]}), or a domain of Ray Tune.
        names: gives labels to values that are not plain.

    Raises:
        ConfigError: naming the parameter, its value and what would be right.
    """

    def __init__(self, param_dict: Mapping[str, Any], names: Names) -> None:
        domains: dict[str, Any] = {}
        self._values: dict[str, list[tuple[Scalar, Any]]] = {}
        for name, value in param_dict.items():
            domain = _spelled(name, value)
            if not isinstance(domain, Domain | Mapping):
                self._values[name] = _options(name, domain, names)
                domain = {"choice": [option for option, _ in self._values[name]]}
            domains[name] = domain
        try:
            self.space = Space.parse(domains)
            self.space.check()
        except ConfigError as error:
            raise about_param_dict(error) from None

    @property
    def labels(self) -> Mapping[str, Any]:
        """Spell every domain."""
        return {name: domain.model_dump(mode="json") for name, domain in self.space.domains.items()}

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Clean a proposal; see `Space.active`."""
        return self.space.active(values)

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the very objects that labels stand for; parameters that are not active are left out.

        Numbers of a domain and members of a subset stand for themselves; a subset is a list.
        """
        return {name: self._argument(name, label) for name, label in params.items()}

    def _argument(self, name: str, label: Value) -> Any:
        if name in self._values:
            return next(v for option, v in self._values[name] if identical(option, label))
        return list(label) if isinstance(label, tuple) else label


def about_param_dict(error: ConfigError) -> ConfigError:
    """Say `param_dict` where a space says its own name."""
    return ConfigError(f"param_dict: {error.message.removeprefix('space: ')}", ("param_dict",))


def _spelled(name: str, value: Any) -> Any:
    return read_ray_domain(value, f"param_dict[{name!r}]") if is_ray_domain(value) else value


def _options(name: str, values: Iterable[Any], names: Names) -> list[tuple[Scalar, Any]]:
    """Give every value of a list a plain scalar of its own: itself, or else its name."""
    listed = Combinations({name: values}, names)
    options: list[tuple[Scalar, Any]] = []
    for label in listed.labels[name]:
        option: Scalar = str(label[0]) if isinstance(label, tuple) else label
        while any(identical(option, other) for other, _ in options):  # 1 and 1.0, say
            option = f"{json.dumps(label)} ({len(options)})"
        options.append((option, listed.arguments({name: label})[name]))
    return options
