"""What can be said of a function or a program that is an objective of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from raytuner.component import ConfigError, refuse_unknown
from raytuner.own.configuration import flat
from raytuner.own.items import Fields
from raytuner.own.reading import measured


class Declared(BaseModel):
    """What functions and programs have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    items: Any = Field(default=None, description="JSON lines, one item each; none: one result")
    id: str = Field(default="id", min_length=1, description="field that names an item")
    group: str | None = Field(
        default=None, description="field that says what an item comes from (a document, a user)"
    )
    stratum: str | None = Field(default=None, description="field that says of which kind it is")
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="the configuration as it stands, nested or by dotted names: trial 0, and the "
        "values of what is not tuned",
    )
    metrics: tuple[str, ...] = Field(
        default=(), description="metrics that every result has to have; the first is the goal"
    )
    minimise: tuple[str, ...] = Field(default=(), description="metrics of which less is better")
    version: str = Field(default="", description="change it to make recorded scores void")

    @field_validator("metrics", "minimise", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) and n for n in names):
            raise ConfigError(f"give a list of names, got {value!r:.80}")
        return tuple(names)

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("config")
    @classmethod
    def _config(cls, value: dict[str, Any]) -> dict[str, Any]:
        return flat(value)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Validate settings.

        Raises:
            ConfigError: naming the first wrong field, its value and what would be right.
        """
        reason = "no such setting of an objective of your own; parameters go into `config`; it has"
        refuse_unknown(given, cls.model_fields, reason)
        try:
            found = cls.model_validate(dict(given))
        except ValidationError as error:
            raise ConfigError.of(error) from error
        found.check()
        return found

    def check(self) -> None:
        """Refuse settings that do not go together."""
        for name in ("group", "stratum"):
            if getattr(self, name) is not None and self.items is None:
                raise ConfigError(f"{name}: it names a field of items, and there are none", (name,))
        if known := measured(self.metrics):
            refuse_unknown(self.minimise, known, "not among the metrics", ("minimise",))

    @property
    def fields(self) -> Fields:
        """The fields of items that have a meaning."""
        return Fields(self.id, self.group, self.stratum)


class OwnSettings(Declared):
    """What can be said of a function."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    timeout: float | None = Field(default=None, gt=0, description="seconds that a call may take")
    concurrency: int | None = Field(
        default=None, ge=1, le=1024,
        description="calls at the same time within a trial; null: 8 of an async function, else 1",
    )  # fmt: skip
    steps: int | None = Field(
        default=None, ge=1, le=1_000_000, description="how often a generator yields"
    )
