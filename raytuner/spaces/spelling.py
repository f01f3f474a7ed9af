"""How a study spells domains and spaces: from plain YAML data to checked values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, ValidationError

from raytuner.component import ConfigError, nearest
from raytuner.spaces.domains import Domain, Scalar, shorten
from raytuner.spaces.intervals import Float, Int
from raytuner.spaces.options import Bool, Choice, Subset
from raytuner.spaces.texts import Text

_NAME = re.compile(r"[\w-]+(\.[\w-]+)*")
_SPELLINGS: Mapping[str, type[Domain]] = {
    domain.spelling: domain for domain in (Int, Float, Choice, Bool, Subset, Text)
}


def parse_domain(value: Any) -> Domain:
    """Read a domain as a study spells it.

    `{int: [1, 10]}`, `{float: [0.0, 1.0], step: 0.1}`, `{choice: [a, b]}`,
    `{subset: [a, b, c]}`, `{evolve: ["Answer {question}"]}`, `{bool: true}`; `bool`; a list for a
    choice; a scalar for a constant.

    Raises:
        ConfigError: saying what is wrong, without the parameter's name.
    """
    if isinstance(value, Domain):
        return value
    if isinstance(value, str) and value == "bool":
        value = {"bool": True}
    if isinstance(value, list | tuple):
        value = {"choice": value}
    if not isinstance(value, Mapping):
        value = {"choice": [value]}
    found = [name for name in value if name in _SPELLINGS]
    if len(found) != 1:
        spellings = ", ".join(_SPELLINGS)
        unknown = next((name for name in value if name not in _SPELLINGS), "")
        raise ConfigError(
            f"{shorten(dict(value))} is no domain: it needs exactly one of {spellings}, e.g. "
            f"{{int: [1, 10]}}.{nearest(unknown, _SPELLINGS)}"
        )
    try:
        return _SPELLINGS[found[0]].model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        own = problem["type"] == "value_error"  # one of our sentences, complete in itself
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(message if own else str(ConfigError.of(error))) from None


_Shorthand = Int | Float | Choice | Bool | Subset | Text | list[Scalar] | Scalar
AnyDomain = Annotated[Domain, PlainValidator(parse_domain, json_schema_input_type=_Shorthand)]


def read_space(mapping: Any) -> dict[str, Any]:
    """Read a flat mapping of parameter names, and perhaps `constraints`.

    Returns:
        `domains` and `constraints`, as the fields of `Space`.

    Raises:
        ConfigError: naming the parameter, the value and what would be right.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(
            f"{shorten(mapping)} is no mapping: write one `parameter.name: domain` a line"
        )
    domains = {}
    for name, value in mapping.items():
        if name == "constraints":
            continue
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(
                f"{shorten(name)} is no parameter name: join letters, digits, _ and - by dots, "
                "e.g. chunker.size",
                ("space", str(name)),
            )
        try:
            domains[name] = parse_domain(value)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}", ("space", name)) from None
    return {"domains": domains, "constraints": _texts(mapping.get("constraints", ()))}


def _texts(value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(
            f"constraints: {shorten(value)} is no list of texts: write e.g. ['a.size < b.size']",
            ("constraints",),
        )
    return tuple(texts)
