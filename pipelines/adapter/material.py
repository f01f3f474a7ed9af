"""What a process holds of an adapter study: vectors, pairs, and the way to score an adapter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

from pipelines.adapter.pairs import Pairs, make_pairs
from pipelines.adapter.parts import Parts
from pipelines.adapter.retrieval import AdaptedLibrary, scored
from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.embedders.adapted import fitted_on
from pipelines.embedders.projection import Projection
from pipelines.explaining import contents
from pipelines.roles import CorpusEmbedder, Metric
from pipelines.scoring import Scored
from pipelines.workspace import Workspace
from raytuner.component import ConfigError, digest
from raytuner.objective import Meter

_WIDEST = 4096
"""Numbers in a vector; a matrix beyond that takes more than 128 MB, and three are kept."""


class Material:
    """Documents and questions as vectors.

    Args:
        space: the data.
        config: what retrieves.
        measures: the metrics.
        parts: which questions are for what.
        meter: counts what has to be embedded.

    Raises:
        ConfigError: vectors that are too long for an adapter.
    """

    def __init__(
        self,
        space: Workspace,
        config: RagConfig,
        measures: Sequence[Metric],
        parts: Parts,
        meter: Meter,
    ) -> None:
        self._space, self._config, self._measures = space, config, measures
        self.parts = parts
        library = space.library(config, meter)
        self._ingestion = library.ingestion
        self._matched, self._queries = library.matched_vectors(), library.query_vectors()
        self._passages = self._ingestion.per_chunk(self._matched)
        self._docs = self._ingestion.chunks.doc
        self._origins = self._ingestion.origins
        width = self._matched.shape[1]
        if width > _WIDEST:
            raise ConfigError(
                f"pipeline.embedder: {config.embedder.kind} gives vectors of {width} numbers here, "
                f"and an adapter takes up to {_WIDEST}; take fewer (max_features), or lsa",
                ("pipeline", "embedder"),
            )
        self._identity: Mapping[str, float] | None = None

    @cached_property
    def key(self) -> str:
        """Identify what trainings and their scores depend on; held-out questions do not count."""
        asked = contents(self._space)
        seen = [[asked[unit] for unit in part] for part in (self.parts.train, self.parts.validate)]
        measures = sorted(self._measures, key=lambda metric: metric.name)
        pipeline = self._config.identity()
        return digest("adapter ground", self._space.corpus.key, pipeline, measures, seen)

    @cached_property
    def pairs(self) -> Pairs:
        """What training is about.

        Raises:
            ConfigError: no training question's evidence is in any chunk.
        """
        rows = [self._space.positions[unit] for unit in self.parts.train]
        questions = [self._space.question(unit) for unit in self.parts.train]
        places = (self._docs, *self._origins)
        made = make_pairs(questions, self._queries[rows], self._passages, places)
        if not len(made.queries):
            raise ConfigError("split: no chunk holds evidence of a training question", ("split",))
        return made

    @property
    def fitted_on(self) -> str:
        """Identify the texts that the embedder is fitted on; empty if it is not fitted."""
        fitted = isinstance(self._config.embedder, CorpusEmbedder)
        return fitted_on(self._ingestion.matched_texts) if fitted else ""

    def scores(self, projection: Projection, units: Sequence[str], meter: Meter) -> list[Scored]:
        """Score questions with an adapter."""
        rows = [self._space.positions[unit] for unit in units]
        queries = [self._space.queries[row] for row in rows]
        library = AdaptedLibrary(
            self._ingestion,
            queries,
            (self._matched, self._queries[rows]),
            projection,
            cache=Cache(None),
            meter=meter,
        )
        return scored(self._space, library, self._measures, units, meter)

    def validated(self, projection: Projection, meter: Meter) -> Mapping[str, float]:
        """Give the mean of every metric on the questions that choose."""
        if projection.kind == "none" and self._identity is not None:
            return self._identity
        found = self.scores(projection, self.parts.validate, meter)
        means = {
            metric.name: math.fsum(one.scores[metric.name] for one in found) / len(found)
            for metric in self._measures
        }
        if projection.kind == "none":
            self._identity = means
        return means
