"""The document that says what to tune, over which space, how, and when to stop."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from raytuner.backends import BackendName, Setting
from raytuner.budget import Budget
from raytuner.component import ConfigError, digest, import_plugins, refuse_unknown
from raytuner.document import located, read_yaml
from raytuner.given import Beginning
from raytuner.goal import Aims
from raytuner.judging.trust import Trust
from raytuner.named import callable_of, objective_of
from raytuner.objective import Objective
from raytuner.resources import Resources
from raytuner.schedulers import Full, Race, Scheduler
from raytuner.search import Grid, Search
from raytuner.space import Space
from raytuner.worker import Patience


class Retry(BaseModel):
    """How to treat failures that may go away (rate limits, timeouts, lost workers)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: int = Field(default=2, ge=0, le=100, description="retries after the first attempt")
    wait: float = Field(default=1.0, ge=0, description="seconds before the first, then doubled")

    def patience(self) -> Patience:
        """Give it in the worker's terms."""
        return Patience(self.times, self.wait)


_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_SECTIONS: Mapping[str, type[BaseModel]] = {
    "budget": Budget, "retry": Retry, "resources": Resources, "verdict": Trust,
}  # fmt: skip
_SHAPES: Mapping[str, tuple[Any, str]] = {
    "space": (Mapping, "a mapping of parameter names to domains"),
    "constraints": (list | tuple, "a list of comparisons"),
    "limits": (list | tuple, "a list such as ['usd_per_question <= 0.002']"),
    "plugins": (list | tuple, "a list of modules"),
}


class Study(Aims, Beginning):
    """What to tune. From YAML through `load_study`, or written in Python.

    In Python, `objective` may also be an `Objective` or any callable that takes a dict of
    parameters and returns a number, a dict of numbers, or an object with `score`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    version: Literal[1] = Field(default=1, description="version of this format")
    name: str = Field(
        default="study",
        pattern=_NAME,
        description="names the run folder: letters, digits, `.`, `_`, `-`",
    )
    objective: Any = Field(
        description="`kind` (rag, or module:name of your own) and what that kind needs"
    )
    space: dict[str, Any] = Field(description="dotted parameter names and their domains")
    constraints: tuple[str, ...] = Field(
        default=(), description="comparisons that every point must satisfy"
    )
    search: Search = Field(default_factory=Grid, description="how points are chosen")
    scheduler: Scheduler | None = Field(
        default=None,
        description="which trials are stopped after a part of the questions; null: race, or none "
        "where the search learns from results or a front is searched for",
    )
    budget: Budget = Field(default_factory=Budget, description="when to stop")
    verdict: Trust = Field(default_factory=Trust, description="how sure to be, and on what")
    backend: BackendName = Field(default="inprocess", description="where trials run")
    workers: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="trials at the same time; null: one, with `backend: ray` as many as fit",
    )
    timeout: float | None = Field(
        default=None, gt=0, description="seconds that one attempt at a trial may take"
    )
    address: str | None = Field(
        default=None,
        description="Ray cluster: local (started for this run), auto, host:port or "
        "ray://host:port; null: the cluster this runs in, or else local",
    )
    resources: Resources = Field(
        default_factory=Resources, description="what one trial occupies on Ray"
    )
    storage: str | None = Field(
        default=None,
        description="URL (s3://, gs://, file://) where artifacts and a copy of the journal "
        "outlive the cluster",
    )
    seed: int = Field(default=0, ge=0, description="seed of every random choice")
    baseline: bool = Field(
        default=True, description="evaluate the configuration as it stands as trial 0"
    )
    retry: Retry = Field(default_factory=Retry)
    plugins: tuple[str, ...] = Field(
        default=(), description="modules that register your own components"
    )
    run_dir: str = Field(default="runs", description="folder of run folders")

    @field_validator("name", mode="before")
    @classmethod
    def _name(cls, value: Any) -> Any:
        if isinstance(value, str) and not re.fullmatch(_NAME, value):
            raise ConfigError(
                f"{value!r} cannot name a folder: begin with a letter or digit and go on with "
                "letters, digits, `.`, `_` or `-`, at most 100"
            )
        return value

    @field_validator("search", mode="before")
    @classmethod
    def _search(cls, value: Any) -> Any:
        return Search.model_validate(_kind_of(value))

    @field_validator("scheduler", mode="before")
    @classmethod
    def _scheduler(cls, value: Any) -> Any:
        return None if value is None else Scheduler.model_validate(_kind_of(value))

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Validate a mapping.

        Raises:
            ConfigError: naming the first wrong field, its value and what would be right.
        """
        _check_fields(data, cls)
        for name in ("objective", "space"):
            if name not in data:
                raise ConfigError(
                    f"{name}: it is missing; a study needs `objective` and `space`", (name,)
                )
        for name, (kind, wanted) in _SHAPES.items():
            if name in data and not isinstance(data[name], kind):
                raise ConfigError(f"{name}: give {wanted}, got {str(data[name])[:80]!r}", (name,))
        for name, model in _SECTIONS.items():
            if isinstance(data.get(name), Mapping):
                _check_fields(data[name], model, (name,))
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError.of(error) from error

    def folder(self, root: Path) -> Path:
        """Give the run folder of this study.

        Raises:
            ConfigError: a relative `run_dir` leads out of `root`.
        """
        try:
            runs = Path(self.run_dir).expanduser()
            (root / runs).resolve()
        except (ValueError, RuntimeError) as error:
            reason = f"run_dir: {self.run_dir!r:.80} names no folder: {error}"
            raise ConfigError(reason, ("run_dir",)) from None
        if not runs.is_absolute() and not (root / runs).resolve().is_relative_to(root.resolve()):
            raise ConfigError(
                f"run_dir: {self.run_dir!r} leads out of the folder of the study; "
                "give an absolute path if that is meant",
                ("run_dir",),
            )
        return root / runs / self.name

    def setting(self, folder: Path | None) -> Setting:
        """Say where and how its trials run.

        Args:
            folder: the run folder, or None.
        """
        return Setting(
            backend=self.backend,
            workers=self.workers,
            plugins=self.plugins,
            timeout=self.timeout,
            address=self.address,
            resources=self.resources,
            storage=self.storage,
            folder=folder,
        )

    def stopping(self, units: int, total: int | None, objective: Objective) -> Scheduler:
        """Give the scheduler: the one that is named, or else the one that fits the search.

        Args:
            units: how many questions a complete trial answers.
            total: how many points the search proposes, or None if nobody knows.
            objective: what is tuned.
        """
        front = isinstance(self.metric, tuple)  # which is not the first
        whole = self.search.learns or front or objective.curve
        scheduler = self.scheduler or (Full() if whole else Race())
        scheduler = scheduler.suited(total, forks=objective.forks)
        return Full() if self.scheduler is None and len(scheduler.rungs(units)) == 1 else scheduler

    def parsed_space(self) -> Space:
        """Validate the space.

        Raises:
            ConfigError: naming parameter and value.
        """
        return Space.parse(self.space, self.constraints)

    def build_objective(self, root: Path) -> Objective:
        """Make the objective.

        Raises:
            ConfigError: unknown kind, or whatever the kind finds wrong.
        """
        if isinstance(self.objective, Objective):
            return self.objective
        if callable(self.objective):
            return callable_of(self.objective, {}, root, self.seed)
        if isinstance(self.objective, str):
            return objective_of(self.objective, {}, root, self.seed)
        if not isinstance(self.objective, Mapping) or "kind" not in self.objective:
            raise ConfigError(
                "objective: give a `kind` (for example `kind: rag`) and its settings",
                ("objective",),
            )
        args = {name: value for name, value in self.objective.items() if name != "kind"}
        return objective_of(str(self.objective["kind"]), args, root, self.seed)

    def identity(
        self, objective: Objective, held_out: int = 0, scheduler: Scheduler | None = None
    ) -> str:
        """Digest what decides which trials are the study's own, also what is not tuned.

        Args:
            objective: what is tuned.
            held_out: how many questions the search does not see.
            scheduler: the one in force; None: the one that is named.
        """
        space = [[name, _plain(domain)] for name, domain in self.space.items()]
        standing = objective.defaults(list(self.space))
        try:
            fixed = objective.key(standing) if standing is not None else None
        except ConfigError as error:  # trial 0 will fail with this reason
            fixed = str(error)
        rules: list[Any] = [list(self.constraints), self.search, self.seed, self.baseline]
        scheduler = scheduler or self.scheduler
        if scheduler is not None and not isinstance(scheduler, Full):
            rules.append(scheduler)
        rules += [["held out", held_out]] if held_out else []
        rules += self.beginning
        return digest(objective.scope(), fixed, space, rules)


def _check_fields(
    data: Mapping[str, Any], model: type[BaseModel], prefix: tuple[str, ...] = ()
) -> None:
    """Refuse fields that a section does not have, with the nearest spelling."""
    reason = f"no such field; a {model.__name__.lower()} has"
    refuse_unknown(data, model.model_fields, reason, prefix)


def _kind_of(value: Any) -> Any:
    """Refuse what is neither a kind nor a mapping that may have one."""
    if not isinstance(value, str | Mapping | BaseModel):
        raise ConfigError(f"give a `kind`, alone or with its settings, got {value!r:.80}")
    return value


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def load_study(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Study:
    """Read a study from YAML 1.2.

    Args:
        path: the file.
        overrides: top-level fields that replace the file's.

    Raises:
        ConfigError: one sentence with file, line, field, value and what would be right.
    """
    path = Path(path)
    document = read_yaml(path)
    plugins = document.data.get("plugins", [])
    with located(document):
        if isinstance(plugins, Sequence) and not isinstance(plugins, str):
            import_plugins([str(module) for module in plugins])
        return Study.parse({**document.data, **(overrides or {})})
