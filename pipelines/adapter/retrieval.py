"""Retrieves with an adapter that is still being trained, and scores what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from pipelines.cache import Cache
from pipelines.embedders.projection import Projection
from pipelines.holding import HoldingLibrary
from pipelines.ingestion import Ingestion
from pipelines.llm.outputs import Outputs
from pipelines.matching import Sentences, rank_by_sentences
from pipelines.pipeline import Pipeline
from pipelines.roles import Metric
from pipelines.scoring import Scored, score_table
from pipelines.stores import ExactIndex
from pipelines.types import Ranking, Vectors
from pipelines.workspace import Workspace
from raytuner.objective import Meter


class AdaptedLibrary(HoldingLibrary):
    """Stages over projected vectors. Nothing is kept: the next epoch has other ones.

    Args:
        ingestion: the chunks.
        queries: the texts that are searched for.
        vectors: of the matched texts, and of the queries, by the embedder as it stands.
        projection: the adapter.
        cache: not written to.
        meter: where work is counted.
    """

    def __init__(
        self,
        ingestion: Ingestion,
        queries: Sequence[str],
        vectors: tuple[Vectors, Vectors],
        projection: Projection,
        *,
        cache: Cache,
        meter: Meter,
    ) -> None:
        super().__init__(ingestion, queries, cache=cache, meter=meter)
        self._projection = projection
        self._vectors = vectors

    @cached_property
    def _matched(self) -> tuple[Vectors, Vectors]:
        matched, queries = self._vectors
        project = self._projection.apply
        return project(matched, query=False), project(queries, query=True)

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed any texts, and project their vectors."""
        return self._projection.apply(super().embed(texts, query=query), query=query)

    def _search(self, depth: int) -> Ranking:
        matched, queries = self._matched
        match = self.config.match
        if isinstance(match, Sentences):
            return rank_by_sentences(match, queries, matched, self.ingestion.members, depth)
        if self._projection.changes(query=False):  # the store holds other vectors
            return ExactIndex(matched).search(queries, depth)
        return self.ingestion.index(matched).search(queries, depth)


def scored(
    space: Workspace,
    library: AdaptedLibrary,
    measures: Sequence[Metric],
    units: Sequence[str],
    meter: Meter,
) -> list[Scored]:
    """Score questions, in the order of the library's queries."""
    pipeline = Pipeline(library)
    parts = pipeline.stream(range(len(units)))
    answered = sorted((one for part in parts for one in part), key=lambda one: one.number)
    questions = [space.question(unit) for unit in units]
    return score_table(measures, questions, answered, pipeline, space.bench(meter), Outputs())
