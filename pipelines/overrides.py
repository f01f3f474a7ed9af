"""How dotted parameters change a configuration that is made of components.

Knows components and their fields, not what a pipeline is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from raytuner.component import Component, ConfigError, nearest
from raytuner.objective import Params

Tree = Mapping[str, Any]
"""Dotted names as nested mappings; the leaves are values."""


def tree(params: Params) -> Tree:
    """Nest dotted names: {"a.b": 1, "a.c": 2} becomes {"a": {"b": 1, "c": 2}}.

    A name with others below it stands for its kind: {"a": "x", "a.b": 1} becomes
    {"a": {"kind": "x", "b": 1}}.

    Raises:
        ConfigError: if the same thing is given twice, or a name below a plain value.
    """
    root: dict[str, Any] = {}
    for name, value in sorted(params.items(), key=lambda item: item[0].count(".")):
        node = root
        *path, last = name.split(".")
        for part in path:
            inner = node.setdefault(part, {})
            if not isinstance(inner, dict):
                if inner is not None and not isinstance(inner, str):
                    raise ConfigError(f"{name}: {part!r} is given a value of its own too", (name,))
                node[part] = inner = {"kind": inner}
            node = inner
        if last in node:
            raise ConfigError(f"{name}: given twice, as {'.'.join(path)!r} too", (name,))
        node[last] = value
    return root


def changed(
    model: type[BaseModel], field: str, current: Any, change: Any, path: tuple[str, ...]
) -> Any:
    """Give the new value of a field.

    Args:
        model: what has the field.
        field: its name.
        current: its value now; for a plain value, anything.
        change: a value, or changes below it.
        path: where the field is, for messages.

    Raises:
        ConfigError: changes below a plain value, or that do not fit the component.
    """
    name, role = ".".join(path), _role(model, field)
    if role is None:
        if isinstance(change, Mapping) and isinstance(current, Mapping):
            return {**current, **change}
        if isinstance(change, Mapping):
            raise ConfigError(f"{name}: this is a plain value, nothing can be below it", (name,))
        return change
    if get_origin(model.model_fields[field].annotation) is tuple:
        if isinstance(change, Mapping):
            raise ConfigError(
                f"{name}: this is a list of steps; as a parameter it takes their kinds, what is "
                "below them stands in the pipeline",
                (name,),
            )
        return _steps(current, change)
    if isinstance(change, str) and str in get_args(model.model_fields[field].annotation):
        return change  # a name, e.g. of a language model
    if change is None or isinstance(change, str):
        change = {"kind": change}
    return apply(role, current, change, path) if isinstance(change, Mapping) else change


def apply(
    role: type[Component], node: Component | None, changes: Tree, path: tuple[str, ...]
) -> Component | None:
    """Change a component, its kind first.

    Args:
        role: what may stand here.
        node: what stands here now.
        changes: nested fields.
        path: where "here" is, for messages.

    Raises:
        ConfigError: unknown kind or field, or a value that does not fit.
    """
    here = ".".join(path)
    kind = changes.get("kind", node.kind if node is not None else None)
    others = {name: change for name, change in changes.items() if name != "kind"}
    if kind is None:
        if not others:
            return None
        name = f"{here}.{next(iter(others))}"
        raise ConfigError(
            f"{name}: this configuration has no {path[-1]}; add `when: {{{here}.kind: [...]}}`",
            (name,),
        )
    try:
        sub = role.named(kind)
    except ConfigError as error:
        raise ConfigError(f"{here}.kind: {error.message}", (f"{here}.kind",)) from error
    fields = _kept(node, sub)
    for name, change in others.items():
        if name not in sub.model_fields:
            raise _no_field(role, sub, name, path)
        default = sub.model_fields[name].get_default(call_default_factory=True)
        current = fields.get(name, None if default is PydanticUndefined else default)
        fields[name] = changed(sub, name, current, change, (*path, name))
    try:
        return sub.model_validate(fields)
    except ValidationError as error:
        raise ConfigError.of(error, path) from error


def _kept(node: Component | None, sub: type[Component]) -> dict[str, Any]:
    """Keep the fields somebody chose, as far as the new kind has them."""
    if node is None:
        return {}
    return {name: getattr(node, name) for name in node.model_fields_set if name in sub.model_fields}


def _steps(current: Sequence[Component], wanted: Any) -> Any:
    """Put the steps that are there already in place of their kinds, each once."""
    if not isinstance(wanted, tuple | list):
        return wanted
    left = list(current)
    steps = []
    for kind in wanted:
        known = next((step for step in left if step.kind == kind), None)
        if known is not None:
            left.remove(known)
        steps.append(kind if known is None else known)
    return tuple(steps)


def _role(model: type[BaseModel], field: str) -> type[Component] | None:
    """Find the role that a field's annotation names; None for plain values."""
    annotation = model.model_fields[field].annotation
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Component):
            return candidate
    return None


def _no_field(
    role: type[Component], sub: type[Component], field: str, path: tuple[str, ...]
) -> ConfigError:
    name = ".".join([*path, field])
    owners = [kind for kind in role.kinds() if field in role.named(kind).model_fields]
    known = list(sub.model_fields)
    condition = f"`when: {{{'.'.join(path)}.kind: [{', '.join(owners)}]}}`"
    hint = f" If it is meant for {' or '.join(owners)}, add {condition}" if owners else ""
    return ConfigError(
        f"{name}: {role.role()} {sub.kind!r} has no {field!r}; it has: "
        f"{', '.join(known) or 'no fields'}.{nearest(field, known)}{hint}",
        (name,),
    )


def blamed(error: ConfigError, params: Params) -> ConfigError:
    """Name the parameter that a complaint is about: the study says on which line it stands."""
    path = ".".join(str(part) for part in error.field).split(".")
    for end in range(len(path), 0, -1):
        at = ".".join(path[:end])
        near = [n for n in params if n == at or at.startswith(f"{n}.") or n.startswith(f"{at}.")]
        if near:
            return ConfigError(error.message, (max(near, key=len),))
    return ConfigError(error.message, error.field)


def first_name(stage: str, change: Any) -> str:
    """Give the full name of the first parameter of a stage."""
    while isinstance(change, Mapping):
        part = next(iter(change))
        stage, change = f"{stage}.{part}", change[part]
    return stage
