"""Checks a study as a whole, before any work or money is spent."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raytuner.affordable import check_affordable
from raytuner.backends import choose
from raytuner.component import ConfigError
from raytuner.goal import Goal
from raytuner.objective import Objective, Params
from raytuner.proof.split import Split
from raytuner.schedulers import Race, Scheduler
from raytuner.search import Search
from raytuner.space import Space
from raytuner.strike import exposed, strike
from raytuner.study import Study
from raytuner.tables import COLUMNS
from raytuner.warm_start import Task, WarmStart, warm_start

PROBED = 5_000
"""Grid points (or samples, in a continuous space) whose configuration is checked up front."""


@dataclass(frozen=True)
class Prepared:
    """A study that has been checked and is ready to run.

    Attributes:
        study: the document.
        objective: what is tuned.
        space: validated space.
        baseline: parameters of trial 0, or None.
        total: proposals the search will make, or None if only a budget ends it.
        goal: what is optimised, under which limits.
        folder: run folder, or None to keep everything in memory.
        root: folder that relative paths of the study start from.
        split: which questions are searched, and which are held out.
        scheduler: which trials are stopped early.
        start: points that are tried first, and earlier runs whose scores are taken over.
    """

    study: Study
    objective: Objective
    space: Space
    baseline: Params | None
    total: int | None
    goal: Goal
    folder: Path | None
    root: Path
    split: Split
    scheduler: Scheduler
    start: WarmStart

    @property
    def identity(self) -> str:
        """What decides which trials are the study's own."""
        held_out = len(self.split.held_out)
        return self.study.identity(self.objective, held_out, self.scheduler)

    @property
    def extra_baseline(self) -> bool:
        """Whether trial 0 adds a trial to those that the search proposes."""
        return adds_a_trial(self.study, self.space, self.baseline)

    @property
    def planned(self) -> int | None:
        """Trials there will be, trial 0 included; None if the search has no end of its own."""
        total = None if self.total is None else self.total + self.extra_baseline
        return within(self.study, total, baseline=self.baseline is not None)

    @property
    def metric(self) -> str | None:
        """What trials are ranked by, or None if only the first result can tell."""
        return self.goal.name

    @property
    def maximise(self) -> bool:
        """Whether more of the metric is better."""
        return self.goal.maximise


def adds_a_trial(study: Study, space: Space, baseline: Params | None) -> bool:
    """Tell whether trial 0 comes on top of the trials that the search proposes."""
    if baseline is None or not space.contains(baseline):
        return baseline is not None
    if not study.search.learns:
        return False
    total, size = study.search.total(space), space.total()
    return total is not None and (size is None or total < size)  # it proposes only what is new


def within(study: Study, total: int | None, *, baseline: bool) -> int | None:
    """Say how many of `total` trials the budget lets in; trial 0 comes on top of it.

    Args:
        study: has the budget.
        total: trials, trial 0 included; None: no end.
        baseline: whether there is a trial 0.
    """
    most = None if study.budget.trials is None else study.budget.trials + baseline
    return min((n for n in (total, most) if n is not None), default=None)


def prepare(study: Study, root: Path | None = None, *, in_memory: bool = False) -> Prepared:
    """Check everything that can be checked before work or money is spent.

    Args:
        study: what to run.
        root: folder that relative paths of the study start from; default: current folder.
        in_memory: keep no run folder.

    Raises:
        ConfigError: one sentence naming field, value and what would be right.
    """
    root = root or Path.cwd()
    _refuse_secrets(study)
    space = study.parsed_space()
    space.check()
    _refuse_columns(space)
    objective = study.build_objective(root)
    goal = Goal.of(study.metric, study.limits, objective, study.budget.usd_per_question)
    if not objective.units():
        raise ConfigError(
            "objective: there is nothing to score, none of its questions has what the metrics "
            "compare (evidence, or an answer)",
            ("objective",),
        )
    for metric in (name for name in goal.metrics if not objective.measures(name)):
        raise ConfigError(
            f"metric: {metric!r} is defined for none of the {len(objective.units())} questions (no "
            "evidence, or no reference answers); optimise another one",
            ("metric",),
        )
    points = _probed(space, study.seed)
    _probe(points, objective)
    baseline = objective.defaults(space.names) if study.baseline else None
    divided = study.verdict.divide(objective, compares=baseline is not None)
    total = study.search.total(space)
    scheduler = study.stopping(len(divided.searched), total, objective)
    check_pair(study.search, scheduler)
    if objective.curve and isinstance(scheduler, Race):
        raise ConfigError(
            "scheduler: race compares answers to the same questions, and here trials are trained "
            "step by step; give asha, hyperband, median, pbt or none",
            ("scheduler",),
        )
    scheduler.start(len(divided.searched), study.seed)
    study.search.begin(space, study.seed, objective)
    if total is None and study.budget.exceeded_never():
        raise ConfigError(
            "budget: this search never ends by itself; give `trials`, `seconds`, `usd` or `tokens`",
            ("budget",),
        )
    choose(study.setting(None))
    if study.storage is not None:
        from raytuner.storage import check_storage

        check_storage(study.storage)
    if baseline is not None and space.contains(baseline):
        baseline = space.active(baseline)
    tried = [*points, *([baseline] if baseline is not None else [])]
    endless = total is None and study.budget.trials is None
    writer = study.search.writer(objective)
    paid = writer.unpriced() if writer is not None else ()
    check_affordable(study.budget, objective, tried, endless=endless, unpriced=paid)
    folder = None if in_memory else study.folder(root)
    task = Task(objective, space, objective.defaults(space.names) or {}, divided, goal)
    start = warm_start(study.points, study.warm_start, task, root=root, folder=folder)
    total = start.total(total)
    return Prepared(
        study, objective, space, baseline, total, goal, folder, root, divided, scheduler, start
    )


def preflight(prepared: Prepared) -> None:
    """Look, without spending, whether the services that trials need take their keys.

    Raises:
        ConfigError: one of them does not.
    """
    study = prepared.study
    points = _probed(prepared.space, study.seed)
    if prepared.baseline is not None:
        points.append(prepared.baseline)
    remote = study.backend in {"ray", "ray-tune"}
    prepared.objective.preflight(points, remote=remote)
    writer = study.search.writer(prepared.objective)
    if writer is not None:
        writer.preflight()


def _refuse_secrets(study: Study) -> None:
    """Refuse a study that holds a key: journal, reports and models would be told."""
    found = exposed(study)
    if found is not None:
        place, variable = found
        raise ConfigError(
            f"{strike('.'.join(map(str, place)))}: it holds the value of ${variable}, which would "
            "be on record and be shown; leave it out: keys come from the environment",
            place,
        )


def _refuse_columns(space: Space) -> None:
    for name in space.names:
        if name in COLUMNS:
            raise ConfigError(
                f"space: {name}: the trial table has a column of that name; call it otherwise",
                ("space", name),
            )


def check_pair(search: Search, scheduler: Scheduler, field: str = "search") -> None:
    """Refuse a search and a scheduler that do not work together.

    Args:
        search: proposes.
        scheduler: stops early.
        field: what the user calls the search.

    Raises:
        ConfigError: naming both, and what would be right.
    """
    if search.schedulers and scheduler.kind not in search.schedulers:
        wanted = " or ".join(sorted(search.schedulers))
        raise ConfigError(
            f"scheduler: search {search.kind!r} learns from trials that are stopped early, got "
            f"scheduler {scheduler.kind!r}; give `scheduler: {wanted}`",
            ("scheduler",),
        )
    if scheduler.searches and search.kind not in scheduler.searches:
        wanted = " or ".join(sorted(scheduler.searches))
        raise ConfigError(
            f"{field}: scheduler {scheduler.kind!r} works with search {wanted} only, got "
            f"{search.kind!r}",
            (field,),
        )


def _probed(space: Space, seed: int) -> list[Params]:
    """Give the points that are looked at up front."""
    try:
        return list(itertools.islice(space.grid(), PROBED))
    except ConfigError:  # a continuous space has no grid
        generator = random.Random(seed)
        return [space.sample(generator) for _ in range(100)]


def _probe(points: Sequence[Params], objective: Objective) -> None:
    """Ask the objective about the points of the space, so that no trial fails for its spelling."""
    for params in points:
        try:
            objective.key(params)
        except ConfigError as error:
            raise _impossible(params, error) from error


def _impossible(params: Params, error: ConfigError) -> ConfigError:
    """Say which parameters of the space make a configuration that cannot be."""
    wrong = ".".join(str(part) for part in error.field)
    blamed = [
        name
        for name in params
        if f"{wrong}.".startswith(f"{name}.") or name.startswith(f"{wrong}.")
    ]
    field = ("space", *(blamed[:1] or error.field[:1]))
    if sum("." in name and name in error.message for name in params) < 2:
        return ConfigError(f"space: {error.message}", field)
    rule = "change the values, or rule the combination out in `constraints`"
    return ConfigError(f"space: {error.message}: {rule}", field)
