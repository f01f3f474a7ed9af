"""Prints plans, progress and results for people (tables) and for scripts (JSON)."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytuner.component import ConfigError
from raytuner.inference_budget import FIRST
from raytuner.journal import read
from raytuner.objective import Objective, Params
from raytuner.prepare import adds_a_trial, within
from raytuner.printable import plain, spell_params
from raytuner.results import Results
from raytuner.schedulers import Full
from raytuner.search import Grid
from raytuner.spending import accounts, plain_work
from raytuner.study import Study
from raytuner.summary import lines
from raytuner.trial_table import metric_names, print_table

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.tuner import Prepared

_COSTED = 200
"""Points whose cost is estimated; others are taken to cost as much on average."""
_PLANNED = 10_000
"""Points whose work is counted; a larger grid is estimated from these."""


def plan(prepared: Prepared) -> dict[str, Any]:
    """Say what a run would do: trials, distinct work, cost, warnings."""
    points = _points(prepared)
    keys = {prepared.objective.key(point) for point in points}
    total, listed = prepared.planned, prepared.total
    if isinstance(prepared.study.search, Grid) and listed is not None and listed <= _PLANNED:
        total = min(len(keys), total or len(keys))  # points that compute the same are one trial
    units = prepared.objective.units()
    work = prepared.objective.plan(points)
    costs = _costs(prepared, points, total)
    if "usd at most" in costs:  # what is embedded serves all trials
        costs["usd at most"] += work.get("usd to embed at most", 0.0)
    return {
        "trials": total,
        "questions": len(units),
        **_rungs(prepared.study, len(units)),
        "metric": prepared.metric,
        **work,
        **costs,
        "run folder": str(prepared.folder) if prepared.folder else None,
        "warnings": list(prepared.objective.warnings()),
    }


def _points(prepared: Prepared) -> list[Params]:
    """List the points of a grid; of any other search, points like those it may propose."""
    if isinstance(prepared.study.search, Grid):
        points: list[Params] = list(itertools.islice(prepared.space.grid(), _PLANNED))
    else:
        generator = random.Random(prepared.study.seed)
        count = min(prepared.total or 0, _PLANNED)
        points = [prepared.space.sample(generator) for _ in range(count)]
    return points if prepared.baseline is None else [*points, prepared.baseline]


def _rungs(study: Study, units: int) -> dict[str, str]:
    """Spell where trials may be stopped."""
    if isinstance(study.scheduler, Full):
        return {}
    rungs = study.scheduler.rungs(units)
    if len(rungs) == 1:
        return {"rungs": "none, nobody is stopped early"}
    return {"rungs": ", ".join(map(str, rungs))}


def _costs(prepared: Prepared, points: Sequence[Params], trials: int | None) -> dict[str, Any]:
    """Bound the cost, if the objective can; no figure is better than a wrong 0."""
    objective = prepared.objective
    if type(objective).estimate is Objective.estimate or not points:
        return {}
    units = objective.units()
    first = units[: _met_by_all(prepared.study, len(units))]
    shown = points[:: -(-len(points) // _COSTED)]
    low = [objective.estimate_range(point, first)[0] for point in shown]
    high = [objective.estimate_range(point, units)[1] for point in shown]
    if not any(cost.calls for cost in high):
        return {}
    count = trials if trials is not None else len(points)
    facts: dict[str, Any] = {
        f"{name} {end}": _scaled([getattr(cost, field) for cost in costs], count)
        for name, field in (("calls", "calls"), ("tokens in", "tokens_in"), ("usd", "usd"),
                            ("tokens out", "tokens_out"))
        for end, costs in (("at least", low), ("at most", high))
    }  # fmt: skip
    facts["usd per trial"] = (min(c.usd for c in low), max(c.usd for c in high))
    unknown = sorted({name for point in shown for name in objective.unpriced(point)})
    return {**facts, **({"price unknown": ", ".join(unknown)} if unknown else {})}


def _met_by_all(study: Study, units: int) -> int:
    """Count the questions that a trial answers before it can be stopped."""
    first = study.scheduler.rungs(units)[0]
    return first if study.budget.usd_per_question is None else min(first, FIRST)


def _scaled(amounts: Sequence[float], count: int) -> float:
    """Sum up for `count` trials what is known of some of them; whole where the amounts are."""
    total = sum(amounts) * count / len(amounts)
    whole = all(isinstance(amount, int) for amount in amounts)
    return math.ceil(total) if whole else total


def print_plan(prepared: Prepared, *, as_json: bool) -> None:
    """Print what a run would do."""
    facts = plan(prepared)
    if as_json:
        _print_json(facts)
        return
    warnings = facts.pop("warnings")
    for name, value in facts.items():
        click.echo(f"{name:>19}: {plain(_spelt(name, value))}")
    for warning in warnings:
        click.echo(f"note: {plain(warning)}")
    click.echo("the study is sound; nothing was run")


def _spelt(name: str, value: Any) -> Any:
    if name == "trials" and value is None:
        return "until the budget ends"
    if name.startswith("usd"):
        amounts = value if isinstance(value, tuple) else (value,)
        return " to ".join(f"${amount:.4f}" for amount in amounts)
    return f"{value:,}" if isinstance(value, int) and value >= 1_000 else value


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
        "questions answered": sum(len(t.units) - len(t.missing()) for t in trials),
        "best": dict(best.params) if best else None,
        results.metric or "metric": results.score(best) if best else None,
        "stopped": results.stop_reason,
        "usd": results.record.spent_usd,
    }
    if as_json:
        _print_json(facts)
        return
    for name, value in facts.items():
        if value is not None:
            shown = spell_params(value) if isinstance(value, Mapping) else plain(value)
            click.echo(f"{name:>20}: {shown}")


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
        _print_json(as_plain(results))
        return
    print_table(results, rows)
    for line in lines(results, study):
        click.echo(line)


def print_scores(results: Results, *, as_json: bool = False) -> None:
    """Print every score of every trial, one a line."""
    records = results.scores.to_dict("records")
    if as_json:
        _print_json(records)
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
        "best": dict(best.params) if best else None,
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


def _print_json(value: Any) -> None:
    click.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """Give JSON values only: what is not a finite number is null."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    item = getattr(value, "item", None)  # a NumPy scalar
    return _finite(item()) if callable(item) else value


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
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
