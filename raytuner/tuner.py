"""Runs a study: checks it, opens its journal, and drives a backend until nothing is left."""

from __future__ import annotations

import itertools
import platform
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import raytuner
from raytuner.backends import Backend, Setting, asynchronous, choose
from raytuner.component import ConfigError, nearest
from raytuner.journal import Journal
from raytuner.listener import Listener
from raytuner.objective import Objective, Params
from raytuner.record import Record, opened_facts
from raytuner.results import COLUMNS, Results
from raytuner.space import Space
from raytuner.study import Study
from raytuner.sweep import Sweep

_PROBED = 5_000
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
        metric: what is optimised, or None if only the first result can tell.
        folder: run folder, or None to keep everything in memory.
        root: folder that relative paths of the study start from.
    """

    study: Study
    objective: Objective
    space: Space
    baseline: Params | None
    total: int | None
    metric: str | None
    folder: Path | None
    root: Path

    @property
    def extra_baseline(self) -> bool:
        """Whether trial 0 adds a trial to those that the search proposes."""
        if self.baseline is None:
            return False
        return not self.space.contains(self.baseline)

    @property
    def maximise(self) -> bool:
        """Whether more of the metric is better."""
        return self.metric is None or self.objective.maximise(self.metric)


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
    space = study.parsed_space()
    space.check()
    _refuse_columns(space)
    objective = study.build_objective(root)
    metric = _metric(study, objective)
    if not objective.units():
        raise ConfigError(
            "objective: there is nothing to score, none of its questions has what the metrics "
            "compare (evidence, or an answer)",
            ("objective",),
        )
    _probe(space, objective, study.seed)
    total = study.search.total(space)
    if total is None and study.budget.exceeded_never():
        raise ConfigError(
            "budget: this search never ends by itself; give `trials`, `seconds` or `usd`",
            ("budget",),
        )
    _backend(study, None)
    baseline = objective.defaults(space.names) if study.baseline else None
    if baseline is not None and space.contains(baseline):
        baseline = space.active(baseline)
    folder = None if in_memory else study.folder(root)
    return Prepared(study, objective, space, baseline, total, metric, folder, root)


def _refuse_columns(space: Space) -> None:
    for name in space.names:
        if name in COLUMNS:
            raise ConfigError(
                f"space: {name}: the trial table has a column of that name; call it otherwise",
                ("space", name),
            )


def _metric(study: Study, objective: Objective) -> str | None:
    known = objective.metrics()
    if known is None:
        return study.metric
    if study.metric is None:
        return known[0]
    if study.metric not in known:
        raise ConfigError(
            f"metric: {study.metric!r} is not measured; the objective reports: "
            f"{', '.join(known)}.{nearest(study.metric, known)}",
            ("metric",),
        )
    return study.metric


def _probe(space: Space, objective: Objective, seed: int) -> None:
    """Ask the objective about the points of the space, so that no trial fails for its spelling."""
    try:
        points = list(itertools.islice(space.grid(), _PROBED))
    except ConfigError:  # a continuous space has no grid
        generator = random.Random(seed)
        points = [space.sample(generator) for _ in range(100)]
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


def run(
    study: Study,
    root: Path | None = None,
    *,
    listener: Listener | None = None,
    in_memory: bool = False,
) -> Results:
    """Run a study to its end, resuming whatever its run folder already holds.

    Works inside a running event loop (a notebook) for every backend.

    Raises:
        ConfigError: bad input, before any work.
        JournalFullError: the disk is full; what is recorded stands.
        KeyboardInterrupt: after the workers have ended and everything is on record.
    """
    return run_prepared(prepare(study, root, in_memory=in_memory), listener=listener)


def run_prepared(prepared: Prepared, *, listener: Listener | None = None) -> Results:
    """Run a study that has been checked; see `run`."""
    with _Session(prepared, listener) as session:
        _backend(prepared.study, prepared.folder)(session.sweep)
        return session.results()


async def arun(
    study: Study,
    root: Path | None = None,
    *,
    listener: Listener | None = None,
    in_memory: bool = False,
) -> Results:
    """Run a study as tasks of the running event loop; see `run`."""
    prepared = prepare(study, root, in_memory=in_memory)
    with _Session(prepared, listener) as session:
        await asynchronous.arun(session.sweep, study.workers or 1)
        return session.results()


def _backend(study: Study, folder: Path | None) -> Backend:
    return choose(
        Setting(
            backend=study.backend,
            workers=study.workers,
            plugins=study.plugins,
            paid=study.budget.usd is not None,
            timeout=study.timeout,
            address=study.address,
            resources=study.resources,
            storage=study.storage,
            folder=folder,
        )
    )


class _Session:
    """One driver on one journal: opened, framed by its events, closed whatever happens."""

    def __init__(self, prepared: Prepared, listener: Listener | None) -> None:
        self._prepared = prepared
        self._listener = listener
        self._journal = Journal(prepared.folder)
        try:
            self.sweep = self._open()
        except BaseException:
            self._journal.close()
            raise
        self._frame = self.sweep.session(self._facts())

    def _open(self) -> Sweep:
        prepared, study = self._prepared, self._prepared.study
        objective = prepared.objective
        identity = study.identity(objective)
        record = Record(identity, objective.scope(), objective.units(), self._journal)
        self._journal.forget()
        return Sweep(
            objective=objective,
            space=prepared.space,
            proposer=study.search.start(prepared.space, study.seed),
            journal=self._journal,
            record=record,
            metric=prepared.metric,
            baseline=prepared.baseline,
            budget=study.budget,
            patience=study.retry.patience(),
            listener=self._listener,
            lookahead=_PROBED if prepared.total is not None else 1,
        )

    def _facts(self) -> dict[str, Any]:
        prepared, study = self._prepared, self._prepared.study
        objective = prepared.objective
        return opened_facts(
            study.identity(objective),
            objective.scope(),
            objective.units(),
            name=study.name,
            metric=prepared.metric,
            maximise=prepared.maximise,
            parameters=list(prepared.space.names),
            config=_plain(study),
            root=str(prepared.root),
            raytuner=raytuner.__version__,
            python=platform.python_version(),
        )

    def __enter__(self) -> _Session:
        try:
            self._frame.__enter__()
        except BaseException:
            self._journal.close()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._frame.__exit__(*error)
        finally:
            self._journal.close()

    def results(self) -> Results:
        """Read the outcome of the study so far."""
        prepared = self._prepared
        return Results(
            self.sweep.record,
            metric=self.sweep.metric,
            maximise=prepared.maximise,
            parameters=prepared.space.names,
            name=prepared.study.name,
            folder=prepared.folder,
            stop_reason=self.sweep.stop_reason,
        )


def _plain(study: Study) -> Mapping[str, Any]:
    """Give a study as JSON, without what only Python can hold."""
    data: dict[str, Any] = {}
    for name in type(study).model_fields:
        value = getattr(study, name)
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        elif isinstance(value, tuple):
            value = list(value)
        elif name == "objective" and not isinstance(value, Mapping | str):
            value = None
        elif name == "space":
            value = {k: d.model_dump(mode="json") if isinstance(d, BaseModel) else d
                     for k, d in value.items()}  # fmt: skip
        data[name] = value
    return data
