"""Rank metrics: how early the evidence comes.

What is ranked are hits, what is sought are groups of evidence. A hit *serves* a group if it
shares enough with one of its alternatives: at least `coverage` of the shorter of the two (the
overlap coefficient of Szymkiewicz and Simpson). So a chunk that holds most of a short passage
serves it, and so does a chunk that lies inside a long one (whole-document evidence included);
and with `coverage` up to 0.5 every cutting of a text into equal chunks has a chunk that serves.
A sliver of long evidence serves as well as a large piece: to choose a chunk *size*, use
`context-recall`.

Each group is found once, by the first hit that serves it; another hit that serves it again
counts as irrelevant. If one hit finds several groups they take its rank and the ranks after it
(in order of grade), as if they had come one by one; later finds move down accordingly. All values
therefore stay in [0, 1], and where each group is exactly one chunk they are those of trec_eval.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

from pydantic import Field

from pipelines.metrics.evidence import Groups, TopHitsMetric
from pipelines.metrics.intervals import length
from pipelines.metrics.names import canonical
from pipelines.roles import Bench
from pipelines.types import Hit, Question, Response, Span

DEFAULT_COVERAGE = 0.5


class Find(NamedTuple):
    """One group found: at which rank, counted from 1, and the grade of what served."""

    rank: int
    grade: int


def finds(groups: Groups, hits: Sequence[Hit], coverage: float) -> list[Find]:
    """List the groups found, with strictly rising ranks."""
    missing = dict(enumerate(groups))
    found: list[Find] = []
    for position, hit in enumerate(hits, start=1):
        grades = {index: _served(group, hit, coverage) for index, group in missing.items()}
        served = [index for index, grade in grades.items() if grade]
        for index in sorted(served, key=lambda index: -grades[index]):
            rank = max(position, found[-1].rank + 1 if found else 1)
            found.append(Find(rank, grades[index]))
            del missing[index]
        if not missing:
            break
    return found


def _served(group: Sequence[Span], hit: Hit, coverage: float) -> int:
    """Give the highest grade among the alternatives that the hit serves, or 0."""
    return max((span.grade for span in group if _serves(hit, span, coverage)), default=0)


def _serves(hit: Hit, span: Span, coverage: float) -> bool:
    if hit.doc != span.doc:
        return False
    overlap = min(hit.end, span.end) - max(hit.start, span.start)
    return overlap > 0 and overlap >= coverage * min(length(hit), length(span))


class RankMetric(TopHitsMetric):
    """A metric over the ranks at which groups are found."""

    coverage: float = Field(
        default=DEFAULT_COVERAGE,
        gt=0,
        le=1,
        description="a hit is relevant if it shares this fraction of the shorter of itself and "
        "the evidence",
    )

    @property
    def name(self) -> str:
        """Give `ndcg@10`, with the coverage if it is not the default."""
        other = {} if self.coverage == DEFAULT_COVERAGE else {"coverage": self.coverage}
        return canonical(self.kind, other, self.k)

    def found(self, groups: Groups, response: Response) -> list[Find]:
        """List the groups found at rank `k` or above."""
        every = finds(groups, self.hits(response), self.coverage)
        return [find for find in every if self.k is None or find.rank <= self.k]


class HitRate(RankMetric, kind="hit-rate"):
    """Whether any evidence is among the first `k` hits (Success@k): 1 or 0."""

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give 1 if a group was found, else 0."""
        del bench
        return float(bool(self.found(self.groups(question), response)))


class Mrr(RankMetric, kind="mrr"):
    """Reciprocal rank of the first relevant hit, 0 if none (Voorhees, TREC-8, 1999)."""

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give 1 / rank of the first find."""
        del bench
        found = self.found(self.groups(question), response)
        return 1 / found[0].rank if found else 0.0


class Ndcg(RankMetric, kind="ndcg"):
    """Normalised discounted cumulative gain (Järvelin & Kekäläinen 2002).

    Sum of grade / log2(rank + 1) over the groups found, divided by the same sum for the best
    possible order of all groups, cut at `k` too. The gain is the grade itself, as in trec_eval
    (not 2^grade - 1). A group can gain at most the highest grade of its alternatives.
    """

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give DCG / ideal DCG."""
        del bench
        groups = self.groups(question)
        best = sorted((max(span.grade for span in group) for group in groups), reverse=True)
        ideal = [Find(rank, grade) for rank, grade in enumerate(best[: self.k], start=1)]
        return min(1.0, _gain(self.found(groups, response)) / _gain(ideal))


def _gain(found: Sequence[Find]) -> float:
    return sum(find.grade / log2(find.rank + 1) for find in found)


class AveragePrecision(RankMetric, kind="map"):
    """Average precision; its mean over questions is MAP (trec_eval's `map` and `map_cut_k`).

    Sum over the groups found of (groups found so far / rank), divided by the number of groups.
    With fewer hits than groups it cannot reach 1.
    """

    def score(self, question: Question, response: Response, bench: Bench) -> float:
        """Give the average precision."""
        del bench
        groups = self.groups(question)
        found = self.found(groups, response)
        return sum(count / find.rank for count, find in enumerate(found, start=1)) / len(groups)
