"""What a training has made, written to a file: of a trial of a run, or of an exported schedule."""

from __future__ import annotations

from pathlib import Path

from raytuner.component import ConfigError
from raytuner.document import read_yaml
from raytuner.export import chosen, objective_of
from raytuner.objective import ObjectiveFailure, Params, Tally
from raytuner.results import Results
from raytuner.schedule import read_schedule
from raytuner.training import Trainable


def write_trained(
    results: Results, path: Path, *, number: int | None = None, schedule: Path | None = None
) -> str:
    """Write what a trial has trained; from checkpoints, or trained again.

    Args:
        results: an opened run.
        path: the file to write.
        number: the trial; None for the one that the verdict recommends, or, where there is no
            verdict, the best one.
        schedule: a file with what `raytuner export` printed, to train that instead.

    Returns:
        What can be done with the file, in one sentence.

    Raises:
        ConfigError: no such trial, nothing that is trained, or a schedule that cannot be read.
    """
    objective = objective_of(results)
    if not isinstance(objective, Trainable):
        raise ConfigError(f"{results.name}: nothing is trained in this study, so there is no file")
    if schedule is None:
        params: Params = chosen(results, number, none="nothing to write").params
    else:
        params = _read(schedule, objective.steps())
    try:
        return objective.write(params, path, Tally())
    except ObjectiveFailure as error:
        raise ConfigError(f"{results.name}: {error}") from None


def _read(path: Path, steps: int) -> Params:
    given = read_yaml(path).data.get("schedule")
    if given is None:
        raise ConfigError(f"{path}: it has no `schedule`; `raytuner export` prints one")
    try:
        return read_schedule(given, steps)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}") from None
