"""How sure a study wants to be: what is held out, and what counts as proof."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from raytuner.component import ConfigError
from raytuner.objective import Objective
from raytuner.proof.split import HELD_OUT, Split, grouped, split, whole
from raytuner.verdict import ALPHA, FEWEST_QUESTIONS, MARGIN, Policy

_SEARCHED = 10
"""Questions that a search needs at least, where somebody says how many to hold out."""


class Trust(BaseModel):
    """What a study asks of its verdict."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    held_out: float | None = Field(
        default=None,
        ge=0,
        le=0.9,
        description="share of the questions that no search sees and only finalists answer; 0: "
        "none, and no verdict; null: 0.6 where that leaves 20 questions or more, else 0",
    )
    alpha: float = Field(
        default=ALPHA,
        gt=0,
        le=0.2,
        description="chance of calling a configuration better that is not; halved with every "
        "further look at the same held-out questions",
    )
    margin: float = Field(
        default=MARGIN,
        gt=0,
        description="how much worse, in the metric, still counts as not worse",
    )
    policy: Policy = Field(
        default="proven",
        description="recommend only what is proven, or also what the evidence leans to",
    )

    def divide(self, objective: Objective, *, compares: bool) -> Split:
        """Divide the units of an objective.

        Args:
            objective: names units, groups and strata.
            compares: whether there is a configuration as it stands to compare with.

        Raises:
            ConfigError: `held_out` is asked for, and cannot be had.
        """
        units, groups = tuple(objective.units()), objective.groups()
        share = HELD_OUT if self.held_out is None else self.held_out
        if tests := tuple(objective.tests()):
            return Split(units, tests if share else (), grouped((*units, *tests), groups))
        if objective.curve:
            return whole(units, groups)
        if not share or (self.held_out is None and not compares):
            return whole(units, groups)
        divided = split(units, groups, objective.strata(), share)
        if len(divided.held_out) >= FEWEST_QUESTIONS and len(divided.searched) >= _SEARCHED:
            return divided
        if self.held_out is None:
            return whole(units, groups)
        raise ConfigError(_unfit(divided, share), ("verdict", "held_out"))


def _unfit(divided: Split, share: float) -> str:
    """Say why a share cannot be held out, and what would be right."""
    total, held = len(divided.units), len(divided.held_out)
    said = f"verdict.held_out: {share:g} of {total} questions leaves "
    if held >= FEWEST_QUESTIONS:
        return (
            f"{said}{len(divided.searched)} to search with, and a search needs at least "
            f"{_SEARCHED}; give a smaller share"
        )
    said += f"{held} to judge by, and fewer than {FEWEST_QUESTIONS} prove nothing; "
    if total * HELD_OUT >= FEWEST_QUESTIONS:
        return f"{said}give a larger share, or leave it out ({HELD_OUT:g})"
    least = -(-FEWEST_QUESTIONS // HELD_OUT)
    return f"{said}write at least {least:.0f} questions, or leave it out (no verdict then)"
