"""Prints the trials, best first: a table where it fits, a list on a narrow terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

from raytuner.printable import plain, spell, spell_params
from raytuner.results import Results
from raytuner.trial import Trial

if TYPE_CHECKING:
    from rich.table import Table


class Row(NamedTuple):
    """One trial as it is shown."""

    number: str
    values: list[str]
    scores: list[str]
    interval: str
    status: str
    trial: Trial


def print_table(results: Results, count: int | None) -> None:
    """Print the first `count` trials, or all of them."""
    from rich.console import Console

    rows = table_rows(results)
    shown = rows if count is None else rows[:count]
    metrics = metric_names(results)
    console = Console(highlight=False)
    table = _table(results, shown, metrics, lines=console.is_terminal)
    click.echo(_title(results))  # of its own: rich would wrap it at the width of the table
    if not console.is_terminal:
        _print_lines(table)
    elif _natural_width(table) > console.width:
        _print_list(shown, metrics)
    else:
        console.print(table)
    if len(rows) > len(shown):
        click.echo(f"  ({len(rows) - len(shown)} more; --all shows them)")
    if results.baseline is not None:
        click.echo("  * the configuration as it stands")


def metric_names(results: Results) -> list[str]:
    """List the metrics, the optimised one first."""
    names = dict.fromkeys(metric for trial in results.record.current for metric in trial.metrics)
    return sorted(names, key=lambda name: name != results.metric)


def table_rows(results: Results) -> list[Row]:
    """Spell every trial, best first."""
    metrics = metric_names(results)
    rows = []
    records = results.trials[["low", "high"]].to_dict("records") if results.ranked else []
    for trial, record in zip(results.ranked, records, strict=True):
        low, high = record["low"], record["high"]
        known = low is not None and low == low  # noqa: PLR0124 - NaN differs from itself
        if known:
            low, high = results.reach.shown(low, high)
        rows.append(
            Row(
                number=f"{trial.number}{'*' if trial.baseline else ''}",
                values=[
                    spell(trial.params[name]) if name in trial.params else ""
                    for name in results.parameters
                ],
                scores=[_score(trial.mean(metric)) for metric in metrics],
                interval=f"{low:.3f} to {high:.3f}" if known else "",
                status=_status(results, trial),
                trial=trial,
            )
        )
    return rows


def _status(results: Results, trial: Trial) -> str:
    """Say how a trial ended, and with what, if it was stopped early; or that it cannot be best."""
    if trial.status == "complete" and results.broken(trial):
        return "complete, over a limit"
    if trial.status not in {"paused", "pruned"}:
        return trial.status
    answered, metric = trial.answered, results.metric
    score = trial.mean(metric, answered) if metric else None
    so_far = "" if score is None else f": {score:.4f}"
    if trial.reason:
        so_far = f": {trial.reason}"
    return f"{trial.status} at {answered}{so_far}"


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _title(results: Results) -> str:
    count = len(results.record.current)
    many = "1 trial" if count == 1 else f"{count} trials, best first"
    return f"{plain(results.name)}: {many}"


def _table(results: Results, rows: Sequence[Row], metrics: Sequence[str], *, lines: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.HEAVY_HEAD if lines else None, pad_edge=lines)
    table.add_column("#", justify="right", no_wrap=True)
    for name in results.parameters:
        table.add_column(Text(plain(name)), no_wrap=True)
    for name in metrics:
        table.add_column(Text(plain(name)), justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for row in rows:
        cells = [row.number, *row.values, *row.scores, row.interval, row.status]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _natural_width(table: Table) -> int:
    from rich.console import Console

    return Console(width=100_000).measure(table).maximum


def _print_lines(table: Table) -> None:
    """Print for a pipe, which has no width: one line a trial, whatever its length."""
    from rich.console import Console

    console = Console(highlight=False, width=max(80, _natural_width(table)))
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _print_list(rows: Sequence[Row], metrics: Sequence[str]) -> None:
    """Print two lines a trial: its scores, then its parameters."""
    for row in rows:
        pairs = zip(metrics, row.scores, strict=True)
        scores = ", ".join(f"{plain(name)} {score}" for name, score in pairs if score)
        interval = f" ({row.interval})" if row.interval else ""
        click.echo(f"#{row.number} {row.status}: {scores or 'no score'}{interval}")
        click.echo(f"    {spell_params(row.trial.params)}")
