"""The contract of every domain (what one parameter may be), and what a plain value is.

A domain knows its own grid, its sampling and how to clean a value. It does not know the name
of its parameter: `raytuner.space` adds that to the messages. The domains themselves are in
`raytuner.spaces.intervals` (numbers) and `raytuner.spaces.options` (lists).
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from raytuner.component import ConfigError, nearest
from raytuner.objective import Value

Scalar = bool | int | float | str | None
ValueType = Literal["number", "text", "boolean", "null", "subset"]

GRID_LIMIT = 100_000
"""How many values of one parameter a grid may take."""
CLOSE = 1e-9
"""Relative difference below which two numbers are one: what binary fractions do to decimals."""


def shorten(value: Any) -> str:
    """Spell a value for a message, as YAML does; prompts can be pages long."""
    text = {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def scalar(value: Any) -> Scalar:
    """Turn a NumPy scalar, or an instance of a builtin's subclass, into the plain scalar.

    Raises:
        ConfigError: for anything but text, finite 64-bit numbers, booleans and null.
    """
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        value = item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < 2**63:
        return int(value) if isinstance(value, int) else float(value) + 0.0  # -0.0 becomes 0.0
    if isinstance(value, int | float):
        raise ConfigError(f"{shorten(value)} is no finite 64-bit number")
    raise ConfigError(
        f"{shorten(value)} is a {type(value).__name__}, not text, a number, true, false or null"
    )


def identical(left: Value, right: Value) -> bool:
    """Tell whether two values are the same one; true is not 1 here."""
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(identical, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def type_of(value: Value) -> ValueType:
    """Name the type of a value as constraints see it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    return "subset" if isinstance(value, tuple) else "number"


def _conditions(value: Any) -> dict[str, tuple[Value, ...]]:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"`when` is a mapping, not {shorten(value)}: write {{other.parameter: value}}"
        )
    found: dict[str, tuple[Value, ...]] = {}
    for name, wanted in value.items():
        entries = wanted if isinstance(wanted, list | tuple) else [wanted]
        if not entries:
            raise ConfigError(f"`when` lists no value for {name}: name at least one")
        found[str(name)] = tuple(
            tuple(map(scalar, e)) if isinstance(e, list | tuple) else scalar(e) for e in entries
        )
    return found


_Condition = Scalar | list[Scalar | list[Scalar]]
When = Annotated[
    dict[str, tuple[Any, ...]],
    BeforeValidator(_conditions, json_schema_input_type=dict[str, _Condition]),
]


class Domain(BaseModel):
    """The values of one parameter. Immutable; finite or continuous.

    Attributes:
        when: values of other parameters, all of which must hold for this one to be active.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )
    spelling: ClassVar[str] = ""
    """The key that a study names this domain by."""

    when: When = Field(
        default_factory=dict,
        description="Active only if these other parameters have this value, or one of these.",
    )

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            fields = [field.alias or name for name, field in cls.model_fields.items()]
            known = sorted(fields, key=lambda name: name != cls.spelling)
            for name in value:
                if name not in known:
                    raise ConfigError(
                        f"{cls.spelling} has no field {name!r}; it has: "
                        f"{', '.join(known)}.{nearest(name, known)}"
                    )
        return value

    @property
    @abstractmethod
    def size(self) -> int | float:
        """Count the values; `math.inf` if continuous."""

    @property
    @abstractmethod
    def types(self) -> frozenset[ValueType]:
        """Name every type that a value can have."""

    @abstractmethod
    def describe(self) -> str:
        """Say for a message what the values are."""

    @abstractmethod
    def values(self) -> Iterator[Value]:
        """Give every value, in order. Only for finite domains."""

    @abstractmethod
    def sample(self, rng: random.Random) -> Value:
        """Draw one value, uniformly or log-uniformly."""

    @abstractmethod
    def clean(self, value: Any) -> Value:
        """Give the plain value of this domain that `value` stands for.

        Raises:
            ConfigError: if it stands for none.
        """

    def grid(self) -> tuple[Value, ...]:
        """Give the values that a grid takes, in order.

        Raises:
            ConfigError: if the domain is continuous or too large for a grid.
        """
        if self.size > GRID_LIMIT:
            raise ConfigError(
                f"a grid takes at most {GRID_LIMIT} values of one parameter, this has "
                f"{self.size}: list less, or use a random search"
            )
        return tuple(self.values())

    def contains(self, value: Any) -> bool:
        """Tell whether `value` is in the domain, in whatever spelling."""
        try:
            self.clean(value)
        except ConfigError:
            return False
        return True

    def condition(self, wanted: Value) -> Value:
        """Clean a value that another parameter's `when` asks for.

        Raises:
            ConfigError: if this domain can never fulfil it.
        """
        if not self.contains(wanted):
            raise ConfigError(f"{shorten(wanted)} is no value of {self.describe()}")
        return self.clean(wanted)

    def fulfils(self, value: Value, wanted: Value) -> bool:
        """Tell whether a clean value is what a cleaned condition asks for."""
        return identical(value, wanted)
