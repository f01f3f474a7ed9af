"""Chroma collections as indexes: built once, never seen half filled, searched in batches.

A collection is filled under a provisional name and renamed when it is complete, so that its
final name is the mark of completion. Knows nothing of components; chromadb is imported inside
functions.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from pipelines.ranking import best_listed, blocks, stacked
from pipelines.types import Ranking, Vectors
from raytuner.component import digest
from raytuner.objective import ObjectiveFailure

_QUERIES = 200
_clients = threading.RLock()
"""Guards opening and closing: Chroma counts the users of a path without a lock of its own."""


class Layout(NamedTuple):
    """How a collection is built and searched; fields as of the Chroma store."""

    distance: Literal["cosine", "ip", "l2"]
    ef_construction: int
    max_neighbors: int
    ef_search: int


def open_index(
    layout: Layout, key: str, vectors: Vectors, directory: Path, *, url: str | None, batch: int
) -> ChromaIndex:
    """Open the collection of `key` and `layout`, building it where it is missing or half filled.

    Args:
        layout: graph and search parameters.
        key: identity of the vectors.
        vectors: float32 [n, dimensions].
        directory: where lock and, without a server, the collection live.
        url: a server, or None for a client inside this process.
        batch: rows per insertion.

    Raises:
        ObjectiveFailure: provider or timeout, if the server cannot be reached or refuses.
    """
    from filelock import FileLock

    name = "vectors-" + digest("chroma", key, list(layout), len(vectors))
    home = directory / name
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"), _explained(url):
        client = _client(url, home)
        try:
            collection = _find(client, name)
            if collection is not None and collection.count() != len(vectors):
                client.delete_collection(name)
                collection = None
            if collection is None:
                collection = _build(client, name, home, layout, vectors, batch)
        except BaseException:
            _close(client)
            raise
    return ChromaIndex(layout, client, collection, len(vectors), url)


class ChromaIndex:
    """A complete collection and the client it lives in; closed when no longer referenced."""

    def __init__(
        self, layout: Layout, client: Any, collection: Any, count: int, url: str | None
    ) -> None:
        self._layout, self._collection, self._count, self._url = layout, collection, count, url
        weakref.finalize(self, _close, client).atexit = False

    def search(self, queries: Vectors, depth: int) -> Ranking:
        """Find the nearest rows, best first, ties by row number.

        The graph is always searched with `ef_search` candidates and the result cut to `depth`:
        asking Chroma for `depth` hits would widen its search and change the hits that a smaller
        depth gives.

        Returns:
            Ranking [queries, min(depth, n)]; -1 beyond `ef_search` hits.

        Raises:
            ObjectiveFailure: provider or timeout, if the server cannot be reached.
        """
        depth = min(depth, self._count)
        if depth == 0:
            return stacked([], depth) if not len(queries) else _nothing(len(queries))
        with _explained(self._url):
            found = [self._ask(queries[part], depth) for part in blocks(len(queries), _QUERIES)]
        return stacked(found, depth)

    def _ask(self, queries: Vectors, depth: int) -> Ranking:
        wanted = min(self._layout.ef_search, self._count)
        answer = self._collection.query(
            query_embeddings=queries, n_results=wanted, include=["distances"]
        )
        ids = np.full((len(queries), wanted), -1, np.int64)
        scores = np.full((len(queries), wanted), -np.inf)
        per_distance = 0.5 if self._layout.distance == "l2" else 1.0
        for row, (names, distances) in enumerate(
            zip(answer["ids"], answer["distances"], strict=True)
        ):
            ids[row, : len(names)] = np.array(names, dtype=np.int64)
            scores[row, : len(names)] = 1.0 - per_distance * np.array(distances, dtype=np.float64)
        return best_listed(ids, scores, depth, by_id=True)


def _nothing(queries: int) -> Ranking:
    return Ranking(np.zeros((queries, 0), np.int64), np.zeros((queries, 0)))


def _build(client: Any, name: str, home: Path, layout: Layout, vectors: Vectors, batch: int) -> Any:
    """Fill a provisional collection and give it its final name.

    The provisional name is this host's and directory's own: whoever holds the lock may throw away
    what a killed process left, and hosts that share a server do not disturb each other.
    """
    from chromadb.errors import ChromaError

    owner = digest(socket.gethostname(), str(home.resolve()))
    provisional = f"{name}-{owner[:12]}"
    if _find(client, provisional) is not None:
        client.delete_collection(provisional)
    hnsw = {
        "space": layout.distance,
        "ef_construction": layout.ef_construction,
        "max_neighbors": layout.max_neighbors,
        "ef_search": layout.ef_search,
        # The graph is saved after this many rows: with fewer, the rest would be inserted anew,
        # in another order, by every process that opens the collection.
        "sync_threshold": max(2, len(vectors)),
    }
    collection = client.create_collection(
        provisional, configuration={"hnsw": hnsw}, embedding_function=None
    )
    for part in blocks(len(vectors), batch):
        rows = [str(row) for row in range(part.start, part.stop)]
        collection.add(ids=rows, embeddings=vectors[part])
    try:
        collection.modify(name=name)
    except ChromaError:  # another host that shares the server was faster
        faster = _find(client, name)
        if faster is None:
            raise
        client.delete_collection(provisional)
        return faster
    return collection


def _find(client: Any, name: str) -> Any | None:
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None


def _client(url: str | None, home: Path) -> Any:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    with _clients:
        if url is None:
            return chromadb.PersistentClient(path=_generation(home), settings=settings)
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return chromadb.HttpClient(
            host=str(parts.hostname),
            port=parts.port or (443 if secure else 80),
            ssl=secure,
            settings=settings,
        )


def _generation(home: Path) -> Path:
    """Give the folder of the database, a name never used before if there is none.

    Chroma keeps databases open by path: one deleted and made again under the same path in the
    same process cannot be written.
    """
    existing = sorted(path for path in home.iterdir() if path.is_dir())
    return existing[0] if existing else home / uuid.uuid4().hex


def _close(client: Any) -> None:
    with _clients:
        client.close()


@contextlib.contextmanager
def _explained(url: str | None) -> Iterator[None]:
    """Turn what a server or the way to it does wrong into a typed failure."""
    if url is None:
        yield
        return
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except httpx.TimeoutException as error:
        raise ObjectiveFailure(
            "timeout", f"the Chroma server at {url} did not answer in time", retryable=True
        ) from error
    except (httpx.HTTPError, ChromaError, ValueError) as error:
        raise ObjectiveFailure(
            "provider", f"the Chroma server at {url} cannot be used: {error}", retryable=True
        ) from error
