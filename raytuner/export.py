"""The winning configuration as a file."""

from __future__ import annotations

import io
import textwrap

from raytuner import __version__
from raytuner.component import ConfigError
from raytuner.objective import Objective
from raytuner.printable import plain
from raytuner.recorded import recorded
from raytuner.results import Results
from raytuner.trial import Trial


def configuration(results: Results, number: int | None = None) -> str:
    """Spell a trial's full configuration as YAML.

    Args:
        results: an opened run.
        number: the trial; None for the one that the verdict recommends, or, where there is no
            verdict, the best one.

    Raises:
        ConfigError: no such trial, or nothing scored yet.
    """
    trial = chosen(results, number)
    score = results.score(trial)
    known = results.verdict
    head = [
        f"# trial {trial.number} of study {results.name}, written by raytuner {__version__}",
        f"# {results.metric} = {score:.6f} {_basis(results, trial)}"
        if score is not None
        else "# not scored on every question",
        *textwrap.wrap(plain(known.sentence), 96, initial_indent="# ", subsequent_indent="# "),
        f"# key {trial.key}",
    ]
    return "\n".join(head) + "\n" + _yaml(_full(results, trial))


def _basis(results: Results, trial: Trial) -> str:
    count = len(trial.units)
    return f"after {count} steps" if results.record.curve else f"over {count} questions"


def chosen(
    results: Results, number: int | None, option: str = "--trial", none: str = "nothing to export"
) -> Trial:
    """Give the trial of a number; without one, what the verdict recommends, or else the best.

    Raises:
        ConfigError: there is no such trial, naming `option`, or none to choose.
    """
    if number is None:
        if results.best is None:
            raise ConfigError(f"{results.name}: {none}, {results.no_best}")
        return results.recommended or results.best
    for trial in results.record.current:
        if trial.number == number:
            return trial
    last = len(results.record.current) - 1
    raise ConfigError(f"{option} {number}: there is no such trial; they are numbered 0 to {last}")


def _full(results: Results, trial: Trial) -> dict[str, object]:
    """Ask the study's objective for the whole configuration; else give the parameters."""
    objective = objective_of(results)
    return dict(trial.params if objective is None else objective.export(trial.params))


def objective_of(results: Results) -> Objective | None:
    """Make the objective of a run again; None if the journal does not hold it.

    Raises:
        ConfigError: its data is no longer there.
    """
    known = recorded(results.folder)
    return None if known is None else known.objective()


def _yaml(data: dict[str, object]) -> str:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    stream = io.StringIO()
    yaml.dump(_lists(data), stream)
    return stream.getvalue()


def _lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return value
