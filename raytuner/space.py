"""The search space: named domains, conditions and constraints, as one value.

Searches see nothing of a study but this. How studies spell it: `raytuner.spaces.spelling`; how
points are enumerated and drawn: `raytuner.spaces.points`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema

from raytuner.component import ConfigError, nearest
from raytuner.objective import Value
from raytuner.schedule import HISTORY
from raytuner.spaces.plan import Condition, Plan, Point, compile_plan
from raytuner.spaces.points import count, draw, exists, impossible, refuse_dead, walk
from raytuner.spaces.spelling import AnyDomain, read_space


class Space(BaseModel):
    """What can be chosen. Immutable and picklable.

    As data it is one flat mapping, `{chunker.size: {int: [128, 512]}, ...}`, in which the
    name `constraints` is reserved for the list of constraints.

    Attributes:
        domains: by parameter name, in declared order.
        constraints: as written; see `raytuner.spaces.constraints`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    domains: dict[str, AnyDomain] = Field(description="Domains by dotted parameter name.")
    constraints: tuple[str, ...] = Field(
        default=(), description="Comparisons that every point satisfies, e.g. 'a.size < b.size'."
    )
    _plan: Plan = PrivateAttr()

    @classmethod
    def parse(cls, mapping: Mapping[str, Any], constraints: Sequence[str] = ()) -> Space:
        """Read a space and its constraints as a study spells them.

        Raises:
            ConfigError: naming the parameter or constraint, the value and what would be right.
        """
        try:
            fields = read_space(mapping)
            fields["constraints"] += read_space({"constraints": constraints})["constraints"]
            return cls.model_construct(**fields)
        except ConfigError as error:
            raise ConfigError(f"space: {error}", error.field or ("space",)) from None

    @model_validator(mode="before")
    @classmethod
    def _from_mapping(cls, value: Any) -> Any:
        return value if isinstance(value, cls) else read_space(value)

    def model_post_init(self, context: Any, /) -> None:
        """Resolve conditions and constraints."""
        del context
        self._plan = compile_plan(self.domains, self.constraints)

    @model_serializer(mode="plain")
    def _to_mapping(self) -> dict[str, Any]:
        domains = {name: domain.model_dump(mode="json") for name, domain in self.domains.items()}
        return {**domains, "constraints": list(self.constraints)} if self.constraints else domains

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        inner = handler.resolve_ref_schema(handler(schema))
        if "domains" not in inner.get("properties", {}):  # the schema of what is serialized
            return dict(inner)
        properties = inner["properties"]
        return {
            "type": "object",
            "title": "Space",
            "description": "Dotted parameter names and what each may be.",
            "properties": {"constraints": properties["constraints"]},
            "additionalProperties": properties["domains"]["additionalProperties"],
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter, in declared order."""
        return tuple(self.domains)

    @property
    def conditions(self) -> Mapping[str, tuple[Condition, ...]]:
        """Per parameter its conditions, cleaned: parents and the values asked of each."""
        return self._plan.conditions

    @property
    def order(self) -> tuple[str, ...]:
        """Every parameter in declared order, but after those that its conditions name."""
        return self._plan.order

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Every parameter in `order`, those together that depend on each other.

        A point stays one if all parameters of a group are exchanged for those of another point.
        """
        return self._plan.groups

    @property
    def finite(self) -> bool:
        """Whether no parameter is continuous."""
        return all(math.isfinite(domain.size) for domain in self.domains.values())

    def grid(self) -> Iterator[Point]:
        """Give every distinct grid point lazily; the last parameter varies fastest.

        A parameter that is declared before one its `when` names takes its turn after it.

        Raises:
            ConfigError: at the call, if a domain has no grid or no point satisfies the
                constraints.
        """
        grids = self._grids()
        for group in self._plan.groups:
            if exists(self._plan, group, grids.__getitem__) is False:
                raise impossible(self._plan, group)
        return walk(self._plan, self.order, grids.__getitem__)

    def size(self) -> int | None:
        """Count the grid's points; None if there is no grid, or too much to look at."""
        try:
            grids = self._grids()
        except ConfigError:
            return None
        sizes = {name: len(values) for name, values in grids.items()}
        return count(self._plan, grids.__getitem__, sizes)

    def every(self) -> Iterator[Point]:
        """Give every distinct point lazily, also those that `points` keeps out of the grid.

        Raises:
            ConfigError: at the call, if the space is continuous.
        """
        for name, domain in self.domains.items():
            if math.isinf(domain.size):
                raise _named(name, f"{domain.describe()} is continuous and cannot be listed")
        return walk(self._plan, self.order, self._plan.values)

    def total(self) -> int | None:
        """Count all distinct points; None if continuous, or too much to look at."""
        if not self.finite:
            return None
        sizes = {name: int(domain.size) for name, domain in self.domains.items()}
        return count(self._plan, self._plan.values, sizes)

    def sample(self, rng: random.Random) -> Point:
        """Draw a point that satisfies the constraints.

        Parameters are drawn in `order`, those tied by conditions or constraints together.

        Raises:
            ConfigError: if 10,000 draws give none.
        """
        point: Point = {}
        for group in self._plan.groups:
            drawn = draw(self._plan, group, rng)
            if drawn is None:
                raise impossible(self._plan, group)
            point.update(drawn)
        return self._plan.declared(point)

    def active(self, values: Mapping[str, Any]) -> Point:
        """Give the point that `values` stand for: plain, snapped, inactive ones dropped.

        Two spellings of one point give the same dict, in declared order; the history of a copy
        stays with it. Constraints are not looked at: see `violated`.

        Raises:
            ConfigError: for an unknown name, an active parameter without a value, or a value
                that its domain does not have.
        """
        for name in values:
            if name not in self.domains and name != HISTORY:
                raise _named(
                    name,
                    f"no such parameter; the space has {', '.join(self.domains)}."
                    f"{nearest(name, self.domains)}",
                )
        point: Point = {}
        for name in self.order:
            if not self._plan.active(name, point):
                continue
            if name not in values:
                raise _named(name, f"it has no value: give {self.domains[name].describe()}")
            try:
                point[name] = self.domains[name].clean(values[name])
            except ConfigError as error:
                raise _named(name, str(error)) from None
        declared = self._plan.declared(point)
        return {**declared, HISTORY: values[HISTORY]} if HISTORY in values else declared

    def violated(self, point: Mapping[str, Value]) -> str | None:
        """Give the first constraint that an active point breaks, None if it breaks none."""
        return next((one.text for one in self._plan.constraints if not one.holds(point)), None)

    def contains(self, values: Mapping[str, Any]) -> bool:
        """Tell whether `values` are a point of the space as they stand, inactive ones aside.

        Values of other names make it another point: they change what is run.
        """
        if any(name not in self.domains and name != HISTORY for name in values):
            return False
        try:
            point = self.active(values)
        except ConfigError:
            return False
        own = [name for name in point if name != HISTORY]
        inside = all(self.domains[name].contains(values[name]) for name in own)
        return inside and self.violated(point) is None

    def check(self) -> None:
        """Refuse a space in which nothing can be tried.

        Raises:
            ConfigError: if it has no parameter, or no point that satisfies its constraints,
                or a parameter that is never active.
        """
        if not self.domains:
            raise ConfigError("space: it has no parameter: name at least one", ("space",))
        plan, rng = self._plan, random.Random(0)
        for group in plan.groups:
            finite = all(math.isfinite(self.domains[name].size) for name in plan.core(group))
            if draw(plan, group, rng) is None and not (finite and exists(plan, group, plan.values)):
                raise impossible(plan, group)
            refuse_dead(plan, group)

    def _grids(self) -> dict[str, tuple[Value, ...]]:
        grids = {}
        for name, domain in self.domains.items():
            try:
                grids[name] = domain.grid()
            except ConfigError as error:
                raise _named(name, str(error)) from None
        return grids


def _named(name: str, message: str) -> ConfigError:
    return ConfigError(f"space: {name}: {message}", ("space", name))
