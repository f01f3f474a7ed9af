"""Says what a run would do before it does it: trials, distinct work, cost, what it can prove."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from raytuner.limits import FIRST
from raytuner.objective import Cost, Objective, Params
from raytuner.printable import plain, print_json
from raytuner.proof.foresight import Outlook, foresee
from raytuner.proof.split import Split, owners
from raytuner.schedulers import Full, Scheduler
from raytuner.search import Grid
from raytuner.sweeping.finals import COMPARED

if TYPE_CHECKING:
    from raytuner.tuner import Prepared

_COSTED = 200
"""Points whose cost is estimated; others are taken to cost as much on average."""
_PLANNED = 10_000
"""Points whose work is counted; a larger grid is estimated from these."""


def plan(prepared: Prepared) -> dict[str, Any]:
    """Say what a run would do: trials, distinct work, cost, warnings."""
    points, foreseen = _points(prepared), outlook(prepared)
    keys = {prepared.objective.key(point) for point in points}
    total, listed = prepared.planned, prepared.total
    if isinstance(prepared.study.search, Grid) and listed is not None and listed <= _PLANNED:
        total = min(len(keys), total or len(keys))  # points that compute the same are one trial
    divided = prepared.split
    work = prepared.objective.plan(points)
    costs = _costs(prepared, points, total)
    if "usd at most" in costs:  # what is embedded serves all trials
        costs["usd at most"] += work.get("usd to embed at most", 0.0)
    return {
        "trials": total,
        **_parts(divided, curve=prepared.objective.curve),
        **_rungs(prepared.scheduler, len(divided.searched)),
        "metric": prepared.metric,
        **work,
        **costs,
        "run folder": str(prepared.folder) if prepared.folder else None,
        "verdict": foreseen.sentence if foreseen else None,
        "warnings": notes(prepared),
    }


def outlook(prepared: Prepared) -> Outlook | None:
    """Say what the verdict will be able to prove; None if nothing could be compared at all."""
    divided, trust = prepared.split, prepared.study.verdict
    questions = divided.held_out if prepared.objective.curve else divided.units
    if prepared.baseline is None or trust.held_out == 0 or len(questions) < 2:
        return None
    groups = len(set(owners(divided.held_out, divided.groups)))
    return foresee(len(questions), len(divided.held_out), trust.alpha, groups)


def notes(prepared: Prepared) -> list[str]:
    """Say what looks wrong with the data, and what too few questions will not tell."""
    found, foreseen = list(prepared.objective.warnings()), outlook(prepared)
    if foreseen is not None:
        found += [text for text in (foreseen.error, foreseen.warning) if text]
    return found


def _parts(divided: Split, *, curve: bool) -> dict[str, int]:
    """Say what is searched and what is held out."""
    searched, held = len(divided.searched), len(divided.held_out)
    if curve:
        return {"steps": searched, **({"questions held out": held} if held else {})}
    parts = {"searched": searched, "held out": held} if held else {}
    return {"questions": searched + held, **parts}


def _points(prepared: Prepared) -> list[Params]:
    """List the points of a grid; of any other search, points like those it may propose."""
    if isinstance(prepared.study.search, Grid):
        points: list[Params] = list(itertools.islice(prepared.space.grid(), _PLANNED))
    else:
        generator = random.Random(prepared.study.seed)
        count = min(prepared.total or 0, _PLANNED)
        points = [prepared.space.sample(generator) for _ in range(count)]
    return points if prepared.baseline is None else [*points, prepared.baseline]


def _rungs(scheduler: Scheduler, units: int) -> dict[str, str]:
    """Spell where trials may be stopped."""
    if isinstance(scheduler, Full):
        return {}
    rungs = scheduler.rungs(units)
    if len(rungs) == 1:
        return {"rungs": "none, nobody is stopped early"}
    return {"rungs": ", ".join(map(str, rungs))}


def _costs(prepared: Prepared, points: Sequence[Params], trials: int | None) -> dict[str, Any]:
    """Bound the cost, if the objective can; no figure is better than a wrong 0."""
    objective = prepared.objective
    if type(objective).estimate is Objective.estimate or not points:
        return {}
    units, final = prepared.split.searched, prepared.split.held_out
    first = units[: _met_by_all(prepared, len(units))]
    shown = points[:: -(-len(points) // _COSTED)]
    low = [objective.estimate_range(point, first)[0] for point in shown]
    high = [objective.estimate_range(point, units)[1] for point in shown]
    if not any(cost.calls for cost in high):
        return {}
    count = trials if trials is not None else len(points)
    share = COMPARED / max(count, COMPARED)  # of the trials that come to the finals
    if final:
        high = [
            cost.plus(_part(objective.estimate_range(point, final)[1], share))
            for cost, point in zip(high, shown, strict=True)
        ]
    facts: dict[str, Any] = {
        f"{name} {end}": _scaled([getattr(cost, field) for cost in costs], count)
        for name, field in (("calls", "calls"), ("tokens in", "tokens_in"), ("usd", "usd"),
                            ("tokens out", "tokens_out"))
        for end, costs in (("at least", low), ("at most", high))
    }  # fmt: skip
    made = prepared.study.search.most(prepared.space, objective)
    for name, amount in zip(("usd", "tokens in", "tokens out", "calls"), made, strict=True):
        facts[f"{name} at most"] += amount * count
    if made.usd:
        facts["usd for new texts at most"] = made.usd * count
    facts["usd per trial"] = (min(c.usd for c in low), max(c.usd for c in high))
    unknown = sorted({name for point in shown for name in objective.unpriced(point)})
    return {**facts, **({"price unknown": ", ".join(unknown)} if unknown else {})}


def _part(cost: Cost, share: float) -> Cost:
    """Give a share of a cost, rounded up."""
    usd, *counts = cost
    return Cost(usd * share, *(math.ceil(count * share) for count in counts))


def _met_by_all(prepared: Prepared, units: int) -> int:
    """Count the questions that a trial answers before it can be stopped."""
    first = prepared.scheduler.rungs(units)[0]
    return min(first, FIRST) if prepared.goal.limits else first


def _scaled(amounts: Sequence[float], count: int) -> float:
    """Sum up for `count` trials what is known of some of them; whole where the amounts are."""
    total = sum(amounts) * count / len(amounts)
    whole = all(isinstance(amount, int) for amount in amounts)
    return math.ceil(total) if whole else total


def print_plan(prepared: Prepared, *, as_json: bool) -> None:
    """Print what a run would do."""
    facts = plan(prepared)
    if as_json:
        print_json(facts)
        return
    warnings = facts.pop("warnings")
    for name, value in facts.items():
        if name != "verdict" or value is not None:
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
