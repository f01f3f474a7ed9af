"""How dotted parameters change a nested configuration, and what values they have in it.

A configuration is made of pydantic models, mappings of them by name (`steps`), components, and
plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pipelines.llm.models import LanguageModel
from pipelines.overrides import Tree, changed, tree
from raytuner.component import Component, ConfigError, nearest
from raytuner.objective import Params

_NOTHING = object()
_Model = TypeVar("_Model", bound=BaseModel)


def override(config: _Model, params: Params) -> _Model:
    """Give a copy of a configuration with other values.

    Args:
        config: the configuration as it stands.
        params: values by dotted name, `steps.draft.prompt`.

    Raises:
        ConfigError: an unknown name, with the nearest spelling, or a value that does not fit.
    """
    return _changed_model(config, tree(params), ())


def parsed(model: type[_Model], data: Any, prefix: tuple[str, ...] = ()) -> _Model:
    """Validate a mapping; unknown names are told with the nearest one.

    Raises:
        ConfigError: naming the field, its value and what would be right.
    """
    if isinstance(data, Mapping):
        known = spelt(model)
        for name in data:
            if name not in known:
                reason = _unknown(str(name), known, prefix).message
                raise ConfigError(reason, (*prefix, str(name)))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError.of(error, prefix) from error


def values(config: BaseModel, names: Iterable[str]) -> dict[str, Any]:
    """Give the value of each dotted name that a configuration has; of a component, its kind.

    Left out is what only another kind of component has.

    Raises:
        ConfigError: no configuration has such a name.
    """
    found = {}
    for name in names:
        try:
            found[name] = _value(config, name)
        except ConfigError as error:
            raise ConfigError(f"space: {error.message}", ("space", name)) from None
    return {name: value for name, value in found.items() if value is not _NOTHING}


def _value(config: BaseModel, parameter: str) -> Any:
    node: Any = config
    path: tuple[str, ...] = ()
    for part in parameter.split("."):
        if part == "kind" and (node is None or isinstance(node, Component)):
            node = None if node is None else node.kind
        elif node is None or isinstance(node, Component):
            node = getattr(node, part, _NOTHING)
        else:
            known = _below(node)
            if part not in known:
                raise _unknown(part, known, path)
            node = known[part]
        path = (*path, part)
    if isinstance(node, tuple | list):
        return tuple(item.kind if isinstance(item, Component) else item for item in node)
    if isinstance(node, LanguageModel):
        return node.name
    if isinstance(node, Component):
        return node.kind
    return _NOTHING if isinstance(node, Mapping | BaseModel) else node


def plain(config: BaseModel) -> dict[str, Any]:
    """Spell a configuration as plain values, without what is not given."""
    return config.model_dump(mode="json", exclude_none=True, by_alias=True)


def identity(value: Any) -> Any:
    """Spell a configuration for a key: its models as mappings, its components as themselves."""
    if isinstance(value, BaseModel) and not isinstance(value, Component):
        return {name: identity(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): identity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [identity(item) for item in value]
    return value


def spelt(model: type[BaseModel]) -> dict[str, str]:
    """Give the fields of a model by the names that users write."""
    return {field.alias or name: name for name, field in model.model_fields.items()}


def _below(node: Any) -> Mapping[str, Any]:
    if isinstance(node, Mapping):
        return node
    if isinstance(node, BaseModel):
        return {name: getattr(node, field) for name, field in spelt(type(node)).items()}
    return {}


def _changed_model(node: _Model, changes: Tree, path: tuple[str, ...]) -> _Model:
    known = spelt(type(node))
    fields = {name: getattr(node, name) for name in node.model_fields_set}
    for name, change in changes.items():
        if name not in known:
            raise _unknown(name, known, path)
        field = known[name]
        fields[field] = _below_field(node, field, change, (*path, name))
    given = {name: fields[field] for name, field in known.items() if field in fields}
    try:
        return type(node).model_validate(given)
    except ValidationError as error:
        found = ConfigError.of(error, path)
        raise ConfigError(found.message, (".".join(map(str, found.field)),)) from error


def _below_field(node: BaseModel, field: str, change: Any, path: tuple[str, ...]) -> Any:
    current = getattr(node, field)
    if isinstance(change, Mapping):
        if isinstance(current, BaseModel) and not isinstance(current, Component):
            return _changed_model(current, change, path)
        if isinstance(current, Mapping) and _holds_models(current):
            return _changed_mapping(current, change, path)
    return changed(type(node), field, current, change, path)


def _holds_models(current: Mapping[str, Any]) -> bool:
    return any(isinstance(item, BaseModel) for item in current.values())


def _changed_mapping(
    current: Mapping[str, Any], changes: Tree, path: tuple[str, ...]
) -> Mapping[str, Any]:
    new = dict(current)
    for name, change in changes.items():
        if name not in current:
            raise _unknown(name, current, path)
        if not isinstance(change, Mapping):
            here = ".".join((*path, name))
            fields = ", ".join(spelt(type(current[name])))
            raise ConfigError(
                f"{here}: a value is given; name one of its fields: {fields}", (here,)
            )
        new[name] = _changed_model(current[name], change, (*path, name))
    return new


def _unknown(name: str, known: Mapping[str, Any], path: tuple[str, ...]) -> ConfigError:
    here = ".".join((*path, name))
    where = ".".join(path) or "the configuration"
    return ConfigError(
        f"{here}: {where} has no {name!r}; it has: {', '.join(known) or 'nothing'}."
        f"{nearest(name, known)}",
        (here,),
    )
