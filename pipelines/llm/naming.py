"""Puts models in place of their names, anywhere inside a component."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from pipelines.llm.models import LanguageModel, resolved
from raytuner.component import ConfigError

_Part = TypeVar("_Part", bound=BaseModel)


def with_models(part: _Part, models: Mapping[str, LanguageModel]) -> _Part:
    """Give a copy of a component or configuration that holds models where it held names.

    Args:
        part: anything made of pydantic models; what names no model is given back as it is.
        models: the study's models by name; empty: names are those of the default endpoint.

    Raises:
        ConfigError: a name that is not known, with the field it stands in.
    """
    changes: dict[str, Any] = {}
    for name in type(part).model_fields:
        value = getattr(part, name)
        try:
            new = _resolved(part, name, value, models)
        except ConfigError as error:
            nested = error.field != ("models",)
            rest = error.field if nested else ()
            message = f"{name}{'.' if nested else ': '}{error.message}"
            raise ConfigError(message, (name, *rest)) from None
        if new is not value:
            changes[name] = new
    return part.model_copy(update=changes) if changes else part


def models_in(part: BaseModel) -> Iterator[LanguageModel]:
    """List the models that are really asked, anywhere inside a resolved component."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        for item in _held(value):
            if isinstance(item, LanguageModel):
                yield from item.members()
            elif isinstance(item, BaseModel):
                yield from models_in(item)


def _held(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple | list) else (value,)


def _resolved(part: BaseModel, name: str, value: Any, models: Mapping[str, LanguageModel]) -> Any:
    if _refers(type(part), name):
        return value if value is None else resolved(value, models)
    if isinstance(value, BaseModel):
        return with_models(value, models)
    if isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
        new = tuple(with_models(i, models) if isinstance(i, BaseModel) else i for i in value)
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    if isinstance(value, Mapping) and any(isinstance(item, BaseModel) for item in value.values()):
        return {key: _inner(key, item, models) for key, item in value.items()}
    return value


def _inner(key: str, item: Any, models: Mapping[str, LanguageModel]) -> Any:
    if not isinstance(item, BaseModel):
        return item
    try:
        return with_models(item, models)
    except ConfigError as error:
        raise ConfigError(f"{key}.{error.message}", (key, *error.field)) from None


def _refers(model: type[BaseModel], name: str) -> bool:
    """Tell whether a field takes a model or its name."""
    choices = get_args(model.model_fields[name].annotation)
    return str in choices and LanguageModel in choices
