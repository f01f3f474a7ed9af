"""Which parameters matter: main effects as paired differences, and a model's opinion beside it.

An effect compares the trials that have a level with those that have another one, question by
question. On a full grid each comparison is between trials that differ in nothing else, so nothing
has to be assumed. Permutation importance: L. Breiman, "Random Forests", Machine Learning 45 (2001).
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from raytuner.insight.forest import Opinion, opinion
from raytuner.insight.levels import Levels, levels_of
from raytuner.insight.matrix import Array, Matrix, cluster_count, common, resamples

if TYPE_CHECKING:
    import pandas as pd

    from raytuner.results import Results

DRAWS = 2_000
"""Resamples behind an interval."""
_FEW, _FEW_PAIRED = 10, 3
"""Trials of a level, or pairings of it, below which its effect is marked as resting on few."""
_PAIRED_SHARE = 0.8
"""Share of a level's trials that need a partner, differing in nothing else, to go by pairs."""


@dataclass(frozen=True)
class Importance:
    """What parameters do to the metric.

    Attributes:
        effects: a row per parameter and level: `parameter`, `level`, `trials`, `effect` (the mean
            with this level minus the mean with the others; positive is better), `low`, `high`
            (95 % interval of this one effect), `few` (too few trials to lean on), `paired`
            (trials that differ in nothing else were compared).
        ranking: a row per parameter, `parameter` and `range`: the distance between its best and
            its worst level, in units of the metric. Largest first.
        model: `parameter`, `importance` (loss of R^2 when its values are shuffled), `share`; None
            where there is no model that can be believed.
        r2: out-of-bag R^2 of the model; None where none was fitted.
        note: what to keep in mind, in sentences.
        metric: what the effects are in units of.
    """

    effects: pd.DataFrame
    ranking: pd.DataFrame
    model: pd.DataFrame | None
    r2: float | None
    note: str
    metric: str

    def _repr_html_(self) -> str:
        parts = [
            f"<p>{html.escape(self.note)}</p>",
            self.ranking.to_html(index=False, escape=True),
            self.effects.to_html(index=False, escape=True),
        ]
        if self.model is not None:
            parts.append(self.model.to_html(index=False, escape=True))
        return "\n".join(map(str, parts))


def importance(results: Results, *, seed: int = 0) -> Importance:
    """Estimate the effect of every level of every parameter.

    Intervals come from a bootstrap of the questions, whole groups at a time; where trials cannot
    be paired, how much trials with one level differ among each other is added. Numbers with more
    than eight values are put into at most eight ranges of equal frequency. Trials that were
    stopped early are compared on the questions all have answered.

    Args:
        results: the run.
        seed: of everything random.

    Raises:
        ConfigError: nothing has been scored yet.
    """
    import pandas as pd

    matrix = common(results)
    sign = 1.0 if results.maximise else -1.0
    oriented = matrix._replace(values=sign * matrix.values)
    rows: list[dict[str, Any]] = []
    if matrix.trials:
        effects = _Effects(oriented, results, seed)
        for name in results.parameters:
            rows += effects.of(name)
    names = ("parameter", "level", "trials", "effect", "low", "high", "few", "paired")
    table = pd.DataFrame(rows, columns=list(names))
    view = opinion(matrix, results.parameters, seed)
    return Importance(
        effects=table,
        ranking=_ranking(table),
        model=view.table,
        r2=view.r2,
        note=_note(results, matrix, view),
        metric=results.metric or "",
    )


class _Effects:
    """Compares levels on one set of trials, all of them on the same resamples of questions.

    Args:
        matrix: oriented scores.
        results: where groups are from.
        seed: of the resamples.
    """

    def __init__(self, matrix: Matrix, results: Results, seed: int) -> None:
        self._matrix = matrix
        drawn = resamples(matrix.units, results.groups, DRAWS, seed).astype(np.float64)
        self._drawn = drawn / drawn.sum(axis=1, keepdims=True)
        groups = cluster_count(matrix.units, results.groups)
        self._spread = np.sqrt(groups / (groups - 1)) if groups > 1 else np.nan
        self._rng = np.random.default_rng(seed + 1)

    def of(self, name: str) -> list[dict[str, Any]]:
        """Give a row per level of one parameter; nothing if there are not two levels."""
        found = levels_of(name, self._matrix.trials)
        rows = []
        for number, level in enumerate(found.names if len(found.names) > 1 else ()):
            mine = found.codes == number
            others = (found.codes >= 0) & ~mine
            rows.append(
                {"parameter": name, "level": level, "trials": int(mine.sum())}
                | self._compare(mine, others, found)
            )
        return rows

    def _compare(
        self, mine: NDArray[np.bool_], others: NDArray[np.bool_], found: Levels
    ) -> dict[str, Any]:
        weights, blocks = _pairing(mine, others, found.blocks)
        paired = blocks > 0 and not found.ranges
        values = self._matrix.values
        if not paired:
            weights = mine / mine.sum() - others / others.sum()
        per_question = weights @ values
        estimate = float(per_question.mean())
        drawn = (self._drawn @ per_question - estimate) * self._spread
        if not paired:
            drawn = drawn + self._rng.normal(0.0, _sampling_error(values, mine, others), DRAWS)
        if np.isfinite(drawn).all():
            low, high = np.quantile(drawn, [0.025, 0.975])
        else:
            low, high = -np.inf, np.inf  # one group of questions tells nothing about others
        few = blocks < _FEW_PAIRED if paired else mine.sum() < _FEW
        return {
            "effect": estimate, "low": estimate + float(low), "high": estimate + float(high),
            "few": bool(few), "paired": paired,
        }  # fmt: skip


def _pairing(
    mine: NDArray[np.bool_], others: NDArray[np.bool_], blocks: NDArray[np.int64]
) -> tuple[Array, int]:
    """Weigh trials so that each is compared with those that differ in one parameter only.

    Args:
        mine: trials with the level; shape [trials].
        others: trials with another one; shape [trials].
        blocks: number of the block: trials that are alike in all other parameters.

    Returns:
        Weights whose product with scores is the effect, shape [trials], and the number of blocks
        that were compared; 0 if too many trials have no partner.
    """
    width = int(blocks.max()) + 1
    with_level = np.bincount(blocks[mine], minlength=width)
    without = np.bincount(blocks[others], minlength=width)
    both = (with_level > 0) & (without > 0)
    count = int(both.sum())
    if with_level[both].sum() < _PAIRED_SHARE * mine.sum():
        return np.zeros(len(mine)), 0
    with np.errstate(divide="ignore"):
        plus = np.where(both, 1 / with_level, 0.0) / count
        minus = np.where(both, 1 / without, 0.0) / count
    return np.where(mine, plus[blocks], 0.0) - np.where(others, minus[blocks], 0.0), count


def _sampling_error(values: Array, mine: NDArray[np.bool_], others: NDArray[np.bool_]) -> float:
    """Give the standard error of an unpaired difference that comes from which trials there are."""
    means = values.mean(axis=1)
    spread = [float(means[part].var(ddof=1)) if part.sum() > 1 else np.nan
              for part in (mine, others)]  # fmt: skip
    known = [one for one in spread if not np.isnan(one)]
    if not known:
        return float("inf")
    filled = [known[0] if np.isnan(one) else one for one in spread]
    return float(np.sqrt(filled[0] / mine.sum() + filled[1] / others.sum()))


def _ranking(effects: pd.DataFrame) -> pd.DataFrame:
    """Order parameters by the distance between their best and their worst level.

    An effect is against the mean of the k - 1 other levels, which is k / (k - 1) times the
    distance to the mean of all; the range is put back to the metric's own scale. Levels with few
    trials are left out where two others remain.
    """
    import pandas as pd

    rows = []
    for name, own in effects.groupby("parameter", sort=False):
        sure = own[~own["few"].astype(bool)]
        used = sure if len(sure) > 1 else own
        distance = float(used["effect"].max() - used["effect"].min()) * (len(own) - 1) / len(own)
        rows.append({"parameter": name, "range": distance})
    table = pd.DataFrame(rows, columns=["parameter", "range"])
    return table.sort_values("range", ascending=False, kind="stable", ignore_index=True)


def _note(results: Results, matrix: Matrix, view: Opinion) -> str:
    """Say what the figures rest on, and what they must not be taken for."""
    asked = len(results.record.units)
    if results.record.curve:
        said = [f"{len(matrix.trials)} trials after {asked} steps."]
        short = "were stopped early"
    else:
        said = [f"{len(matrix.trials)} trials on {len(matrix.units)} of {asked} questions."]
        short = "share too few questions"
    if matrix.left_out:
        said.append(f"{matrix.left_out} trials {short} and are left out.")
    if not results.maximise:
        said.append(f"Less {results.metric} is better: positive effects are reductions.")
    if learned(results):
        said.append(
            "The trials were chosen by a search that learns: they crowd where results are good, "
            "so effects are biased towards what holds there."
        )
    if view.reason:
        said.append(view.reason)
    return " ".join(said)


def learned(results: Results) -> bool:
    """Tell whether the search that chose the trials looked at results; False if not known."""
    from raytuner.component import ConfigError
    from raytuner.insight.curve import opened
    from raytuner.search import Search

    facts = opened(results).get("config") or {}
    kind = (facts.get("search") or {}).get("kind", "")
    try:
        return bool(Search.named(kind).learns) if kind else False
    except ConfigError:  # a plugin's search, not imported here
        return False
