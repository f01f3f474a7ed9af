"""`raytuner report`: writes what a study has found into one HTML file."""

from __future__ import annotations

from pathlib import Path

import click

from raytuner.commands.flags import open_results
from raytuner.component import ConfigError


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default="study.yaml")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="File to write; default: report.html in the run folder.",
)  # fmt: skip
@click.option("--no-texts", is_flag=True, help="Leave out questions, passages and answers.")
def report(run: Path, output: Path | None, *, no_texts: bool) -> None:
    """Write a report of RUN, a run folder or a study file, also while it runs.

    One HTML file that loads nothing: send it, print it, open it anywhere.
    """
    from raytuner.explaining import Explaining, explaining
    from raytuner.printable import plain
    from raytuner.report import write

    results = open_results(run)
    told = Explaining(None, "they were left out on demand") if no_texts else explaining(results)
    path = output or (results.folder or Path()) / "report.html"
    if path.is_dir():
        raise ConfigError(f"-o {path} is a folder; name a file in it")
    if path.suffix.lower() not in {".html", ".htm"}:
        raise ConfigError(f"-o {path} must end in .html")
    written = write(results, path, told.explain, unexplained=told.reason)
    click.echo(f"wrote {plain(written)}")
