"""An objective that people evaluate: `raytuner ask` says what to try, `raytuner tell` how it went.

```yaml
objective:
  kind: manual
  metrics: [yield, hours]
  minimise: [hours]
  units: questions.jsonl        # or a list, or a number; left out: one result a trial
  standing: {temperature: 180}  # trial 0: the configuration as it stands
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from raytuner.component import ConfigError, digest, nearest
from raytuner.manual.units import Unit, units_of
from raytuner.objective import Meter, Objective, Params, UnitScore, Value
from raytuner.own.function import UNIT
from raytuner.ports.explanation import Explanation
from raytuner.rating.scoring import RATING

ANSWERED = "answered"
"""What is on record for an answer that waits for its rating: 1."""
RESERVED = ("cost", "seconds")
"""Words of `raytuner tell` that say what a result has cost."""
_UNITS = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string"},
        {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
        {"type": "null"},
    ]
}


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: tuple[str, ...] = Field(
        default=("score",),
        min_length=1,
        description="what is entered for every unit; [rating]: answers, which people compare",
    )
    minimise: tuple[str, ...] = Field(default=(), description="metrics of which less is better")
    units: Annotated[Any, WithJsonSchema(_UNITS)] = Field(
        default=None,
        description="what every configuration is tried on: a number, names, or a file; left out: "
        "one result a trial",
    )
    standing: dict[str, Any] | None = Field(
        default=None, description="trial 0: the configuration as it stands"
    )
    version: str = Field(
        default="", description="change it when experiments no longer compare with earlier ones"
    )


class ManualObjective(Objective):
    """What people evaluate.

    Args:
        metrics: what is entered for every unit; `[rating]`: answers are, and ratings score them.
        minimise: those of which less is better.
        units: what every configuration is tried on, in this order; see `units_of`.
        standing: the configuration as it stands; None: there is none.
        version: part of every key; change it when experiments no longer compare.

    Raises:
        ConfigError: a metric that cannot be one.
    """

    by_hand: ClassVar[bool] = True

    def __init__(
        self,
        metrics: Sequence[str] = ("score",),
        minimise: Sequence[str] = (),
        units: Sequence[Unit] = (Unit(UNIT),),
        standing: Mapping[str, Value] | None = None,
        version: str = "",
    ) -> None:
        self.rated = RATING in metrics
        self.version = version
        self._entered = tuple(metrics)
        self._minimise = frozenset(minimise)
        self._units = {unit.name: unit for unit in units}
        self._standing = standing
        self._check()

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> ManualObjective:
        """Make one from a study's `objective:` section; see `Objective.build`."""
        del seed
        for name in args:
            if name not in _Settings.model_fields:
                known = ", ".join(_Settings.model_fields)
                raise ConfigError(
                    f"{name}: no such field; a manual objective has: {known}."
                    f"{nearest(name, list(_Settings.model_fields))}",
                    (name,),
                )
        try:
            given = _Settings.model_validate(args)
        except ValidationError as error:
            raise ConfigError.of(error) from error
        units = units_of(given.units, root)
        return cls(given.metrics, given.minimise, units, given.standing, given.version)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        return _Settings.model_json_schema()

    def _check(self) -> None:
        for metric in self._entered:
            if metric in RESERVED or not metric or "=" in metric:
                raise ConfigError(
                    f"metrics: {metric!r} is no name for a metric: `raytuner tell` reads cost= and "
                    "seconds= as what a result has cost; call it otherwise",
                    ("metrics",),
                )
        if self.rated and len(self._entered) > 1:
            raise ConfigError(
                "metrics: `rating` is computed from comparisons, and goes with no metric that is "
                "entered; give [rating] alone",
                ("metrics",),
            )
        for metric in sorted(self._minimise.difference(self._entered)):
            raise ConfigError(
                f"minimise: {metric!r} is none of the metrics: {', '.join(self._entered)}."
                f"{nearest(metric, self._entered)}",
                ("minimise",),
            )

    def units(self) -> Sequence[str]:
        """Give the names of the units, in the order they were given."""
        return tuple(self._units)

    def groups(self) -> Mapping[str, str]:
        """Name the groups that the file of units names."""
        return {unit.name: unit.group for unit in self._units.values() if unit.group}

    def contents(self) -> Mapping[str, str]:
        """Digest the questions that the file of units has."""
        texts = {u.name: [u.question, u.reference] for u in self._units.values() if u.question}
        return {name: digest(text) for name, text in texts.items()}

    def scope(self) -> str:
        """Identify what is entered, and the version; units are told apart by their names."""
        return digest("manual", self._entered, sorted(self._minimise), self.version)

    def key(self, params: Params) -> str:
        """Identify a configuration."""
        return digest(self.scope(), dict(params))

    def metrics(self) -> tuple[str, ...]:
        """Name what is on record of every unit."""
        return (RATING, ANSWERED) if self.rated else self._entered

    @property
    def entered(self) -> tuple[str, ...]:
        """The metrics that people enter."""
        return () if self.rated else self._entered

    def maximise(self, metric: str) -> bool:
        """Tell whether more of `metric` is better."""
        return metric not in self._minimise

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give `standing`, if there is any."""
        if self._standing is None:
            return None
        for name in self._standing:
            if name not in names:
                raise ConfigError(
                    f"objective.standing: {name!r} is no parameter of the space: "
                    f"{', '.join(names)}.{nearest(name, names)}",
                    ("objective", "standing", name),
                )
        return dict(self._standing)

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Give the questions; what was answered to them is on record, not here."""
        del params
        return [_explained(self._units[unit]) for unit in units if unit in self._units]

    def preflight(self, points: Sequence[Params], *, remote: bool) -> None:
        """Refuse to be run: no machine can.

        Raises:
            ConfigError: always.
        """
        del points, remote
        raise ConfigError(
            "objective.kind: manual: people evaluate this study, not `raytuner run`: `raytuner "
            "ask` says what to try next, `raytuner tell` takes the result in",
            ("objective", "kind"),
        )

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Refuse it; see `preflight`."""
        del units, meter
        self.preflight([params], remote=False)
        yield ()


def _explained(unit: Unit) -> Mapping[str, Any]:
    shown = Explanation(unit=unit.name, missing="what was answered is with whoever answered it")
    if unit.question:
        shown["question"] = unit.question
    if unit.reference:
        shown["reference"] = unit.reference
    return {**shown}
