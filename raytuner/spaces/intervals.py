"""Domains of numbers: whole and real, even or logarithmic, in steps or continuous.

Steps are counted in exact fractions of the decimals as written, so that 5.26 + 0.01 is 5.27
and never 5.2700000000000005.
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from raytuner.component import ConfigError
from raytuner.objective import Value
from raytuner.spaces.domains import (
    CLOSE,
    GRID_LIMIT,
    Domain,
    ValueType,
    scalar,
    shorten,
)


def exact(value: float) -> int | Fraction:
    """Give the decimal that a number is written as, exactly."""
    return int(value) if value == int(value) else Fraction(repr(value))


def _between(low: float, high: float, share: float) -> float:
    return low * (1.0 - share) + high * share


def _number(value: Any, what: str) -> int | float:
    plain = scalar(value)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise ConfigError(f"{what} takes a number, not {shorten(value)}")
    return plain


def _whole(value: Any, what: str) -> int:
    plain = _number(value, what)
    if plain != int(plain):
        raise ConfigError(f"{what} takes a whole number, not {shorten(value)}: use `float`")
    return int(plain)


def _ends(value: Any, what: str) -> tuple[Any, Any]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ConfigError(f"{what} takes [low, high], not {shorten(value)}")
    return value[0], value[1]


def _whole_ends(value: Any) -> tuple[int, int]:
    low, high = _ends(value, "int")
    return _whole(low, "int low"), _whole(high, "int high")


def _real_ends(value: Any) -> tuple[float, float]:
    low, high = _ends(value, "float")
    return float(_number(low, "float low")), float(_number(high, "float high"))


class Interval(Domain):
    """Numbers from low to high, both included where the steps reach them."""

    log: bool = Field(
        default=False, strict=True, description="Spread evenly over orders of magnitude."
    )
    points: int | None = Field(
        default=None, strict=True, ge=2, description="How many values a grid takes, both ends in."
    )

    @property
    @abstractmethod
    def low(self) -> int | float:
        """Smallest value."""

    @property
    @abstractmethod
    def high(self) -> int | float:
        """Upper bound; a value if the steps reach it."""

    @property
    @abstractmethod
    def stride(self) -> int | Fraction | None:
        """Distance between neighbours, None if continuous."""

    @abstractmethod
    def _plain(self, value: Fraction | float) -> int | float:
        """Turn a value on the domain's steps into its Python number."""

    def _check(self, step: float | None) -> None:
        if self.low > self.high:
            raise ConfigError(
                f"{self.spelling} low {self.low} is above high {self.high}: swap them"
            )
        if self.log and self.low <= 0:
            raise ConfigError(
                f"{self.spelling} low {self.low} has no logarithm: raise it above 0, or drop `log`"
            )
        if step is not None and self.low < self.high and exact(step) > self._width:
            raise ConfigError(
                f"{self.spelling} step {step} is wider than {self.low} to {self.high}: lower it"
            )
        if step is not None and self.points is not None:
            raise ConfigError(
                f"{self.spelling} has both step {step} and points {self.points}: keep one"
            )

    @property
    def _width(self) -> int | Fraction:
        return exact(self.high) - exact(self.low)

    @property
    def size(self) -> int | float:
        """Count the values; `math.inf` if continuous."""
        if self.stride is None:
            return 1 if self.low == self.high else math.inf
        return int(self._width // self.stride) + 1

    @property
    def types(self) -> frozenset[ValueType]:
        """Numbers only."""
        return frozenset({"number"})

    def describe(self) -> str:
        """Give bounds and steps."""
        steps = "" if self.stride in (None, 1) else f" in steps of {self._plain(self.stride or 1)}"
        return f"{self.spelling} {self.low} to {self.high}{steps}"

    def _at(self, index: int) -> int | float:
        return self._plain(exact(self.low) + index * (self.stride or 0))

    def values(self) -> Iterator[Value]:
        """Give every value, low first. Only with steps."""
        return map(self._at, range(int(self.size)))

    def grid(self) -> tuple[Value, ...]:
        """Give `points` values from low to high, else every value.

        Raises:
            ConfigError: if there are too many and neither `step` nor `points` says which.
        """
        if self.points is not None:
            return tuple(dict.fromkeys(self._spread(self.points)))
        if self.size > GRID_LIMIT:
            many = "continuous" if math.isinf(self.size) else f"{self.size} values"
            raise ConfigError(
                f"a grid over {self.describe()} ({many}) needs a `step` or `points: n`; "
                "a random search does not"
            )
        return tuple(self.values())

    def _spread(self, points: int) -> Iterator[int | float]:
        yield self.low
        for number in range(1, points - 1):
            share = Fraction(number, points - 1)
            if not self.log:
                yield self._plain(exact(self.low) + share * self._width)
            else:
                value = math.exp(_between(math.log(self.low), math.log(self.high), float(share)))
                yield min(max(self._plain(float(f"{value:.12g}")), self.low), self.high)
        yield self.high

    def sample(self, rng: random.Random) -> Value:
        """Draw one value, evenly or (`log`) evenly over orders of magnitude.

        With steps and `log` the value v is drawn with the weight of [v, v + step), so that
        low and high are not rarer than their neighbours.
        """
        share = rng.random()
        if self.stride is None:
            if not self.log:
                return self._clamp(_between(self.low, self.high, share))
            return self._clamp(math.exp(_between(math.log(self.low), math.log(self.high), share)))
        if not self.log:
            return self._at(rng.randrange(int(self.size)))
        end = float(exact(self.low) + int(self.size) * self.stride)
        value = math.exp(_between(math.log(self.low), math.log(end), share))
        index = int((exact(value) - exact(self.low)) // self.stride)
        return self._at(min(max(index, 0), int(self.size) - 1))

    def _clamp(self, value: float) -> int | float:
        return self._plain(min(max(value, self.low), self.high))

    def clean(self, value: Any) -> Value:
        """Give the nearest value of the domain as int or float.

        Raises:
            ConfigError: for what is no number, or beyond the bounds by more than rounding.
        """
        number = _number(value, self.describe())
        slack = self._slack(number)
        if not self.low - slack <= number <= self.high + slack:
            raise ConfigError(f"{shorten(number)} is outside of {self.describe()}")
        if self.stride is None:
            return self._clamp(number)
        distance = 2 * (exact(number) - exact(self.low)) + self.stride
        index = int(distance // (2 * self.stride))
        return self._at(min(max(index, 0), int(self.size) - 1))

    def contains(self, value: Any) -> bool:
        """Tell whether `value` is a value of the domain, up to rounding."""
        try:
            cleaned, number = self.clean(value), _number(value, self.spelling)
        except ConfigError:
            return False
        return isinstance(cleaned, int | float) and abs(cleaned - number) <= self._slack(number)

    def _slack(self, number: float) -> float:
        """Say how far binary rounding may carry this number; a whole number not at all."""
        if isinstance(number, int):
            return 0.0
        scale = abs(number) if self.log else max(abs(self.low), abs(self.high)) or 1.0
        return min(CLOSE * scale, float(self.stride or math.inf) / 1000)


class Int(Interval):
    """Whole numbers from low to high."""

    spelling = "int"

    bounds: Annotated[tuple[int, int], BeforeValidator(_whole_ends)] = Field(
        alias="int", description="[low, high], both included."
    )
    step: int | None = Field(
        default=None, strict=True, ge=1, description="Only low, low + step, low + 2 step, ..."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check(self.step)
        return self

    @property
    def low(self) -> int:
        """Smallest value."""
        return self.bounds[0]

    @property
    def high(self) -> int:
        """Upper bound; a value if the steps reach it."""
        return self.bounds[1]

    @property
    def stride(self) -> int:
        """Distance between neighbours."""
        return self.step or 1

    def _plain(self, value: Fraction | float) -> int:
        return value if isinstance(value, int) else math.floor(value + Fraction(1, 2))


class Float(Interval):
    """Real numbers from low to high, continuous unless there is a step."""

    spelling = "float"

    bounds: Annotated[tuple[float, float], BeforeValidator(_real_ends)] = Field(
        alias="float", description="[low, high], both included."
    )
    step: float | None = Field(
        default=None, strict=True, gt=0, description="Only low, low + step, low + 2 step, ..."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check(self.step)
        return self

    @property
    def low(self) -> float:
        """Smallest value."""
        return self.bounds[0]

    @property
    def high(self) -> float:
        """Upper bound; a value if the steps reach it."""
        return self.bounds[1]

    @property
    def stride(self) -> int | Fraction | None:
        """Distance between neighbours, None if continuous."""
        return None if self.step is None else exact(self.step)

    def _plain(self, value: Fraction | float) -> float:
        return float(value) + 0.0
