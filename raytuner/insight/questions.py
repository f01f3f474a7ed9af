"""What every question has told: how hard it is, and whether it tells good trials from bad ones.

Classical test theory: difficulty is the mean over trials, discrimination the corrected item-total
correlation (F. M. Lord and M. R. Novick, "Statistical Theories of Mental Test Scores", 1968).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytuner.insight.matrix import metric_of
from raytuner.proof.split import owners

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.results import Results

Array = NDArray[np.float64]

COLUMNS = (
    "question", "group", "mean", "min", "max", "trials", "answered", "discrimination", "remark",
)  # fmt: skip

ENOUGH = 5
"""Complete trials below which a correlation over trials says nothing."""
_MARKED = 5
"""How many questions are named the hardest, or the most discriminating, at most."""


def questions(results: Results) -> pd.DataFrame:
    """Describe every question that the search has asked, one a row, in evaluation order.

    Columns:
        question, group: its id, and the document or conversation it comes from.
        mean, min, max: of the metric over the complete trials, which all questions share; over
            all trials that answered while none is complete.
        trials: how many these are.
        answered: trials that have a score for it, those that were stopped early included.
        discrimination: correlation, over the complete trials, of this question's score with the
            mean of all other questions; near 0 it decides nothing, below 0 it favours the trials
            that are worse elsewhere (look at its gold answer). NaN where fewer than five trials
            are complete or nothing varies.
        remark: any of `saturated` (every trial is fully right), `hopeless` (none is right at all),
            `no difference` (all the same, in between), `never defined` (the metric does not
            apply to it), `hardest`, `most discriminating` (up to five each); separated by
            commas.

    Right and wrong are the ends of the scale: 0 and 1 if all scores lie between them, else the
    best and the worst score seen.

    Raises:
        ConfigError: nothing has been scored yet.
    """
    import pandas as pd

    metric = metric_of(results)
    units = results.record.units
    trials = [trial for trial in results.record.current if trial.metrics]
    scored = np.array([trial.values(metric) for trial in trials]).reshape(len(trials), len(units))
    complete = scored[[trial.complete for trial in trials]]
    base = complete if len(complete) else scored
    answered = (~np.isnan(scored)).sum(axis=0)
    told = discrimination(complete)
    blank = [np.isnan(trial.table).all(axis=1) for trial in trials]
    asked = ~np.logical_and.reduce(blank) if blank else np.zeros(len(units), dtype=bool)
    sign = 1.0 if results.maximise else -1.0
    table = pd.DataFrame(
        {
            "question": list(units),
            "group": owners(units, results.groups),
            **_spread(base),
            "answered": answered,
            "discrimination": told,
        }
    )
    table["remark"] = _flags(scored, asked, sign, table["mean"].to_numpy() * sign, told)
    return table[list(COLUMNS)]


def discrimination(values: Array) -> Array:
    """Correlate every question with the mean of the others over trials.

    Args:
        values: shape [trials, questions]; NaN where the metric is not defined.

    Returns:
        Corrected item-total correlations; shape [questions], NaN where there is none.
    """
    count, width = values.shape
    told = np.full(width, np.nan)
    if count < ENOUGH:
        return told
    known = ~np.isnan(values)
    # centred, so that a question somebody lacks does not shift the mean of the others
    centre = np.divide(np.nansum(values, axis=0), known.sum(axis=0), where=known.any(axis=0),
                       out=np.zeros(width))  # fmt: skip
    centred = np.where(known, values - centre, 0.0)
    total, size = centred.sum(axis=1), known.sum(axis=1)
    for column in range(width):
        use = known[:, column] & (size > 1)
        if use.sum() < ENOUGH:
            continue
        item = centred[use, column]
        rest = (total[use] - item) / (size[use] - 1)
        if item.std() > 1e-12 and rest.std() > 1e-12:
            told[column] = float(np.corrcoef(item, rest)[0, 1])
    return told


def _spread(values: Array) -> dict[str, Any]:
    """Give mean, least, largest and number per question; NaN where nothing is known."""
    known = ~np.isnan(values)
    some = known.any(axis=0) if len(values) else np.zeros(values.shape[1], dtype=bool)
    number = known.sum(axis=0)
    mean = np.where(some, np.nansum(values, axis=0) / np.maximum(number, 1), np.nan)
    low = np.where(some, np.where(known, values, np.inf).min(axis=0, initial=np.inf), np.nan)
    high = np.where(some, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf), np.nan)
    return {"mean": mean, "min": low, "max": high, "trials": number}


def _flags(
    scored: Array, asked: NDArray[np.bool_], sign: float, ease: Array, told: Array
) -> list[str]:
    """Name what is worth knowing of every question.

    Args:
        scored: of all trials; shape [trials, questions].
        asked: questions that any trial has answered, whatever the metric says; shape [questions].
        sign: 1 where more is better, else -1.
        ease: oriented mean of every question; higher is easier.
        told: discrimination of every question.
    """
    known = ~np.isnan(scored)
    flags: list[list[str]] = [[] for _ in range(scored.shape[1])]
    worst, best = _scale(scored[known], sign)
    varies = np.zeros(scored.shape[1], dtype=bool)
    for column, named in enumerate(flags):
        values = sign * scored[known[:, column], column]
        if not len(values):
            if asked[column]:
                named.append("never defined")
            continue
        varies[column] = bool(values.max() > values.min())
        if not varies[column]:
            level = float(values[0])
            named.append(
                "saturated" if level >= best else "hopeless" if level <= worst else "no difference"
            )
    marked = np.where(varies, ease, np.nan)
    for column in _first(marked):
        flags[column].append("hardest")
    for column in _first(np.where(told > 0, -told, np.nan)):
        flags[column].append("most discriminating")
    return [", ".join(named) for named in flags]


def _scale(values: Array, sign: float) -> tuple[float, float]:
    """Give the oriented scores that are fully wrong and fully right."""
    if not len(values):
        return -np.inf, np.inf
    if values.min() >= 0 and values.max() <= 1:
        return (0.0, 1.0) if sign > 0 else (-1.0, 0.0)
    oriented = sign * values
    return float(oriented.min()), float(oriented.max())


def _first(values: Array) -> list[int]:
    """List the columns with the least values, at most `_MARKED` and a quarter of all."""
    order = [int(i) for i in np.argsort(values, kind="stable") if not np.isnan(values[i])]
    return order[: min(_MARKED, max(1, len(values) // 4))]
