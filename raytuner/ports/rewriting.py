"""The port between a search that evolves texts and whoever writes them: a language model, mostly.

A search asks for one new text at a time. It shows questions that it searches with, never others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from raytuner.ports.cost import Cost
from raytuner.ports.metering import Meter


class Example(NamedTuple):
    """A question, and what a text has led to.

    Attributes:
        question: as it was asked.
        answer: what was answered; empty if that is not known.
        reference: what was hoped for; empty if there is nothing to compare.
        score: of the optimised metric, higher is better.
    """

    question: str
    answer: str
    reference: str
    score: float


class Rival(NamedTuple):
    """Another text and its score, higher is better."""

    text: str
    score: float


@dataclass(frozen=True)
class Rewriting:
    """What is to be written.

    Attributes:
        parameter: name of the parameter whose value the text is, such as `prompt`.
        text: what there is.
        score: of that text: the mean over the questions it has answered, or None.
        examples: questions that it did badly at.
        rivals: the best other texts, best first.
        fields: names that have to stay in it, in braces.
        max_chars: longest text.
        number: of the attempt; equal requests with equal numbers are one request.
        objection: why what was written before cannot be used, or nothing.
    """

    parameter: str
    text: str
    score: float | None
    examples: tuple[Example, ...]
    rivals: tuple[Rival, ...]
    fields: tuple[str, ...]
    max_chars: int
    number: int
    objection: str = ""


class Rewriter(Protocol):
    """Writes texts. Called from threads; small to keep, no data."""

    def rewrite(self, request: Rewriting, meter: Meter) -> str:
        """Write a better text.

        Returns:
            The text alone; perhaps one that cannot be used, which is for the caller to see.

        Raises:
            ObjectiveFailure: nothing was written; the kind says why.
            BudgetExhaustedError: the money is used, or the sweep is ending.
            ConfigError: whoever writes refuses key or model.
        """

    def most(self, chars: int, max_chars: int) -> Cost:
        """Bound what a text costs.

        Args:
            chars: characters that are shown, at most.
            max_chars: longest text that is wanted.
        """

    def unpriced(self) -> Sequence[str]:
        """Name what would be paid for at a price that nobody knows."""

    def preflight(self) -> None:
        """Reach out, without spending, to whoever writes.

        Raises:
            ConfigError: a key is missing or refused, a model unknown.
        """
