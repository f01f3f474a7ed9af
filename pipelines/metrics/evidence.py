"""What counts as evidence, and the two parents of every metric that is scored on it."""

from __future__ import annotations

from pydantic import Field

from pipelines.metrics.names import canonical
from pipelines.roles import Metric
from pipelines.types import Hit, Question, Response, Span
from raytuner.component import ConfigError

Groups = tuple[tuple[Span, ...], ...]


def counting_groups(question: Question) -> Groups:
    """Keep the spans that hold characters and are graded at least 1; drop emptied groups."""
    return question.findable


class EvidenceMetric(Metric):
    """A metric over the evidence of a question; not defined where there is none."""

    def applies(self, question: Question) -> bool:
        """Tell whether the question has evidence to find."""
        return bool(counting_groups(question))

    def groups(self, question: Question) -> Groups:
        """Give the groups to find.

        Raises:
            ConfigError: if the question has none.
        """
        groups = counting_groups(question)
        if not groups:
            raise ConfigError(
                f"question {question.id!r} has no evidence, so {self.name} is not defined for it; "
                "score only questions for which `applies` is true"
            )
        return groups


class TopHitsMetric(EvidenceMetric):
    """A metric over the first `k` hits."""

    k: int | None = Field(
        default=None, ge=1, description="score only the first k hits; null scores all of them"
    )

    @property
    def name(self) -> str:
        """Give the kind and, if there is one, the cut-off: `recall`, `recall@5`."""
        return canonical(self.kind, cut=self.k)

    def hits(self, response: Response) -> tuple[Hit, ...]:
        """Give the hits that count, best first."""
        return response.hits[: self.k]
