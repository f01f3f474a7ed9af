"""The commands that show and hand on what a run has found: `results` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from raytuner.commands.flags import deliver, json_option, open_results, study_argument, table_path

if TYPE_CHECKING:
    from raytuner.exporting import Tracker


@click.command()
@study_argument
@json_option
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path),
    callback=table_path,
    help="Write a CSV file.",
)
@click.option(
    "--parquet",
    type=click.Path(path_type=Path),
    callback=table_path,
    help="Write a Parquet file.",
)
@click.option("--scores", is_flag=True, help="One row per trial, question and metric.")
@click.option("--all", "show_all", is_flag=True, help="Show every row of the table.")
def results(
    study: Path,
    csv_path: Path | None,
    parquet: Path | None,
    *,
    as_json: bool,
    scores: bool,
    show_all: bool,
) -> None:
    """Show the trials, best first."""
    from raytuner.terminal.show import print_results, print_scores, write_table

    found = open_results(study)
    if csv_path or parquet:
        table = found.scores if scores else found.trials
        for path in (csv_path, parquet):
            if path is not None:
                write_table(table, path)
                click.echo(f"wrote {len(table)} rows to {path}")
        return
    if scores:
        print_scores(found, as_json=as_json)
        return
    print_results(found, as_json=as_json, rows=None if show_all else 15, study=study)


@click.command()
@study_argument
@click.option(
    "--trial", type=int, help="Number of the trial; default: what the verdict recommends."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--to",
    type=click.Choice(["mlflow", "wandb", "module"]),
    help="Send all trials to a tracker; or write a Python module that does not need raytuner.",
)
@click.option("--tracking-uri", help="MLflow: a server, or sqlite:///FILE.")
@click.option("--project", help="W&B: the project; MLflow: the experiment. Default: the study.")
def export(
    study: Path,
    trial: int | None,
    output: Path | None,
    to: Tracker | Literal["module"] | None,
    tracking_uri: str | None,
    project: str | None,
) -> None:
    """Print the configuration that the verdict recommends as YAML, or send the run to a tracker."""
    from raytuner.export import configuration

    if to == "module":
        from raytuner.serving.module import write_module

        if output is None:
            raise click.UsageError("--to module writes a file; name it with -o best.py")
        for path in write_module(open_results(study), trial, output):
            click.echo(f"wrote {path}")
        return
    if to is not None:
        from raytuner.exporting import send

        if trial is not None or output is not None:
            raise click.UsageError(f"--to {to} sends every trial; leave out --trial and --output")
        click.echo(send(open_results(study), to, tracking_uri=tracking_uri, project=project))
        return
    if tracking_uri is not None or project is not None:
        raise click.UsageError("--tracking-uri and --project go with --to")
    deliver(configuration(open_results(study), trial), output)
