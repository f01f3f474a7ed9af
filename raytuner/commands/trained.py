"""The command `raytuner trained`: what a training has made, as a file."""

from __future__ import annotations

from pathlib import Path

import click

from raytuner.commands.flags import open_results, study_argument


@click.command()
@study_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write."
)
@click.option(
    "--trial", type=int, help="Number of the trial; default: what the verdict recommends."
)
@click.option(
    "--schedule",
    type=click.Path(path_type=Path),
    help="Train this schedule, as `raytuner export` prints it, instead of a trial.",
)
def trained(study: Path, output: Path, trial: int | None, schedule: Path | None) -> None:
    """Write what a trial has trained, such as an adapter, to a file.

    It comes from a checkpoint where there is one, and else is trained again: the same, to the bit.
    """
    from raytuner.trained import write_trained

    if trial is not None and schedule is not None:
        raise click.UsageError("--trial and --schedule exclude each other")
    said = write_trained(open_results(study), output, number=trial, schedule=schedule)
    click.echo(f"wrote {output}: {said}")
