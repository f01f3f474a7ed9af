"""Domains that list their values: choice, boolean, subset."""

from __future__ import annotations

import itertools
import math
import random
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from raytuner.component import ConfigError, nearest
from raytuner.objective import Value
from raytuner.spaces.domains import (
    CLOSE,
    Domain,
    Scalar,
    ValueType,
    identical,
    scalar,
    shorten,
    type_of,
)


def _list(value: Any, what: str) -> tuple[Scalar, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ConfigError(f"{what} takes a list, not {shorten(value)}: put it in [ ]")
    options: list[Scalar] = []
    for entry in value:
        if isinstance(entry, Mapping | list | tuple):
            raise ConfigError(
                f"{what} holds {shorten(entry)}: a value is a scalar; choose a name here and "
                "give what belongs to it as parameters of their own, with `when`"
            )
        option = scalar(entry)
        if any(identical(option, other) for other in options):
            raise ConfigError(f"{what} lists {shorten(option)} twice: remove one")
        options.append(option)
    if not options:
        raise ConfigError(f"{what} is empty: list at least one value")
    return tuple(options)


def _pick(value: Any, options: Iterable[Scalar]) -> Scalar:
    """Find the option that a value stands for: the same, as close, or 0 and 1 for a boolean."""
    wanted = scalar(value)
    for option in options:
        if identical(option, wanted):
            return option
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        for option in options:
            if isinstance(option, int | float) and math.isclose(option, wanted, rel_tol=CLOSE):
                return option
    texts = [option for option in options if isinstance(option, str)]
    hint = nearest(wanted, texts) if isinstance(wanted, str) else ""
    raise ConfigError(
        f"{shorten(wanted)} is not one of {', '.join(map(shorten, options))}.{hint}".removesuffix(
            "."
        )
    )


def _true(value: Any) -> Any:
    if value is not True:
        raise ConfigError(f"bool takes true, not {shorten(value)}: write `bool` alone")
    return value


class Listed(Domain):
    """A domain that takes one of its options."""

    @property
    @abstractmethod
    def options(self) -> tuple[Scalar, ...]:
        """The values, as listed."""

    @property
    def size(self) -> int:
        """Count the options."""
        return len(self.options)

    @property
    def types(self) -> frozenset[ValueType]:
        """Name every type that an option has."""
        return frozenset(map(type_of, self.options))

    def describe(self) -> str:
        """List the options."""
        return f"one of {', '.join(map(shorten, self.options))}"

    def values(self) -> Iterator[Value]:
        """Give the options as listed."""
        return iter(self.options)

    def sample(self, rng: random.Random) -> Value:
        """Draw one option, each as likely."""
        return self.options[rng.randrange(len(self.options))]

    def clean(self, value: Any) -> Value:
        """Give the option that `value` stands for.

        Raises:
            ConfigError: if it stands for none.
        """
        return _pick(value, self.options)


class Choice(Listed):
    """One of a list of scalars; a text may be a whole prompt."""

    spelling = "choice"

    listed: Annotated[tuple[Scalar, ...], BeforeValidator(lambda value: _list(value, "choice"))] = (
        Field(alias="choice", description="The values: text, numbers, true, false, null.")
    )

    @property
    def options(self) -> tuple[Scalar, ...]:
        """The values, as listed."""
        return self.listed


class Bool(Listed):
    """False or true; searches may say 0 and 1."""

    spelling = "bool"

    on: Annotated[Literal[True], BeforeValidator(_true)] = Field(
        alias="bool", description="Always true; `bool` alone will do."
    )

    @property
    def options(self) -> tuple[Scalar, ...]:
        """False, then true."""
        return (False, True)


class Subset(Domain):
    """Some of a list: tools, sub-agents, document areas. A value is a tuple in list order."""

    spelling = "subset"

    listed: Annotated[tuple[Scalar, ...], BeforeValidator(lambda value: _list(value, "subset"))] = (
        Field(alias="subset", description="What can be chosen: text, numbers, true, false, null.")
    )
    least: int = Field(
        default=0, alias="min", strict=True, ge=0, description="How many to choose at least."
    )
    most: int | None = Field(
        default=None,
        alias="max",
        strict=True,
        ge=0,
        description="How many to choose at most; null: all.",
    )

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self._most > len(self.listed):
            raise ConfigError(
                f"subset max {self._most} is above the {len(self.listed)} values listed: lower it"
            )
        if self.least > self._most:
            raise ConfigError(
                f"subset min {self.least} is above max {self._most}: lower min or list more"
            )
        return self

    @property
    def options(self) -> tuple[Scalar, ...]:
        """What can be chosen, as listed."""
        return self.listed

    @property
    def _most(self) -> int:
        return len(self.listed) if self.most is None else self.most

    @property
    def size(self) -> int:
        """Count the subsets."""
        return sum(math.comb(len(self.listed), n) for n in range(self.least, self._most + 1))

    @property
    def types(self) -> frozenset[ValueType]:
        """Subsets only."""
        return frozenset({"subset"})

    def describe(self) -> str:
        """List what can be chosen and how many."""
        listed = ", ".join(map(shorten, self.listed))
        return f"{self.least} to {self._most} of {listed}"

    def values(self) -> Iterator[Value]:
        """Give every subset, small ones first."""
        sizes = range(self.least, self._most + 1)
        return itertools.chain.from_iterable(itertools.combinations(self.listed, n) for n in sizes)

    def sample(self, rng: random.Random) -> Value:
        """Draw one subset, each as likely."""
        ticket = rng.randrange(self.size)
        size = self.least
        while ticket >= (ways := math.comb(len(self.listed), size)):
            ticket -= ways
            size += 1
        chosen = sorted(rng.sample(range(len(self.listed)), size))
        return tuple(self.listed[number] for number in chosen)

    def clean(self, value: Any) -> Value:
        """Put a list, tuple, set or array of options into list order.

        Raises:
            ConfigError: for an option that is not listed or is there twice, or the wrong number.
        """
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise ConfigError(f"{shorten(value)} is no list: give some of {self.describe()}")
        chosen = [_pick(entry, self.listed) for entry in value]
        ordered = tuple(o for o in self.listed if any(identical(o, c) for c in chosen))
        if len(ordered) != len(chosen):
            raise ConfigError(f"{shorten(value)} names a value twice: name each once")
        if not self.least <= len(ordered) <= self._most:
            raise ConfigError(
                f"{shorten(value)} has {len(ordered)} values: choose {self.describe()}"
            )
        return ordered

    def condition(self, wanted: Value) -> Value:
        """Clean a condition: a scalar asks for that member, a list for exactly this subset."""
        if isinstance(wanted, tuple):
            return super().condition(wanted)
        member: Value = _pick(wanted, self.listed)
        return member

    def fulfils(self, value: Value, wanted: Value) -> bool:
        """Tell whether the subset is the wanted one, or has the wanted member."""
        if isinstance(wanted, tuple) or not isinstance(value, tuple):
            return identical(value, wanted)
        return any(identical(member, wanted) for member in value)
