"""Prints plans, progress and results for people (tables) and for scripts (JSON)."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytuner.component import ConfigError
from raytuner.journal import read
from raytuner.prepare import adds_a_trial, within
from raytuner.printable import plain, print_json, spell_params
from raytuner.results import Results
from raytuner.spending import accounts, plain_work
from raytuner.study import Study
from raytuner.terminal.summary import lines
from raytuner.terminal.trial_table import metric_names, print_table

if TYPE_CHECKING:
    import pandas as pd


def print_status(results: Results, *, as_json: bool) -> None:
    """Print how far a run is."""
    trials = results.record.current
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.status] = counts.get(trial.status, 0) + 1
    best = results.best
    facts = {
        "study": results.name,
        "state": _state(results),
        "trials": len(trials),
        "planned": _planned(results),
        **counts,
        "questions answered": sum(t.answered + t.held.answered for t in trials),
        "best": dict(best.params) if best else None,
        results.metric or "metric": results.score(best) if best else None,
        "stopped": results.stop_reason,
        "usd": round(results.record.spent_usd, 10),  # sums of prices end in noise
    }
    if as_json:
        print_json(facts)
        return
    facts["usd"] = _dollars(results.record.spent_usd)
    for name, value in facts.items():
        if value is not None:
            shown = spell_params(value) if isinstance(value, Mapping) else plain(value)
            click.echo(f"{name:>20}: {shown}")


def _dollars(amount: float) -> float:
    """Round dollars for people: to hundredths of a cent, and what is less to two digits."""
    return round(amount, 4) if amount >= 0.001 else float(f"{amount:.2g}")


def _state(results: Results) -> str:
    """Tell whether a driver is at work, from the journal's end and the lock it holds."""
    if results.folder is None:
        return "in memory"
    events, _ = read(results.folder / "journal.jsonl")
    if events and events[-1]["event"] == "closed":
        return f"stopped: {results.stop_reason}" if results.stop_reason else "finished"
    with contextlib.suppress(OSError), (results.folder / "journal.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"running ({file.read(200).decode(errors='replace').strip()})"
    return "ended without notice; the same `raytuner run` goes on with it"


def _planned(results: Results) -> int | None:
    """Count the trials that the study will make, where its search has an end of its own."""
    if results.folder is None:
        return None
    events, _ = read(results.folder / "journal.jsonl")
    config = next(e for e in reversed(events) if e["event"] == "opened").get("config")
    try:
        study = Study.parse(config or {})
        space = study.parsed_space()
        total = study.search.total(space)
    except ConfigError:  # written with plugins, or by another version
        return None
    baseline = results.baseline
    extra = adds_a_trial(study, space, None if baseline is None else baseline.params)
    total = None if total is None else total + extra
    return within(study, total, baseline=baseline is not None)


def print_results(
    results: Results, *, as_json: bool = False, rows: int | None = 15, study: Path | None = None
) -> None:
    """Print the table of trials, what leads, and how sure that is."""
    if as_json:
        print_json(as_plain(results))
        return
    print_table(results, rows)
    for line in lines(results, study):
        click.echo(line)


def print_scores(results: Results, *, as_json: bool = False) -> None:
    """Print every score of every trial, one a line."""
    records = results.scores.to_dict("records")
    if as_json:
        print_json(records)
        return
    click.echo("trial\tunit\tmetric\tscore")
    for row in records:
        unit, metric = plain(row["unit"]), plain(row["metric"])
        click.echo(f"{row['trial']}\t{unit}\t{metric}\t{row['score']!r}")


def as_plain(results: Results) -> dict[str, Any]:
    """Give everything that the table shows as JSON values."""
    best, baseline = results.best, results.baseline
    gain = results.difference(best, baseline) if best and baseline else None
    records = results.trials.to_dict("records")
    for trial, record in zip(results.ranked, records, strict=True):
        # Exact values: a column with gaps would turn integers into floats.
        record.update((name, trial.params.get(name)) for name in results.parameters)
        record.update((metric, trial.mean(metric)) for metric in metric_names(results))
        record["calls"] = [row._asdict() for row in accounts(trial.counts)]
    return {
        "study": results.name,
        "metric": results.metric,
        "maximise": results.maximise,
        "limits": [str(limit) for limit in results.goal.limits],
        "best": dict(best.params) if best else None,
        "verdict": results.verdict.to_dict(),
        "gain over baseline": gain._asdict() if gain else None,
        "indistinguishable from best": [t.number for t in results.contenders()],
        "stopped": results.stop_reason,
        "work": plain_work(results.work),
        "work of all sessions": plain_work(results.total_work),
        "calls": [row._asdict() for row in accounts(results.work)],
        "calls of all sessions": [row._asdict() for row in accounts(results.total_work)],
        "stage seconds": results.stage_seconds,
        "run folder": str(results.folder) if results.folder else None,
        "trials": records,
    }


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, by suffix.

    Raises:
        ConfigError: if the file cannot be written.
    """
    from raytuner.tables import parquet_ready

    try:
        if path.suffix == ".parquet":
            parquet_ready(table).to_parquet(path, index=False)
        else:
            table.to_csv(path, index=False)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
