"""The rule: what may be called better than the configuration as it stands.

Knows arrays of scores, not trials or studies. All scores are oriented: higher is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from raytuner.proof.choosing import cheaper, choose_finalists
from raytuner.proof.foresight import FEW_QUESTIONS, FEWEST_QUESTIONS, Outlook, foresee
from raytuner.proof.resampling import Array
from raytuner.proof.statistics import (
    RESAMPLES,
    Intervals,
    adjusted_p,
    corrected_gain,
    detectable,
    fewest_groups,
    intervals,
    needed_questions,
    paired,
)
from raytuner.proof.words import Compared, Questions, Status, Verdict

__all__ = [
    "ALPHA", "FEWEST_QUESTIONS", "FEW_QUESTIONS", "LEANING", "MARGIN", "Compared", "Outlook",
    "Questions", "Status", "Verdict", "alpha_of", "choose_finalists", "decide", "foresee",
]  # fmt: skip

ALPHA = 0.05
"""Chance of calling something better that is not."""
LEANING = 5.0
"""Times alpha: p-values below are LEANING."""
MARGIN = 0.03
"""How much worse still counts as "not worse", in units of the metric."""
_SHARE = 0.1
"""The best of any shares is at least so large; what is smaller throughout is an amount."""
_CHOICES = 5
"""One in so many resamples repeats the choice of the best: it gives a mean, not a p-value."""

Policy = Literal["proven", "lean"]


def alpha_of(looks: int, alpha: float = ALPHA) -> float:
    """Halve the threshold with every look at the same held-out questions after the first.

    All looks together then find something that is not there with at most twice the chance of one.

    Args:
        looks: this one included.
        alpha: threshold of the first look.
    """
    return alpha * 0.5 ** max(0, looks - 1)


def decide(
    metric: str,
    search: ArrayLike,
    trials: Sequence[int],
    base: int | None,
    finalists: Sequence[tuple[int, str]],
    held: ArrayLike | None,
    *,
    maximise: bool = True,
    search_groups: Sequence[str] | None = None,
    held_groups: Sequence[str] | None = None,
    costs: Sequence[float | None] | None = None,
    alpha: float = ALPHA,
    looks: int = 1,
    margin: float = MARGIN,
    policy: Policy = "proven",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Verdict:
    """Say whether a finalist is better than the configuration as it stands.

    PROVEN if the adjusted p-value of a finalist is below `alpha`; the cheapest proven one is
    recommended. LEANING below five times `alpha`. WORSE if the interval of every finalist lies
    below 0. NOT PROVEN otherwise. After that, a cheaper finalist whose interval lies above minus
    `margin` is "not worse"; it is offered, and recommended under the policy `lean` only.

    Args:
        metric: its name.
        search: [search questions, configurations], higher is better.
        trials: number of the trial of every column.
        base: column of the configuration as it stands, or None.
        finalists: columns and roles, from `choose_finalists`.
        held: [held-out questions, 1 + finalists], what stands first; None if nothing was held out.
            A question that one of them has no value for (NaN) is left out for all, and counted.
        maximise: whether more of the metric is better; scores are oriented already.
        search_groups: of the search questions.
        held_groups: of the held-out questions.
        costs: per question, of every column of `search`; None where unknown.
        alpha: threshold, from `alpha_of`.
        looks: at these held-out questions, this one included.
        margin: how much worse still counts as "not worse".
        policy: whether LEANING is recommended.
        seed: of the resampling.
        resamples: sign patterns and bootstrap samples.
    """
    table, names, dropped = _whole(search, search_groups)
    known = list(costs) if costs is not None else [None] * len(trials)
    start = Verdict(
        "NONE", metric, maximise, Questions(len(table), 0, 0, dropped), alpha,
        looks=looks, margin=margin, policy=policy, points=_in_points(table, maximise),
        baseline=None if base is None else trials[base],
        baseline_cost=None if base is None else known[base],
        recommended=None if base is None else trials[base],
    )  # fmt: skip
    if base is None:
        return replace(
            start, reason="there is no trial of the configuration as it stands to compare with"
        )
    start = replace(
        start, **_claims(table, base, names, alpha, max(1, resamples // _CHOICES), seed)
    )
    answers, owners, missing = _whole(held, held_groups)
    start = replace(
        start,
        points=start.points and _in_points(answers, maximise),
        questions=Questions(
            len(table), len(answers), len(set(owners or range(len(answers)))), dropped + missing
        ),
    )
    reason = _impossible(metric, table, finalists, held, len(answers))
    if reason:
        return replace(start, reason=reason)
    differences = paired(answers, 0, range(1, answers.shape[1]))
    scale = float(np.ptp(answers)) or 1.0
    options: dict[str, Any] = {"resamples": resamples, "seed": seed}
    bounds = intervals(differences, owners, alpha=alpha, scale=scale, **options)
    p = np.minimum(1.0, 2.0 * adjusted_p(differences, owners, **options))  # two-sided
    gains = table.mean(axis=0) - table[:, base].mean() if len(table) else np.full(len(trials), 0.0)
    told = tuple(
        Compared(
            trials[column], role, float(gains[column]), float(bounds.mean[row]),
            float(bounds.low[row]), float(bounds.high[row]), float(p[row]), known[column],
            cheaper(known[column], known[base]) and bool(bounds.low[row] > -margin),
        )
        for row, (column, role) in enumerate(finalists)
    )  # fmt: skip
    ruled = _rule(replace(start, finalists=told, reason=_peculiar(start, answers)))
    return _outlook(ruled, bounds)


def _rule(verdict: Verdict) -> Verdict:
    """Settle status, leader and recommendation from what is known of the finalists."""
    told = verdict.finalists
    leader = min(told, key=lambda one: (one.p, -one.gain))
    if leader.p < verdict.alpha:
        proven = [one for one in told if one.p < verdict.alpha]
        if any(one.cost is None for one in proven):
            leader = min(proven, key=lambda one: -one.gain)
        else:
            leader = min(proven, key=lambda one: (one.cost or 0.0, -one.gain))
        return replace(verdict, status="PROVEN", leader=leader, recommended=leader.trial)
    status: Status = "NOT PROVEN"
    recommended = verdict.baseline
    kept = [one for one in told if one.not_worse]
    if kept and verdict.policy == "lean":
        recommended = min(kept, key=lambda one: one.cost or 0.0).trial
    if leader.p < min(LEANING * verdict.alpha, LEANING * ALPHA):
        status = "LEANING"
        recommended = leader.trial if verdict.policy == "lean" else verdict.baseline
    elif all(one.high < 0 for one in told):
        status = "WORSE"
        leader = max(told, key=lambda one: one.gain)
    return replace(verdict, status=status, leader=leader, recommended=recommended)


def _outlook(verdict: Verdict, bounds: Intervals) -> Verdict:
    """Add what more questions would show of the leader, and what these could have shown."""
    assert verdict.leader is not None
    many = verdict.questions.held_out
    if verdict.questions.groups < (fewest := fewest_groups(verdict.alpha)):
        return replace(verdict, needed_groups=fewest)
    sd = float(bounds.error[verdict.finalists.index(verdict.leader)]) * many**0.5
    gain, needed = verdict.leader.gain, None
    if verdict.status in ("LEANING", "NOT PROVEN") and gain > 0:
        # so many were not enough: the formula knows one candidate and no small samples
        needed = max(many + 1, needed_questions(sd, gain, verdict.alpha))
    return replace(verdict, needed_questions=needed, detectable=detectable(many, sd, verdict.alpha))


def _claims(
    table: Array, base: int, groups: Sequence[str] | None, alpha: float, resamples: int, seed: int
) -> dict[str, Any]:
    """Give the gain that "take the best of the search" claims, raw and corrected."""
    if not len(table):
        return {}
    raw = float(table.mean(axis=0).max() - table[:, base].mean())
    if len(set(groups or range(len(table)))) < 2:
        return {"raw_gain": raw}
    gain = corrected_gain(table, base, groups, alpha=alpha, resamples=resamples, seed=seed)
    return {
        "raw_gain": raw, "corrected_gain": gain.mean,
        "corrected_low": gain.low, "corrected_high": gain.high,
    }  # fmt: skip


def _whole(
    scores: ArrayLike | None, groups: Sequence[str] | None
) -> tuple[Array, list[str] | None, int]:
    """Leave out the questions that a configuration has no value for; count them."""
    if scores is None:
        return np.empty((0, 0)), None, 0
    table = np.asarray(scores, dtype=np.float64)
    kept = np.flatnonzero(~np.isnan(table).any(axis=1))
    names = None if groups is None else [groups[row] for row in kept.tolist()]
    return table[kept], names, len(table) - len(kept)


def _impossible(
    metric: str,
    search: Array,
    finalists: Sequence[tuple[int, str]],
    held: ArrayLike | None,
    questions: int,
) -> str | None:
    """Say why nothing can be compared, if so."""
    if len(search) and not np.ptp(search):
        return f"{metric} is the same for every configuration and question, and so tells nothing"
    several = search.ndim == 2 and search.shape[1] > 1
    if not finalists and several and len(search) and not np.ptp(search, axis=1).any():
        return (
            f"every configuration has the same {metric} on each question, so nothing that was "
            "varied makes a difference"
        )
    if held is None:
        return f"no questions were held out, and a verdict needs at least {FEWEST_QUESTIONS}"
    if questions < FEWEST_QUESTIONS:
        return (
            f"{questions} held-out questions can be compared on, and a verdict needs at least "
            f"{FEWEST_QUESTIONS}"
        )
    if not finalists:
        return (
            "no complete trial differs from the configuration as it stands"
            if several
            else "no other configuration is complete and within the limits"
        )
    return None


def _peculiar(verdict: Verdict, answers: Array) -> str | None:
    """Say what is odd about the held-out answers, if anything."""
    stands = answers[:, 0]
    if verdict.points and bool((stands == (1.0 if verdict.maximise else 0.0)).all()):
        return f"it already has the best possible {verdict.metric} on every held-out question"
    if not np.ptp(answers, axis=1).any():
        return (
            f"no finalist differs from it in {verdict.metric} on any of {len(answers)} held-out "
            "questions"
        )
    return None


def _in_points(table: Array, maximise: bool) -> bool:
    """Tell whether scores are shares, whose gains are told in points: not dollars, nor seconds."""
    share = ((table >= 0) & (table <= 1)).all() and (not table.size or table.max() >= _SHARE)
    return maximise and bool(share)
