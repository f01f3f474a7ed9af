"""Role Store: hold vectors and find the nearest ones, exactly or through Chroma.

`pipelines.chroma` speaks to Chroma; nothing here imports it before it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field, field_validator

from pipelines.ranking import FloatArray, best_columns, blocks, snapped, stacked
from pipelines.roles import Index, Store
from pipelines.types import Ranking, Vectors
from raytuner.component import ConfigError

_QUERIES, _ROWS = 512, 8192  # a block of scores is then 32 MiB of float64


class Exact(Store, kind="exact"):
    """Compares every query with every vector: no approximation, nothing on disk.

    Scores are inner products, computed so that they are the same to the last bit on every host
    and for every batching of the queries (`pipelines.ranking.snapped`).
    """

    def index(self, key: str, vectors: Vectors, directory: Path) -> Index:
        """Keep a reference to the vectors; `key` and `directory` are not needed."""
        del key, directory
        return ExactIndex(vectors)


@dataclass(frozen=True)
class ExactIndex:
    """Vectors searched by one blocked matrix product.

    Attributes:
        vectors: float32 [n, dimensions], of unit length or zero.
    """

    vectors: Vectors

    def search(self, queries: Vectors, depth: int) -> Ranking:
        """Rank rows by inner product, best first, ties by row number.

        Args:
            queries: float32 [queries, dimensions], of unit length or zero.
            depth: hits per query; fewer if there are fewer rows.

        Returns:
            Ranking [queries, min(depth, n)]; a smaller depth gives a prefix of a larger one.
            Memory beyond the result is bounded, whatever the number of queries and rows.

        Raises:
            ValueError: if a vector is not finite or longer than 1.
        """
        depth = min(depth, len(self.vectors))
        found = [
            self._nearest(snapped(queries[part]), depth) for part in blocks(len(queries), _QUERIES)
        ]
        return stacked(found, depth)

    def _nearest(self, queries: FloatArray, depth: int) -> Ranking:
        best = Ranking(np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0)))
        for part in blocks(len(self.vectors), _ROWS):
            near = best_columns(queries @ snapped(self.vectors[part]).T, depth)
            ids = np.hstack([best.ids, near.ids + part.start])
            scores = np.hstack([best.scores, near.scores])
            # Earlier blocks stand left and have the lower row numbers: stable order is tie order.
            order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
            best = Ranking(
                np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1)
            )
        return best


class Chroma(Store, kind="chroma"):
    """Searches a Chroma collection: the HNSW graph of Malkov and Yashunin (2018).

    The search is approximate. Chroma inserts the rows of a batch in no fixed order, so that two
    builds of one configuration are two graphs, which may differ in hits that the graph makes
    hard to reach; `batch: 1` builds the same graph every time, slowly. One built collection
    always answers alike. Where bit-equal runs matter, use `exact`.

    Credentials of a server come from Chroma's own environment variables
    (`CHROMA_CLIENT_AUTH_PROVIDER`, `CHROMA_CLIENT_AUTH_CREDENTIALS`).
    """

    distance: Literal["cosine", "ip", "l2"] = Field(
        default="cosine",
        description="what the graph measures: cosine distance, 1 - inner product, or squared "
        "Euclidean distance; scores are 1 - distance (1 - distance / 2 for l2), which is the "
        "cosine for unit vectors",
    )
    ef_construction: int = Field(
        default=200, ge=1, le=10_000, description="candidates kept while a vector is inserted"
    )
    max_neighbors: int = Field(
        default=32, ge=2, le=1_000, description="links per vector in the graph (M of the paper)"
    )
    ef_search: int = Field(
        default=200,
        ge=1,
        le=10_000,
        description="candidates kept while searching; also the most hits a query can get",
    )
    url: str | None = Field(
        default=None,
        description="a Chroma server, http://host:port; without one Chroma runs in this process",
    )
    batch: int = Field(
        default=1000, ge=1, le=5000, description="rows per insertion; 1 for repeatable graphs"
    )

    @field_validator("url")
    @classmethod
    def _is_server(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            plain = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            plain = False
        if not plain or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
            raise ConfigError(f"url of a Chroma store must look like http://host:8000, got {url!r}")
        return url.rstrip("/")

    def index(self, key: str, vectors: Vectors, directory: Path) -> Index:
        """Open the collection of `key`, or build it if it is missing or was left half filled.

        Threads and processes of one host wait for each other through a lock in `directory`.

        Raises:
            ObjectiveFailure: provider or timeout, if the server cannot be reached or refuses.
        """
        from pipelines.chroma import Layout, open_index

        layout = Layout(
            distance=self.distance,
            ef_construction=self.ef_construction,
            max_neighbors=self.max_neighbors,
            ef_search=self.ef_search,
        )
        return open_index(layout, key, vectors, directory, url=self.url, batch=self.batch)
