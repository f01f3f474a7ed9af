"""Finds a run, and the objective that can show its texts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, import_plugins
from raytuner.journal import read
from raytuner.objective import Objective
from raytuner.report.data import Explain
from raytuner.results import Results
from raytuner.study import Study, load_study
from raytuner.trial import Trial


def open_run(where: Path) -> Results:
    """Open a run folder, or the run folder of a study file.

    Raises:
        ConfigError: there is no run, its journal is damaged, or the study is not sound.
    """
    if where.is_dir():
        return Results.open(where)
    if not where.exists():
        raise ConfigError(f"{where}: no such run folder or study file")
    sys.path.append(str(where.resolve().parent))  # own objectives lie beside the study
    return Results.open(load_study(where).folder(where.resolve().parent))


def explainer(results: Results) -> Explain:
    """Give the function that shows what a trial did with every question.

    The objective is built when the first trial is asked for; the function raises ConfigError
    where it cannot be built here, as without the documents.
    """

    @cache
    def objective() -> Objective:
        return _objective(results)

    def explain(trial: Trial) -> Sequence[Mapping[str, Any]]:
        units = [*results.record.units, *results.record.held_out]
        return objective().explain(trial.params, units)

    return explain


def _objective(results: Results) -> Objective:
    if results.folder is None:
        raise ConfigError("a run that was kept in memory has no study file")
    events, _ = read(results.folder / "journal.jsonl")
    opened = next(event for event in reversed(events) if event["event"] == "opened")
    config, root = opened.get("config"), opened.get("root")
    if not config or not config.get("objective") or not root:
        raise ConfigError("the study's objective is a Python object, which no journal can hold")
    if not Path(root).is_dir():
        raise ConfigError(f"the study's folder {root} is not on this machine")
    sys.path.append(root)
    import_plugins(config.get("plugins") or [])
    return Study.parse(config).build_objective(Path(root))
