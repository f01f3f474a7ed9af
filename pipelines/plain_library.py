"""A library without documents, stores or cache: chunks and vectors as they are given.

For trying and testing a retriever, reranker or generator outside of a pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from pipelines.cache.responses import ResponseCache
from pipelines.llm.batch import Dialogue
from pipelines.llm.client import client_of
from pipelines.ranking import best_columns
from pipelines.roles import Retriever
from pipelines.types import Ranking, Vectors
from raytuner.objective import Meter, Tally

_Result = TypeVar("_Result")


def _none() -> Vectors:
    return np.zeros((0, 0), np.float32)


@dataclass
class PlainLibrary:
    """The answers to what a stage may ask for (`roles.Library`), computed when asked.

    Attributes:
        texts: the matched text of every chunk.
        queries: the query texts.
        chunk_vectors: float32 [chunks, dimensions].
        question_vectors: float32 [queries, dimensions].
        embedder: (texts, whether they are queries) to vectors.
        responses: where answers of language models are kept.
        meter: where their calls are counted.
    """

    texts: Sequence[str]
    queries: Sequence[str]
    chunk_vectors: Vectors = field(default_factory=_none)
    question_vectors: Vectors = field(default_factory=_none)
    embedder: Callable[[Sequence[str], bool], Vectors] | None = None
    responses: ResponseCache = field(default_factory=lambda: ResponseCache(None))
    meter: Meter = field(default_factory=Tally)

    def dense(self, depth: int) -> Ranking:
        """Rank by inner product."""
        scores = self.question_vectors.astype(np.float64) @ self.chunk_vectors.T.astype(np.float64)
        return best_columns(scores, depth)

    def rank(self, retriever: Retriever, depth: int) -> Ranking:
        """Run the retriever."""
        return retriever.rank(self, depth)

    def vectors(self) -> Vectors:
        """Give the chunk vectors."""
        return self.chunk_vectors

    def query_vectors(self) -> Vectors:
        """Give the query vectors."""
        return self.question_vectors

    def embed(self, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed with the given function.

        Raises:
            TypeError: if there is none.
        """
        if self.embedder is None:
            raise TypeError("this library has no embedder")
        return self.embedder(texts, query)

    def gather(
        self, dialogues: Sequence[Dialogue[_Result]], stage: str
    ) -> Iterator[list[tuple[int, _Result]]]:
        """Lead dialogues with language models; see `pipelines.llm.client.Client.gather`."""
        return client_of(self.responses).gather(dialogues, self.meter, stage)
