"""Scores of studies with several goals, as searches are told them."""

from __future__ import annotations

from collections.abc import Sequence


class Score(float):
    """A number like any other score, the first goal; a search that knows more looks at `parts`.

    Attributes:
        parts: every goal in the order of the study; higher is better.
    """

    parts: tuple[float, ...]

    def __new__(cls, parts: Sequence[float]) -> Score:
        """Make one of all goals."""
        made = super().__new__(cls, parts[0])
        made.parts = tuple(parts)
        return made

    def __eq__(self, other: object) -> bool:
        """Compare every goal, or the first one with a plain number."""
        if isinstance(other, Score):
            return self.parts == other.parts
        return float.__eq__(self, other) if isinstance(other, float | int) else False

    def __ne__(self, other: object) -> bool:
        """Compare like `==`."""
        return not self == other

    __hash__ = float.__hash__


def parts_of(score: float) -> tuple[float, ...]:
    """Give every goal of a score; there may be one only."""
    return score.parts if isinstance(score, Score) else (score,)
