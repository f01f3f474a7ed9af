"""Trials that no other one beats in every goal at once, and how firm that is.

Under noise some points are on the front by luck. A front is drawn again for every resample of the
questions, the same resample for all trials; a point is firm if it is on at least half of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from raytuner.component import ConfigError, nearest
from raytuner.insight.matrix import Array, cluster_count, metric_of, resamples
from raytuner.objective import UNIT_USD
from raytuner.proof.split import owners
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.results import Results

Direction = Literal["max", "min"]
DRAWS = 500
FIRM = 0.5
"""Share of the resamples in which a firm point is on the front."""


def pareto(
    results: Results, goals: Mapping[str, Direction] | None = None, *, seed: int = 0
) -> pd.DataFrame:
    """Find the trials that are not dominated: no other is better in a goal and worse in none.

    Metrics with a score per question are resampled; columns of the trial table that describe a
    whole trial (index size, a percentile of the latency) are taken as they are. Only trials with
    all their goals take part.

    Args:
        results: the run.
        goals: metric or column of `results.trials` to "max" or "min", the most important one
            first; default: those of the study, or else the optimised metric and dollars a question.
        seed: of the resamples.

    Returns:
        One row a trial, the front first, best in the first goal first: `trial`, the parameters,
        the goals, `on_front`, `share` (of the resamples with the trial on the front), `firm`, and
        `knee`: true for the one trial that is best in the second goal among those within one
        paired standard error of the best in the first.

    Raises:
        ConfigError: an unknown goal or direction, or fewer than two goals.
    """
    import pandas as pd

    chosen = _goals(results, goals)
    values, trials = _means(results.trials, results.ranked, chosen)
    signs = np.array([1.0 if way == "max" else -1.0 for way in chosen.values()])
    oriented = values * signs
    on_front = front(oriented)
    share = _share(results, trials, oriented, list(chosen), signs, seed)
    rows = pd.DataFrame({"trial": [trial.number for trial in trials]})
    for name in results.parameters:
        rows[name] = pd.Series([trial.params.get(name) for trial in trials], dtype=object)
    for column, name in enumerate(chosen):
        rows[name] = values[:, column]
    rows["on_front"], rows["share"] = on_front, share
    rows["firm"] = on_front & (share >= FIRM)
    rows["knee"] = _knee(results, trials, oriented, next(iter(chosen)))
    order = np.lexsort([-oriented[:, 0], ~on_front])
    return rows.iloc[order].reset_index(drop=True)


def front(values: Array) -> NDArray[np.bool_]:
    """Mark the points that no other one dominates; equal points do not dominate each other.

    Args:
        values: shape [points, goals]; higher is better, -inf where nothing is known.
    """
    count = len(values)
    alive = np.ones(count, dtype=bool)
    for point in np.argsort(-values.sum(axis=1), kind="stable") if count else ():
        if not alive[point]:
            continue
        worse = (values <= values[point]).all(axis=1) & (values < values[point]).any(axis=1)
        alive &= ~worse
    return alive


def _goals(results: Results, goals: Mapping[str, Direction] | None) -> dict[str, Direction]:
    """Check the goals, or choose them.

    Raises:
        ConfigError: see `pareto`.
    """
    known = [*results.metrics, *results.trials.columns]
    goals = _own(results, known) if goals is None else goals
    for name, way in goals.items():
        if name not in known:
            raise ConfigError(
                f"goals: {name!r} is no metric or column of this run.{nearest(name, known)}"
            )
        if way not in {"max", "min"}:
            raise ConfigError(f"goals: {name}: {way!r} is neither 'max' nor 'min'")
    if len(goals) < 2:
        raise ConfigError(
            "goals: a front needs at least two, as {'"
            + (next(iter(goals), None) or "score")
            + "': 'max', 'seconds': 'min'}"
        )
    return dict(goals)


def _own(results: Results, known: Sequence[str]) -> dict[str, Direction]:
    """Choose the goals of the study, or what it optimises and dollars a question."""
    if results.goal.pareto:
        return {n: "min" if n in results.goal.lower else "max" for n in results.goal.metrics}
    own: Direction = "max" if results.maximise else "min"
    goals: dict[str, Direction] = {metric_of(results): own}
    return {**goals, UNIT_USD: "min"} if UNIT_USD in known else goals


def _means(
    table: pd.DataFrame, trials: list[Trial], goals: Mapping[str, Direction]
) -> tuple[Array, list[Trial]]:
    """Give every goal of the trials that have them all.

    Raises:
        ConfigError: a column that is not of numbers.
    """
    columns = []
    for name in goals:
        means = [trial.mean(name) if name in trial.metrics else None for trial in trials]
        if any(mean is not None for mean in means):
            columns.append(np.array([np.nan if m is None else m for m in means]))
            continue
        try:
            columns.append(table[name].to_numpy(dtype=np.float64, na_value=np.nan))
        except (TypeError, ValueError, KeyError):
            raise ConfigError(f"goals: {name} has no numbers to compare") from None
    values = np.column_stack(columns) if trials else np.empty((0, len(goals)))
    # a trial without all its scores gains nothing by a good column of the table
    whole = np.isfinite(values).all(axis=1) & np.array([t.complete for t in trials], dtype=bool)
    return values[whole], [trial for trial, kept in zip(trials, whole, strict=True) if kept]


def _share(
    results: Results,
    trials: list[Trial],
    oriented: Array,
    goals: list[str],
    signs: Array,
    seed: int,
) -> Array:
    """Give the share of resamples in which a trial is on the front; shape [trials]."""
    units = results.record.units
    drawn = resamples(units, results.groups, DRAWS, seed).astype(np.float64)
    cube = np.repeat(oriented[None], DRAWS, axis=0)
    for column, name in enumerate(goals):
        if not trials or not all(name in trial.metrics for trial in trials):
            continue
        values = np.array([_last_only(trial, trial.values(name)) for trial in trials])
        known = ~np.isnan(values)
        weight = drawn @ known.T
        total = drawn @ np.where(known, values, 0.0).T
        means = np.divide(total, weight, where=weight > 0, out=np.full_like(total, np.nan))
        cube[:, :, column] = np.where(np.isnan(means), -np.inf, signs[column] * means)
    return np.asarray(sum(front(one).astype(np.float64) for one in cube) / DRAWS)


def _last_only(trial: Trial, values: Array) -> Array:
    """Blank all steps of a training but the last one."""
    kept = np.full(len(values), np.nan)
    kept[trial.counted] = values[trial.counted]
    return kept


def _knee(results: Results, trials: list[Trial], oriented: Array, goal: str) -> NDArray[np.bool_]:
    """Mark the trial that is best in the second goal within one paired error of the best."""
    marked = np.zeros(len(trials), dtype=bool)
    if not trials:
        return marked
    leader = max(range(len(trials)), key=lambda i: tuple(oriented[i]))
    within = [
        number
        for number, trial in enumerate(trials)
        if oriented[leader, 0] - oriented[number, 0]
        <= _paired_error(results, trials[leader], trial, goal)
    ]
    best = max(within, key=lambda i: (*oriented[i, 1:], oriented[i, 0], -trials[i].number))
    marked[best] = True
    return marked


def _paired_error(results: Results, left: Trial, right: Trial, goal: str) -> float:
    """Give the standard error of the mean paired difference, by groups of questions.

    0 for what is not measured by question, and where there is one group only.
    """
    difference = _last_only(left, left.values(goal) - right.values(goal))
    known = ~np.isnan(difference)
    units = [unit for unit, kept in zip(results.record.units, known, strict=True) if kept]
    count = cluster_count(units, results.groups)
    if count < 2:
        return 0.0
    residual = difference[known] - difference[known].mean()
    sums: dict[str, float] = {}
    for name, value in zip(owners(units, results.groups), residual, strict=True):
        sums[name] = sums.get(name, 0.0) + float(value)
    total = sum(value**2 for value in sums.values())
    return float(np.sqrt(total * count / (count - 1)) / len(units))
