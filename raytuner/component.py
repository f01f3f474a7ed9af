"""Identity: what a part is called, how it is configured, and one key for equal values.

Everything that can be chosen by name in a study (a chunker, a metric, a search) is a
`Component`. This module knows nothing of what components do.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

_SECRETIVE = re.compile(r"(key|url|secret|token)(_|\b)")
"""Names of fields whose values no message repeats."""


class RaytunerError(Exception):
    """Root of every error that raytuner raises on purpose."""


class ConfigError(RaytunerError, ValueError):
    """Bad input, found before any work: names the field, the value and what would be right.

    Attributes:
        field: path of the field inside the document it came from, if known.
    """

    def __init__(self, message: str, field: Sequence[str | int] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field = tuple(field)

    @classmethod
    def of(cls, error: ValidationError, prefix: Sequence[str | int] = ()) -> ConfigError:
        """Turn the first problem that pydantic found into one sentence."""
        first = error.errors(include_url=False)[0]
        field = (*prefix, *first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "no such field"
        elif _SECRETIVE.search(str(field[-1:])):
            pass  # may hold a key, where its name or an address without one was wanted
        elif isinstance(first["input"], bool | int | float | str) and first["type"] != "missing":
            shown = repr(first["input"])[:80]
            ours = first["type"] == "value_error"  # written by hand, it may hold the value already
            message = message if ours and shown in message else f"{message}, got {shown}"
        name = ".".join(str(part) for part in field)
        return cls(f"{name}: {message}" if name else message, field)


class MissingExtraError(RaytunerError, ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"{package} is not installed; run: pip install 'raytuner[{extra}]'",
            name=package,
        )


def require(module: str, *, extra: str) -> Any:
    """Import an optional module.

    Raises:
        MissingExtraError: with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            raise MissingExtraError(module.split(".", maxsplit=1)[0], extra) from None
        raise


def nearest(word: str, known: Iterable[str]) -> str:
    """Give " Did you mean 'x'?" for the known word closest to `word`, else nothing."""
    matches = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.6)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def refuse_unknown(
    given: Iterable[Any], known: Iterable[str], reason: str, prefix: Sequence[str] = ()
) -> None:
    """Raise ConfigError for an unknown name: its place, `reason`, the known ones, the nearest."""
    names = list(known)
    for name in given:
        if name not in names:
            field = (*prefix, str(name))
            listed = f"{', '.join(names)}.{nearest(str(name), names)}"
            raise ConfigError(f"{'.'.join(field)}: {reason}: {listed}", field)


def digest(*parts: Any) -> str:
    """Give one 128-bit hexadecimal key for equal values, the same on every host and run.

    Components contribute their role, kind, version and fields. Integers, floats and booleans
    differ from each other even where Python calls them equal; tuples equal lists.

    Raises:
        ValueError: for NaN, infinities, sets and anything else without one plain spelling.
    """
    text = json.dumps(_plain(list(parts)), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a key cannot be made of {value!r}: use finite numbers")
        return {"~float": float.__repr__(value + 0.0)}  # + 0.0 turns -0.0 into 0.0
    if isinstance(value, bytes):
        return {"~bytes": value.hex()}
    if isinstance(value, Component):
        return {"~component": [_plain(part) for part in value.identity()]}
    if isinstance(value, Mapping):
        pairs = [[_plain(k), _plain(v)] for k, v in value.items()]
        return {"~map": sorted(pairs, key=lambda pair: json.dumps(pair[0], sort_keys=True))}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():  # a NumPy scalar
        return _plain(item())
    raise ValueError(f"a key cannot be made of {type(value).__name__} {value!r}")


class Component(BaseModel):
    """A part that is its configuration.

    A *role* derives from Component directly (`class Chunker(Component)`); an implementation
    derives from a role and names its kind in its class line
    (`class Sentence(Chunker, kind="sentence")`), which registers it. Where a role is expected,
    a mapping `{kind: sentence, size: 256}` or the bare string `sentence` validates into the
    implementation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    """Bumped when the same configuration and input would give another output."""
    unkeyed: ClassVar[frozenset[str]] = frozenset()
    """Fields that change speed or robustness, never results (batch sizes, timeouts)."""

    _kinds: ClassVar[dict[str, type[Component]]] = {}

    def __init_subclass__(cls, kind: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = kind

    @classmethod
    def __pydantic_init_subclass__(cls, kind: str = "", **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if Component in cls.__bases__:
            cls._kinds = {}
        if not kind:
            return
        known = cls._kinds.get(kind)
        if known and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(f"{cls.role()} kind {kind!r} is already taken by {known!r}")
        cls._kinds[kind] = cls

    @classmethod
    def role(cls) -> str:
        """Name the role this class belongs to, e.g. `Chunker`."""
        return next(base for base in cls.__mro__ if Component in base.__bases__).__name__

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """List the kinds registered under this role, sorted."""
        return tuple(sorted(k for k, sub in cls._kinds.items() if issubclass(sub, cls)))

    @classmethod
    def named(cls, kind: str) -> type[Self]:
        """Find the implementation of this role called `kind`.

        Raises:
            ConfigError: with the known kinds and the nearest spelling.
        """
        found = cls._kinds.get(kind) if isinstance(kind, str) else None
        if found is None or not issubclass(found, cls):
            known = cls.kinds()
            raise ConfigError(
                f"no {cls.role()} of kind {kind!r}; known: {', '.join(known)}."
                f"{nearest(str(kind), known)}"
            )
        return found

    def identity(self) -> tuple[Any, ...]:
        """Give role, kind, version and every field that can change a result."""
        names = [name for name in type(self).model_fields if name not in self.unkeyed]
        return (self.role(), self.kind, self.version, {n: getattr(self, n) for n in names})

    @model_validator(mode="wrap")
    @classmethod
    def _by_kind(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and cls._is_role():
            value = {"kind": value}
        if not isinstance(value, Mapping):
            return handler(value)
        fields = dict(value)
        if cls._is_role():
            if "kind" not in fields:
                raise ConfigError(f"a {cls.role()} needs a `kind`: one of {', '.join(cls.kinds())}")
            return cls.named(fields.pop("kind")).model_validate(fields)
        if fields.pop("kind", cls.kind) != cls.kind:
            raise ConfigError(
                f"expected a {cls.role()} of kind {cls.kind!r}, got {value['kind']!r}"
            )
        for name, given in fields.items():
            if name not in cls.model_fields:
                known = list(cls.model_fields)
                raise ConfigError(
                    f"{cls.role()} {cls.kind!r} has no field {name!r}; it has: "
                    f"{', '.join(known) or 'none'}.{nearest(name, known)}"
                )
            if isinstance(given, bool) and cls.model_fields[name].annotation in {int, float}:
                raise ConfigError(f"{name} is a number, got {str(given).lower()}")
        return handler(fields)

    @classmethod
    def _is_role(cls) -> bool:
        return not cls.kind and (Component in cls.__bases__ or inspect.isabstract(cls))

    @model_serializer(mode="plain")
    def _with_kind(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {"kind": self.kind, **fields} if self.kind else fields

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if cls._is_role():
            if cls.role() in _schema_path:  # a retriever inside a retriever: describe it loosely
                return {"anyOf": [{"enum": list(cls.kinds())}, {"type": "object"}]}
            _schema_path.append(cls.role())
            try:
                schemas = [inlined(cls._kinds[k].model_json_schema()) for k in cls.kinds()]
            finally:
                _schema_path.pop()
            return {"anyOf": [{"enum": list(cls.kinds())}, *schemas]}
        inner = dict(handler(schema))
        inner = dict(handler.resolve_ref_schema(inner))
        inner.pop("title", None)
        if cls.kind:
            properties = {"kind": {"const": cls.kind}, **inner.get("properties", {})}
            required = ["kind", *inner.get("required", [])]
            inner.update(properties=properties, required=required)
        return inner


_schema_path: list[str] = []


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Replace local references by what they point at, so that schemas can be nested."""
    definitions = schema.get("$defs", {})

    def walk(node: Any) -> Any:
        if isinstance(node, Mapping):
            if "$ref" in node:
                return walk(definitions[node["$ref"].rsplit("/", 1)[-1]])
            return {key: walk(item) for key, item in node.items() if key != "$defs"}
        return [walk(item) for item in node] if isinstance(node, list) else node

    return cast("dict[str, Any]", walk(schema))


def import_plugins(modules: Sequence[str]) -> None:
    """Import the modules that register a user's own components.

    Raises:
        ConfigError: if one cannot be imported, with the reason.
    """
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:
            raise ConfigError(f"plugin {module!r} cannot be imported: {error}") from error
