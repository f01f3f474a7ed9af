"""LlamaIndex's `RayTuneParamTuner`, drop-in: the same arguments, on today's Ray.

What differs: one trial that fails keeps the others; fixed parameters go to the object store once
(arrays in them are shared by the workers of a machine, read-only); a NaN never wins; workers are
kept for the whole run; searches, schedulers, resuming and a table of results are there.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, ValidationError, field_validator

from raytuner.backends import Backend, Setting, choose
from raytuner.backends.ray_tune import ray_tune_backend
from raytuner.compat.calls import Calls, Points, SyncTuner
from raytuner.compat.combinations import Combinations, Names
from raytuner.compat.question_calls import QuestionCalls
from raytuner.compat.run_config import RunConfig, read_run_config
from raytuner.compat.searched import Searched, about_param_dict, plain_lists
from raytuner.component import ConfigError
from raytuner.prepare import check_pair
from raytuner.resources import Resources
from raytuner.schedulers import Full, Scheduler
from raytuner.search import Grid, Random, Search
from raytuner.sweep import Sweep
from raytuner.worker import Patience

_RESOURCES = {"CPU": "cpu", "GPU": "gpu", "resources": "custom", "custom_resources": "custom"}
"""What Ray calls resources, where that is not our name."""


class RayTuneParamTuner(SyncTuner):
    """Tunes a function on Ray.

    Values of `param_dict` may also be domains: of a study ({"int": [1, 9]}) or of Ray Tune
    (`tune.uniform(0, 1)`). Of a result's metadata only what JSON can hold comes back.

    Attributes:
        run_config_dict: fields of `ray.tune.RunConfig`. `name` and `storage_path` make the
            `run_dir`, `failure_config` the number of retries, `verbose` the progress. With
            callbacks, stop rules and whatever else only Ray Tune knows, trials run under its own
            controller, at about 100 ms each.
        search_alg: a kind of search ("hyperopt", "optuna", "random" ...), a search of
            `raytuner.search`, or a searcher of Ray Tune; None: every combination, or, with
            `num_samples`, random ones.
        scheduler: a kind of scheduler ("asha" ...) or a scheduler of `raytuner.schedulers`, to
            stop trials after a part of the `questions`; these are `failed` with kind `pruned`.
        num_samples: how many points the search tries.
        resources_per_trial: `cpu`, `gpu`, `memory` and `custom` resources; None: one core.
        num_workers: trials at the same time; None: as many as fit.
        address: of the Ray cluster: `local`, `auto`, host:port or ray://host:port; None: the
            cluster that this runs in, or else one started for the run.
        questions: names of the fixed parameters that hold one entry per question. The function
            is called with these lists cut to some questions, and gives their mean score; it is
            called again with the others if the trial goes on.
        seed: of every random choice.
    """

    run_config_dict: dict[str, Any] | None = None
    search_alg: Any = None
    scheduler: Any = None
    num_samples: int | None = Field(default=None, ge=1)
    resources_per_trial: Resources = Field(default_factory=Resources)
    num_workers: int | None = Field(default=None, ge=1, le=1024)
    address: str | None = None
    questions: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)
    _config: RunConfig = PrivateAttr(default_factory=RunConfig)

    @field_validator("resources_per_trial", mode="before")
    @classmethod
    def _resources(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {_RESOURCES.get(str(name), name): amount for name, amount in value.items()}
        return Resources() if value is None else value

    @field_validator("questions", mode="before")
    @classmethod
    def _names_of_questions(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def _check(self) -> None:
        self._config = read_run_config(self.run_config_dict)
        if self._config.progress is not None:
            self.show_progress = self.show_progress or self._config.progress
        if self.run_dir is None and self._config.folder is not None:
            self._keep_in(self._config.folder)
        objective = self._calls(None)
        self._course(objective)
        self._backend()

    def _keep_in(self, folder: Path) -> None:
        """Make the folder of the run config the run folder, if what varies can be named there."""
        self.run_dir = folder
        try:
            self._calls(None)
        except ConfigError as error:
            self.run_dir = None
            self._calls(None)  # if anything else is wrong, this says so
            warnings.warn(f"nothing is kept in {folder}: {error}", stacklevel=5)

    def _points(self, names: Names) -> Points:
        lists = plain_lists(self.param_dict)
        if lists is None or self.search_alg is not None or self.num_samples is not None:
            return Searched(self.param_dict, names)
        return Combinations(lists, names)

    def _objective(self, function: Any, points: Points, scope: str) -> Calls:
        return QuestionCalls(function, self.fixed_param_dict, points, scope, self.questions)

    def _course(self, objective: Calls) -> dict[str, Any]:
        points, scheduler = objective.points, self._scheduler()
        judge = None
        if not isinstance(scheduler, Full):
            judge = scheduler.start(len(objective.units()), self.seed)
        course: dict[str, Any] = {"judge": judge}
        if self._config.retries is not None:
            course["patience"] = Patience(self._config.retries)
        if not isinstance(points, Searched):
            return {**course, "proposer": points}
        search = self._search(points)
        check_pair(search, scheduler, "search_alg")
        try:
            proposer = search.start(points.space, self.seed)
        except ConfigError as error:
            raise about_param_dict(error) from None
        if search.total(points.space) is None and self.budget.exceeded_never():
            raise ConfigError(
                "num_samples: this search never ends by itself; give num_samples, or a `budget`",
                ("num_samples",),
            )
        return {**course, "proposer": proposer, "learns": search.learns}

    def _total(self, objective: Calls) -> int | None:
        points = objective.points
        if isinstance(points, Searched):
            return self._search(points).total(points.space)
        return super()._total(objective)

    def _rules(self) -> Sequence[Any]:
        scheduler = self._scheduler()
        if self.search_alg is None and self.num_samples is None and isinstance(scheduler, Full):
            return ()
        algorithm = self.search_alg
        if not isinstance(algorithm, str | Mapping | Search):
            algorithm = type(algorithm).__qualname__
        return (algorithm, self.num_samples, scheduler, self.seed)

    def _search(self, points: Searched) -> Search:
        """Make the search that is asked for."""
        algorithm = self.search_alg
        search: Search
        if algorithm is None:
            endless = points.space.size() is None and not self.budget.exceeded_never()
            search = Random() if self.num_samples or endless else Grid()
        elif isinstance(algorithm, Search):
            search = algorithm
        elif isinstance(algorithm, str | Mapping):
            search = _component(Search, algorithm, "search_alg")
        else:
            from raytuner.search.passthrough import adapt

            return adapt(_unused(algorithm), self.num_samples)
        if self.num_samples is None:
            return search
        if "samples" not in type(search).model_fields:
            raise ConfigError(
                f"num_samples: a {search.kind} search tries every point; leave it out, or give "
                f"budget={{'trials': {self.num_samples}}}",
                ("num_samples",),
            )
        return search.model_copy(update={"samples": self.num_samples})

    def _scheduler(self) -> Scheduler:
        """Make the scheduler that is asked for.

        Raises:
            ConfigError: it is none, or there is nothing that it could stop a trial after.
        """
        if self.scheduler is None:
            return Full()
        scheduler: Scheduler = self.scheduler
        if not isinstance(scheduler, Scheduler):
            scheduler = _component(Scheduler, scheduler, "scheduler")
        if not isinstance(scheduler, Full) and not self.questions:
            raise ConfigError(
                f"scheduler: {scheduler.kind!r} stops trials after a part of the questions; name "
                "the fixed parameters that hold one entry per question, such as "
                "questions=('eval_qs', 'ref_response_strs')",
                ("scheduler",),
            )
        return scheduler

    def _backend(self) -> Backend:
        setting = Setting(
            backend="ray-tune" if self._config.tune else "ray",
            workers=self.num_workers,
            address=self.address,
            resources=self.resources_per_trial,
            folder=None if self.run_dir is None else Path(self.run_dir),
        )
        backend = choose(setting)
        return ray_tune_backend(setting, self._config.tune) if self._config.tune else backend

    def _drive(self, sweep: Sweep) -> None:
        self._backend()(sweep)


def _component(role: type[Any], value: Any, field: str) -> Any:
    """Make a search or a scheduler of a kind's name, or of a mapping as in a study."""
    if not isinstance(value, str | Mapping):
        raise ConfigError(
            f"{field}: give one of {', '.join(role.kinds())}, or a component of "
            f"raytuner, got a {type(value).__name__}",
            (field,),
        )
    try:
        return role.model_validate(value)
    except ValidationError as error:
        raise ConfigError.of(error, (field,)) from None
    except ConfigError as error:
        raise ConfigError(f"{field}: {error.message}", (field,)) from None


def _unused(searcher: Any) -> Any:
    """Give a copy of a searcher of Ray Tune, because a run uses one up."""
    try:
        return copy.deepcopy(searcher)
    except Exception:  # noqa: BLE001 - anything may refuse to be copied; then it serves one run
        return searcher
