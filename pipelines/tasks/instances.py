"""What objectives over golden items share: the items, kept answers, models, and their services."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipelines.cache import Cache
from pipelines.cache.responses import ResponseCache
from pipelines.completion_data import Instances
from pipelines.llm.client import Client, client_of
from pipelines.llm.models import LanguageModel, check_named, unpriced
from pipelines.llm.naming import models_in
from pipelines.llm.outputs import models_schema, named_models
from pipelines.llm.probing import probe_all
from pipelines.rewriting import ModelRewriter, rewriter_of
from pipelines.workspace import open_cache
from raytuner.component import ConfigError, digest, nearest, refuse_unknown
from raytuner.objective import (
    COSTS,
    Arrays,
    Cost,
    Exchange,
    Objective,
    Params,
)
from raytuner.ports.gate import Answers


class InstanceSpec(BaseModel):
    """The fields that the `objective:` sections over golden items have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    wanted: ClassVar[Mapping[str, str]] = {"instances": "a file or a list"}
    """Fields that must be there, and what each of them is."""

    instances: str | tuple[dict[str, Any], ...] = Field(
        description="what is asked about: a file of JSON lines, or a list of mappings"
    )
    id_field: str = Field(
        default="id", description="the field that names an instance; without it, its number does"
    )
    models: dict[str, LanguageModel] = Field(
        default_factory=dict,
        description="language models by the names that the space uses",
        json_schema_extra=models_schema,
    )
    minimise: tuple[str, ...] = Field(default=(), description="metrics of which less is better")
    metrics: tuple[str, ...] = Field(
        default=(),
        description="metrics that every instance is scored by: one without them is a failure, "
        "so that no configuration gains by leaving them out",
    )
    version: str = Field(
        default="", description="change it to make scores void: code has changed that is called"
    )
    cache: str | None = Field(
        default=None,
        description="folder of the cache; default: RAYTUNER_CACHE or ~/.cache/raytuner",
    )

    @field_validator("instances", mode="before")
    @classmethod
    def _file_or_rows(cls, value: Any) -> Any:
        rows = isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value)
        if not rows and not isinstance(value, str):
            raise ConfigError(f"give a file of JSON lines or a list of mappings, got {value!r:.80}")
        return value

    @field_validator("models", mode="before")
    @classmethod
    def _openai_unless_said(cls, value: Any) -> Any:
        return named_models(value)

    def lacking(self, scored: Mapping[str, float]) -> str | None:
        """Say which metric an instance should have and has not, or None."""
        for wanted, why in ((self.minimise, "to be minimised"), (self.metrics, "wanted of all")):
            for name in wanted:
                if name not in scored:
                    gave = ", ".join(scored) or "nothing"
                    return (
                        f"gave no {name}, which is {why}; it gave: {gave}.{nearest(name, scored)}"
                    )
        return None

    @classmethod
    def read(cls, args: Mapping[str, Any], what: str) -> Self:
        """Validate a section.

        Args:
            args: the section without its `kind`.
            what: such an objective is called, with its article.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        refuse_unknown(args, cls.model_fields, f"{what} objective has no such field; it has")
        for name, wanted in cls.wanted.items():
            if args.get(name) is None:
                raise ConfigError(f"{name}: it is missing; give {wanted}", (name,))
        try:
            spec = cls.model_validate(args)
        except ValidationError as error:
            raise ConfigError.of(error) from error
        check_named(spec.models)
        return spec


_Spec = TypeVar("_Spec", bound=InstanceSpec)
_Config = TypeVar("_Config", bound=BaseModel)


class InstanceObjective(Objective, Generic[_Spec, _Config]):
    """Evaluates configurations on instances, each a unit of its own.

    Args:
        spec: its section.
        root: folder that relative paths start from.
        seed: seed of the order of instances.
    """

    by_name: ClassVar[bool] = False
    """Whether user code gets the fields of an instance by name."""

    def __init__(self, spec: _Spec, root: Path, seed: int = 0) -> None:
        self.spec = spec
        self.root = root
        self.seed = seed
        self._given: Instances | None = None

    @cached_property
    def instances(self) -> Instances:
        """What is asked about, read once per process, or given by another one."""
        if self._given is not None:
            return self._given
        spec = self.spec
        return Instances.read(spec.instances, self.root, spec.id_field, by_name=self.by_name)

    @cached_property
    def kept(self) -> Cache:
        """What is there already: answers, vectors."""
        return open_cache(self.spec.cache, self.root)

    @property
    def responses(self) -> ResponseCache:
        """Answers that are there."""
        return self.kept.responses

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        for name in ("kept", "instances"):
            state.pop(name, None)
        return {**state, "_given": None}

    def share(self, exchange: Exchange) -> None:
        """Pass the instances on; the process that asks first reads the file."""
        if not isinstance(self.spec.instances, str):
            return  # they travel with the objective
        loaded = False

        def load() -> Arrays:
            nonlocal loaded
            loaded = True
            return self.instances.packed()

        source = [self.spec.instances, str(self.root), self.spec.id_field]
        arrays = exchange.obtain(digest("instances", *source), load)
        if not loaded:
            self._given = Instances.unpacked(arrays, self.spec.id_field, by_name=self.by_name)

    # ---- what the tuner asks before it runs anything

    def units(self) -> Sequence[str]:
        """List the instances in the order of evaluation."""
        return self.instances.ordered(self.seed)

    @abstractmethod
    def configured(self, params: Params) -> _Config:
        """Give the configuration of a trial, with models in place of their names.

        Raises:
            ConfigError: no trial can run with it.
        """

    def metrics(self) -> tuple[str, ...] | None:
        """Leave it to the first result: only user code can tell."""
        return None

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return metric not in {*COSTS, *self.spec.minimise}

    def plan(self, points: Sequence[Params]) -> Mapping[str, float]:
        """Count instances."""
        del points
        return {"instances": len(self.instances.ids)}

    def warnings(self) -> Sequence[str]:
        """Say what looks wrong with the data."""
        number = len(self.instances.ids)
        if number >= 50:
            return ()
        few = f"only {number} instances: expect to tell apart only very different configurations"
        return (f"{few} (100 or more are worth having)",)

    # ---- money and services

    def paid(self) -> bool:
        """Every trial asks models."""
        return True

    def answers(self) -> Answers:
        """Give the cache of this host."""
        return self.client().shelf

    def client(self) -> Client:
        """Give the client of this host's cache."""
        return client_of(self.responses)

    def asked(self, config: _Config) -> Iterable[LanguageModel]:
        """List the models that a configuration may ask."""
        return models_in(config)

    def rewriter(self, model: Any) -> ModelRewriter:
        """Give who writes new prompts."""
        return rewriter_of(model, self.spec.models, self.client())

    def unpriced(self, params: Params) -> Sequence[str]:
        """Name the models that a trial asks and whose price nobody knows."""
        return [model.name for model in unpriced(tuple(self.asked(self.configured(params))))]

    def preflight(self, points: Sequence[Params], *, remote: bool) -> None:
        """Ask every endpoint whether it takes key and model."""
        configs = map(self.configured, points)
        models = dict.fromkeys(model for config in configs for model in self.asked(config))
        probe_all(list(models), remote=remote)

    def estimate(self, params: Params, units: Sequence[str]) -> Cost:
        """Bound the cost of answering from above."""
        return self.estimate_range(params, units)[1]
