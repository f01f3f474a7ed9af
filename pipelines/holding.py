"""A library that holds in memory what stages make, and leaves the cache alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipelines.cache import Cache
from pipelines.ingestion import Arrays, Ingestion
from pipelines.library import CachedLibrary
from raytuner.objective import Meter


class HoldingLibrary(CachedLibrary):
    """Stages for queries that nobody will ask again so: rankings live as long as the library.

    Args:
        ingestion: the chunks.
        queries: the texts that are searched for.
        cache: for what stages look up there themselves, such as answers of models.
        meter: where work is counted.
    """

    def __init__(
        self, ingestion: Ingestion, queries: Sequence[str], *, cache: Cache, meter: Meter
    ) -> None:
        super().__init__(ingestion, queries, cache=cache)
        self._meter = meter
        self._made: dict[str, Arrays] = {}

    def _arrays(
        self, stage: str, key: str, inputs: Mapping[str, Any], build: Callable[[], Arrays]
    ) -> Arrays:
        del stage, inputs
        if key not in self._made:
            self._made[key] = build()
        return self._made[key]
