"""Prints plans, progress and results for people (tables) and for scripts (JSON)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytuner.component import ConfigError
from raytuner.objective import Cost
from raytuner.results import Interval, Results
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.tuner import Prepared

_PLANNED = 10_000
"""Points whose work is counted; a larger grid is estimated from these."""


def plan(prepared: Prepared) -> dict[str, Any]:
    """Say what a run would do: trials, distinct work, cost, warnings."""
    points: list[Any] = []
    if prepared.total is not None:
        points = list(itertools.islice(prepared.space.grid(), _PLANNED))
    if prepared.baseline is not None:
        points.append(prepared.baseline)
    keys = {prepared.objective.key(point) for point in points}
    units = prepared.objective.units()
    costs = [prepared.objective.estimate(point, units) for point in points]
    return {
        "trials": len(keys) if prepared.total is not None else None,
        "questions": len(units),
        "metric": prepared.metric,
        **prepared.objective.plan(points),
        "usd": sum((cost.usd for cost in costs), Cost().usd),
        "run folder": str(prepared.folder) if prepared.folder else None,
        "warnings": list(prepared.objective.warnings()),
    }


def print_plan(prepared: Prepared, *, as_json: bool) -> None:
    """Print what a run would do."""
    facts = plan(prepared)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    warnings = facts.pop("warnings")
    for name, value in facts.items():
        shown = "until the budget ends" if name == "trials" and value is None else value
        click.echo(f"{name:>16}: {shown}")
    for warning in warnings:
        click.echo(f"note: {warning}")
    click.echo("the study is sound; nothing was run")


def print_status(results: Results, *, as_json: bool) -> None:
    """Print how far a run is."""
    trials = results.record.current
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.status] = counts.get(trial.status, 0) + 1
    best = results.best
    facts = {
        "study": results.name,
        "trials": len(trials),
        **counts,
        "questions answered": sum(len(t.units) - len(t.missing()) for t in trials),
        "best": dict(best.params) if best else None,
        results.metric or "metric": results.score(best) if best else None,
        "stopped": results.stop_reason,
        "usd": results.record.cost.usd,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name:>20}: {value}")


def print_results(results: Results, *, as_json: bool = False, rows: int | None = 15) -> None:
    """Print the table of trials, what leads, and how sure that is."""
    if as_json:
        click.echo(json.dumps(as_plain(results), indent=2))
        return
    _print_table(results, rows)
    for line in lines(results):
        click.echo(line)


def as_plain(results: Results) -> dict[str, Any]:
    """Give everything that the table shows as JSON values."""
    best, baseline = results.best, results.baseline
    gain = results.difference(best, baseline) if best and baseline else None
    table = json.loads(results.trials.to_json(orient="records", double_precision=15))
    return {
        "study": results.name,
        "metric": results.metric,
        "maximise": results.maximise,
        "best": dict(best.params) if best else None,
        "gain over baseline": gain._asdict() if gain else None,
        "indistinguishable from best": [t.number for t in results.contenders()],
        "stopped": results.stop_reason,
        "work": results.work,
        "work of all sessions": results.total_work,
        "stage seconds": results.stage_seconds,
        "run folder": str(results.folder) if results.folder else None,
        "trials": table,
    }


def lines(results: Results) -> list[str]:
    """Say in words what leads, how sure that is, and what it took."""
    said = []
    best, baseline = results.best, results.baseline
    if best is None:
        said.append("no configuration has been scored on every question")
    else:
        said.append(f"Best so far: {_spelled(best)}")
        if baseline is not None and baseline is not best:
            gain = results.difference(best, baseline)
            said.append(f"  against the configuration as it stands: {_gain(gain)}")
        said.append(_contenders(results))
    dead = dead_knobs(results)
    if dead:
        said.append(
            f"No effect on any score: {', '.join(dead)} (a dead knob, or a value that ties)"
        )
    said.extend(_work(results))
    if results.failed:
        first = results.failed[0]
        reason = first.failure.message if first.failure else "unknown"
        said.append(f"{len(results.failed)} trials failed; the first: {_spelled(first)}: {reason}")
    if results.stop_reason:
        said.append(f"Stopped early: {results.stop_reason}.")
    if results.folder is not None:
        said.append(f"Trial table: {results.folder / 'trials.parquet'}")
    return said


def dead_knobs(results: Results) -> list[str]:
    """List parameters that changed no score of any question in any comparable pair of trials."""
    dead = []
    complete = [t for t in results.record.current if results.score(t) is not None]
    for name in results.parameters:
        groups: dict[str, list[Trial]] = {}
        for trial in complete:
            others = {k: v for k, v in trial.params.items() if k != name}
            groups.setdefault(json.dumps(others, sort_keys=True), []).append(trial)
        pairs = [(g[0], t) for g in groups.values() for t in g[1:] if t.key != g[0].key]
        if pairs and all(_same_scores(a, b) for a, b in pairs):
            dead.append(name)
    return dead


def _same_scores(a: Trial, b: Trial) -> bool:
    import numpy as np

    return a.metrics == b.metrics and np.array_equal(a.table, b.table, equal_nan=True)


def _contenders(results: Results) -> str:
    count = len(results.contenders())
    total = sum(results.score(t) is not None for t in results.record.current) - 1
    questions = len(results.record.units)
    if not total:
        return "  nothing to compare it with yet"
    if not count:
        return f"  {questions} questions tell it apart from all {total} others (paired 95 %)"
    return (
        f"  {questions} questions do not tell it apart from {count} of {total} others "
        "(paired 95 % intervals include 0): it leads, it is not proven"
    )


def _gain(gain: Interval | None) -> str:
    if gain is None:
        return "no common questions"
    return f"{gain.estimate:+.4f}, 95 % interval [{gain.low:+.4f}, {gain.high:+.4f}], paired"


def _spelled(trial: Trial) -> str:
    return ", ".join(f"{name} = {value}" for name, value in trial.params.items()) or "(no params)"


def _work(results: Results) -> list[str]:
    """Say what this session did, and what the model never saw in any."""
    said = []
    done = results.work
    if done:
        said.append("Work done: " + ", ".join(f"{n:,} {k}" for k, n in done.items()))
        stages = results.stage_seconds
        said.append("Seconds in: " + ", ".join(f"{k} {s:.1f}" for k, s in stages.items()))
    elif results.total_work:
        said.append("Work done: none, everything was on record")
    cut = results.total_work.get("texts cut at the model's limit")
    if cut:
        tokens = results.total_work.get("tokens never seen by the model", 0)
        said.append(
            f"Note: {cut:,} chunk texts were longer than the embedding model reads; "
            f"{tokens:,} tokens went unseen"
        )
    return said


def _print_table(results: Results, rows: int | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    metrics = [name for name in results.trials.columns if name in _metric_names(results)]
    table = Table(title=f"{results.name}: {len(results.record.current)} trials")
    table.add_column("#", justify="right")
    for name in results.parameters:
        table.add_column(name)
    for name in metrics:
        table.add_column(name, justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("status")
    for row in results.trials.head(rows or len(results.trials)).to_dict("records"):
        cells = [str(row["trial"]) + ("*" if row["baseline"] else "")]
        cells += ["" if _missing(row[name]) else str(row[name]) for name in results.parameters]
        cells += ["" if _missing(row[name]) else f"{row[name]:.4f}" for name in metrics]
        low, high = row["low"], row["high"]
        cells.append("" if _missing(low) else f"{low:.3f} to {high:.3f}")
        cells.append(str(row["status"]))
        table.add_row(*(Text(cell) for cell in cells))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
    hidden = len(results.trials) - (rows or len(results.trials))
    if hidden > 0:
        click.echo(f"  ({hidden} more; --all shows them)")
    if results.baseline is not None:
        click.echo("  * the configuration as it stands")


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN is the one that differs


def _metric_names(results: Results) -> set[str]:
    return {metric for trial in results.record.current for metric in trial.metrics}


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by suffix.

    Raises:
        ConfigError: if the file cannot be written.
    """
    from raytuner.results import parquet_ready

    try:
        if path.suffix == ".parquet":
            parquet_ready(table).to_parquet(path, index=False)
        else:
            table.to_csv(path, index=False)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
