"""Puts a study's record before the verdict: which trials, which questions, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from raytuner.judging.finalists import Finalist, finalists
from raytuner.proof.split import HELD_OUT, owners
from raytuner.trial import Trial
from raytuner.verdict import FEWEST_QUESTIONS, Verdict, alpha_of, decide

if TYPE_CHECKING:
    from raytuner.results import Results


def verdict_of(results: Results) -> Verdict:
    """Decide whether anything that was tried is better than the configuration as it stands.

    A finalist with a held-out question that failed takes no part: it must not gain by failing.
    """
    field, trust, record = results.field, results.trust, results.record
    chosen = finalists(field)
    ready = [one for one in chosen if not one.trial.held.missing()] if record.held_out else []
    if any(_open(one.trial) for one in chosen):  # a part of the finalists would be another test
        ready = []
    standing = None if field.base is None else field.trials[field.base]
    whole = standing is not None and not standing.held.missing()
    held, groups = None, None
    if standing is not None and whole and ready:
        compared = [standing, *(one.trial for one in ready)]
        unseen = [unit not in record.spoiled for unit in record.held_out]
        held = np.column_stack([results.oriented(trial.held) for trial in compared])[unseen]
        asked = [unit for unit in record.held_out if unit not in record.spoiled]
        groups = owners(asked, results.groups)
    looks = max(1, len(record.looks))
    verdict = decide(
        results.metric or "score",
        field.scores,
        [trial.number for trial in field.trials],
        field.base,
        [(field.trials.index(one.trial), one.role) for one in ready],
        held,
        maximise=results.maximise,
        search_groups=field.groups or None,
        held_groups=groups,
        costs=field.costs,
        alpha=alpha_of(looks, trust.alpha),
        looks=looks,
        margin=trust.margin,
        policy=trust.policy,
    )
    reason = _spoiled(results) or _missing(results, chosen, ready, standing)
    over = results.broken(standing) if standing is not None else None
    said = f"mind that the configuration as it stands is over a limit: {over}" if over else None
    verdict = replace(verdict, note=said)
    if verdict.status == "NONE":
        return replace(verdict, reason=reason or verdict.reason)
    return verdict


def _open(trial: Trial) -> bool:
    """Tell whether a trial has held-out questions left that have not failed either."""
    return any(unit not in trial.held.failures for unit in trial.held.missing())


def _spoiled(results: Results) -> str | None:
    """Say that an earlier search has used the held-out questions up."""
    spoiled, held_out = len(results.record.spoiled), len(results.record.held_out)
    if not spoiled or held_out - spoiled >= FEWEST_QUESTIONS:
        return None
    return (
        f"an earlier study in this run folder has searched {spoiled} of the {held_out} held-out "
        "questions, so they prove nothing about what it found; ask new questions"
    )


def _missing(
    results: Results, chosen: list[Finalist], ready: list[Finalist], standing: Trial | None
) -> str | None:
    """Say what is not there yet, if that is why there is no verdict."""
    held_out = len(results.record.held_out)
    if not results.record.current:
        return "nothing has been tried yet"
    if not any(results.score(trial) is not None for trial in results.record.current):
        return "no trial has answered every question of the search"
    if standing is None:
        if results.baseline is None:
            return None
        return "the configuration as it stands has not answered every question of the search"
    if not held_out:
        return _undivided(results)
    if not results.closed and standing.held.missing():
        return "the study is not over, and the finalists are compared at its end"
    if not chosen:
        return _nobody(results)
    lacking = [one.trial for one in chosen if one.trial.held.missing()]
    if standing.held.missing():
        lacking = [standing, *lacking]
    if not lacking or (ready and standing not in lacking):
        return None
    first = lacking[0]
    failed = next(iter(first.held.failures.values()), None)
    why = f" ({failed.kind}: {failed.message})" if failed else f"; {_onwards(results)}"
    return (
        f"trial {first.number} lacks {len(first.held.missing())} of {held_out} held-out "
        f"questions{why}"
    )


def _onwards(results: Results) -> str:
    """Say how a study that was cut short goes on; with a budget that is used it would not."""
    used = (results.stop_reason or "").startswith("the budget")
    return f"{'raise the budget and ' if used else ''}run the study again to go on"


def _nobody(results: Results) -> str | None:
    """Say why nothing can be compared with the configuration as it stands; None: scores tell."""
    field = results.field
    if len(field.trials) < 2:
        return "no other configuration is complete and within the limits"
    if len(field.scores) and np.ptp(field.scores, axis=1).any():
        return "no complete trial differs from the configuration as it stands"
    return None


def _undivided(results: Results) -> str:
    """Say why no questions are held out."""
    if results.record.curve:
        return "the objective names no questions to judge what it has trained"
    count = len(results.record.units)
    if results.trust.held_out == 0:
        return "no questions are held out (`verdict.held_out: 0`)"
    if count * HELD_OUT >= FEWEST_QUESTIONS:
        return "no questions were held out when this was run; run the study again for a verdict"
    few = "1 question is" if count == 1 else f"{count} questions are"
    return (
        f"{few} too few to hold any out, so what leads was chosen by the very questions that "
        "praise it"
    )
