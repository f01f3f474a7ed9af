"""The commands of blind rating: `raytuner rate` asks, `raytuner ratings` sums up."""

from __future__ import annotations

import math
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raytuner.commands.flags import has_screen, json_option, run_folder
from raytuner.component import ConfigError
from raytuner.printable import plain, print_json, spell_params

if TYPE_CHECKING:
    from raytuner.manual.round import Round
    from raytuner.rating.standings import Standings
    from raytuner.results import Results


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--rater", required=True, help="Who rates; what was rated under this name goes on.")
@click.option("-n", "--number", type=click.IntRange(1), help="Comparisons to judge now.")
@click.option("--trials", help="Trials to compare, such as 0,3,7; default: the best.")
@click.option("--page", is_flag=True, help="Rate in a browser, on a page for this machine alone.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Of the page; 0: any.")
@click.option("--open/--no-open", "show", default=True, help="Open the page in a browser.")
def rate(
    study: Path,
    rater: str,
    number: int | None,
    trials: str | None,
    port: int,
    *,
    page: bool,
    show: bool,
) -> None:
    """Compare answers of two configurations, blind, and keep what is better.

    STUDY is a run folder, or the study file whose run folder it is. Every judgement is on disk
    before the next one is asked for; the run itself is only read, and may go on meanwhile.
    """
    from raytuner.manual.round import Round

    with Round(run_folder(study), rater, _numbers(trials)) as rating:
        if page:
            _serve(rating, number, port, show=show)
        else:
            from raytuner.manual.terminal import rate_in_terminal

            rate_in_terminal(rating, number)
        click.echo(f"{rating.rated} comparisons by {rater} are on record")


@click.command()
@click.argument("study", type=click.Path(path_type=Path), default="study.yaml")
@json_option
def ratings(study: Path, *, as_json: bool) -> None:
    """Say who is ahead in the ratings of a run, whether that is sure, and how raters agree."""
    from raytuner.results import Results

    results = Results.open(run_folder(study))
    found = rating_of(results)
    if as_json:
        print_json({"study": results.name, **found.to_dict()})
        return
    if found.rows:
        _table(results, found)
    click.echo(plain(found.sentence))
    for line in _agreement(found):
        click.echo(plain(line))


def rating_of(results: Results) -> Standings:
    """Sum up the ratings of a run.

    Raises:
        ConfigError: a file of ratings was damaged or edited.
    """
    from raytuner.rating.ballots import read_all
    from raytuner.rating.scoring import standing
    from raytuner.rating.standings import standings

    trials = {trial.key: trial for trial in results.record.current}
    ballots = [] if results.folder is None else read_all(results.folder)
    held = standing(ballots, trials, results.record.scope)
    return standings(held, {key: trial.number for key, trial in trials.items()})


def _numbers(given: str | None) -> Sequence[int]:
    if given is None:
        return ()
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < 2:
        raise ConfigError(f"--trials: give two numbers or more, such as 0,3,7, got {given!r:.80}")
    return [int(part) for part in parts]


def _serve(rating: Round, number: int | None, port: int, *, show: bool) -> None:
    """Serve the page until the rater is done, or Ctrl-C."""
    from raytuner.manual.server import RatingServer

    try:
        server = RatingServer(rating, number, port)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"--port {port}: {reason}; give another, or 0 for any that is free"
        ) from None
    click.echo(f"{server.url}\nCtrl-C ends this page; what is rated is kept")
    sys.stdout.flush()
    if show and has_screen():
        webbrowser.open(server.url)
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            while not server.farewell.wait(0.2):
                pass
        except KeyboardInterrupt:
            click.echo("", err=True)
        server.shutdown()
        thread.join()


def _table(results: Results, found: Standings) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    params = {trial.number: trial.params for trial in results.record.current}
    table = Table(box=None, pad_edge=False)
    for name in ("trial", "strength", "95 % interval", "wins", "ties", "losses", "p behind"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("configuration", overflow="fold")
    for row in found.rows:
        counts = [str(count) for count in (row.wins, row.ties, row.losses)]
        interval = f"{row.low:+.2f} to {row.high:+.2f}"
        behind = "" if math.isnan(row.p_behind) else f"{row.p_behind:.3f}"
        cells = [str(row.number), f"{row.strength:+.2f}", interval, *counts, behind]
        table.add_row(*cells, Text(spell_params(params[row.number])))
    Console(highlight=False, markup=False).print(table)


def _agreement(found: Standings) -> list[str]:
    raters = ", ".join(f"{name} ({count})" for name, count in found.raters.items())
    lines = [f"Raters: {raters}."] if raters else []
    figures = found.agreement
    if len(found.raters) > 1 and figures.shared:
        alpha = "not defined" if math.isnan(figures.alpha) else f"{figures.alpha:.2f}"
        lines.append(
            f"They agree on {figures.percent:.0%} of {figures.shared} shared comparisons "
            f"(Krippendorff's alpha {alpha})."
        )
        for pair, kappa in figures.kappa.items():
            told = "not defined" if math.isnan(kappa) else f"{kappa:.2f}"
            lines.append(f"Cohen's kappa of {' and '.join(pair)}: {told}.")
    elif len(found.raters) > 1:
        lines.append("They have no comparison in common yet, so nothing says how they agree.")
    return lines
