"""The command `raytuner ui`."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import click

from raytuner.commands.flags import has_screen, run_folder
from raytuner.component import ConfigError
from raytuner.journal import read


@click.command()
@click.argument("study", type=click.Path(path_type=Path), default="study.yaml")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=0, help="Port; 0: any that is free."
)
@click.option("--open/--no-open", "show", default=True, help="Open the page in a browser.")
def ui(study: Path, port: int, *, show: bool) -> None:
    """Show the report of STUDY (a study file or a run folder) live, in a browser.

    The page is served to this machine alone, under an address that nobody can guess, and
    follows the study while it runs. Ctrl-C ends it; the study goes on.
    """
    from raytuner.live import Live
    from raytuner.ui import LiveServer

    folder = run_folder(study)
    read(folder / "journal.jsonl")  # a damaged one is told here, one that is not there may come
    try:
        server = LiveServer(Live(folder), port)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"--port {port}: {reason}; give another, or 0 for any that is free"
        ) from None
    click.echo(f"{server.url}\nreport of {folder}; Ctrl-C ends this page, not the study", err=False)
    sys.stdout.flush()
    if show and has_screen():
        webbrowser.open(server.url)
    with server:
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            click.echo("", err=True)
