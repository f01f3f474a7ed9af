"""What objectives over a golden set share: the data, and what can be said of its questions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.dataset import pack_dataset, unpack_dataset
from pipelines.explaining import contents, groups, strata
from pipelines.workspace import Sources, Workspace
from raytuner.component import digest
from raytuner.objective import Arrays, Exchange, Objective


class GoldenObjective(Objective):
    """An objective over documents and the questions of a golden set.

    Pickles to paths and configuration; each process loads the data once.

    Args:
        sources: where documents and questions are.
        root: folder that relative paths start from.
        seed: seed of the question order.
    """

    def __init__(self, sources: Sources, root: Path, seed: int) -> None:
        self.root = root
        self.seed = seed
        self._sources = sources
        self._load = uuid.uuid4().hex  # another objective reads the files anew
        self._given: Workspace | None = None

    @property
    def workspace(self) -> Workspace:
        """The data, loaded once per process, or given by another one."""
        if self._given is not None:
            return self._given
        return _workspace(self._sources.model_dump_json(), str(self.root), self.seed, self._load)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_given": None}

    def share(self, exchange: Exchange) -> None:
        """Pass documents, questions and stage outputs on.

        The process that asks first loads the files; the others need none.
        """
        loaded = False

        def load() -> Arrays:
            nonlocal loaded
            loaded = True
            return pack_dataset(self.workspace.data)

        arrays = exchange.obtain(digest("dataset", self._load), load)
        if not loaded:
            data = unpack_dataset(arrays)
            self._given = Workspace(self._sources, self.root, self.seed, data)
        self.workspace.cache.exchange = exchange

    def groups(self) -> Mapping[str, str]:
        """Name the group or the source document of every question that has one."""
        return groups(self.workspace)

    def strata(self) -> Mapping[str, str]:
        """Name the tags of every question."""
        return strata(self.workspace)

    def contents(self) -> Mapping[str, str]:
        """Digest text, reference answer and evidence of every question."""
        return contents(self.workspace)


@lru_cache(maxsize=4)
def _workspace(sources: str, root: str, seed: int, load: str) -> Workspace:
    del load
    return Workspace(Sources.model_validate_json(sources), Path(root), seed)
