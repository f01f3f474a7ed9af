"""What a verdict will be able to tell, said before anything is run."""

from __future__ import annotations

import math
from typing import NamedTuple

from raytuner.proof.statistics import detectable, fewest_groups

FEWEST_QUESTIONS = 20
"""Held-out questions below which there is no verdict."""
FEW_QUESTIONS = 60
"""Held-out questions below which the interval covers less, and proves less, than users expect."""
YES_NO_SD, GRADED_SD = 0.5, 0.3
"""Standard deviations of a question's paired difference that were measured for scores of 0 or 1,
and for graded scores between them."""


class Outlook(NamedTuple):
    """What a verdict on so many questions can tell, before anything is run.

    Attributes:
        sentence: the smallest gains that it proves.
        warning: why it will rarely prove anything, or nothing.
        error: why there can be none, or nothing.
    """

    sentence: str
    warning: str = ""
    error: str = ""


def foresee(
    questions: int, held_out: int, alpha: float = 0.05, groups: int | None = None
) -> Outlook:
    """Tell before a run what its verdict will be able to prove.

    Args:
        questions: all golden questions.
        held_out: those among them that a search does not see.
        alpha: threshold of the p-values.
        groups: what the latter come from (documents, conversations); None: each is its own.
    """
    if held_out < FEWEST_QUESTIONS:
        return Outlook(
            "there will be no verdict",
            error=f"{held_out} of {questions} questions are held out, a verdict needs at least "
            f"{FEWEST_QUESTIONS}: write about {math.ceil(FEWEST_QUESTIONS / 0.6)} questions, "
            "or hold out a larger share",
        )
    if groups is not None and groups < fewest_groups(alpha):
        return Outlook(
            f"{held_out} of {questions} questions are held out for the verdict, from too few "
            "documents to prove anything",
            error=f"the {held_out} held-out questions come from {groups} "
            f"document{'s' * (groups > 1)}, and fewer than {fewest_groups(alpha)} prove nothing: "
            "ask about more documents, or hold out a larger share",
        )
    yes_no, graded = (
        f"{100 * detectable(held_out, sd, alpha):.0f}" for sd in (YES_NO_SD, GRADED_SD)
    )
    sentence = (
        f"{held_out} of {questions} questions are held out for the verdict, which proves a true "
        f"gain of {yes_no} points of a yes-or-no metric, or {graded} of a graded one, "
        "4 times out of 5"
    )
    if held_out >= FEW_QUESTIONS:
        return Outlook(sentence)
    return Outlook(
        sentence,
        warning=f"with {held_out} held-out questions a gain below about {graded} to {yes_no} "
        f"points cannot be told from luck; {FEW_QUESTIONS} or more tell you more",
    )
