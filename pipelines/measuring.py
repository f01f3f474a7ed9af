"""Measures what a user of a configuration would notice beside its answers: waiting and memory.

Batches say how much work a machine gets done, not how long one query takes; so a few queries are
run one at a time, warm, where a ranking is made. Their times are kept with it, as the times of
calls are with a model's answers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from pipelines.ranking import FloatArray
from pipelines.roles import CorpusEmbedder
from raytuner.objective import Tally

if TYPE_CHECKING:
    from pipelines.library import CachedLibrary

SAMPLE = 20
"""Most queries that are run one at a time."""
INDEX_FACTS = ("chunks", "index_mb", "chunks_cut", "tokens_unseen")
"""What `index_facts` gives."""
PATIENCE = 0.5
"""Seconds after which no further query is begun: slow stages need fewer to be known."""


class Unpaid(Tally):
    """A meter that lets nothing be paid for: measuring is free, or is not done."""

    def reserve(self, usd: float) -> None:
        """Refuse.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"measuring does not spend {usd:g} dollars")


def one_at_a_time(queries: int, run: Callable[[int], object]) -> FloatArray:
    """Time single queries from all over the set, after one that warms up.

    Measuring never fails a trial: what cannot be run here (the model is elsewhere, its vectors
    came from a cache) is not measured.

    Args:
        queries: how many there are.
        run: does one, by number.

    Returns:
        Seconds, float64 [queries]; NaN where not measured.
    """
    seconds = np.full(queries, np.nan)
    if not queries:
        return seconds
    try:
        run(0)
        began = time.perf_counter()
        for number in _spread(queries):
            started = time.perf_counter()
            run(number)
            ended = time.perf_counter()
            seconds[number] = ended - started
            if ended - began > PATIENCE:
                break
    except Exception:  # noqa: BLE001 - any part, any exception; the work itself has been done
        return seconds
    return seconds


def _spread(queries: int) -> list[int]:
    """Choose queries from all over the set: neighbours often share a document, and a fate."""
    places = np.linspace(0, queries - 1, min(queries, SAMPLE)).round().astype(int).tolist()
    return [*places[::2], *places[1::2]]


def typical(seconds: FloatArray) -> float:
    """Give the median of what was measured; NaN if nothing was."""
    known = seconds[~np.isnan(seconds)]
    return float(np.median(known)) if len(known) else math.nan


def index_facts(library: CachedLibrary) -> Mapping[str, float]:
    """Say how large the index of a configuration is.

    Returns:
        `chunks`: their number; `index_mb`: vectors and texts of the chunks in 10^6 bytes,
        uncompressed: what has to be held to answer, whatever a store adds to it; `chunks_cut`:
        those whose text is longer than the embedding model reads, and `tokens_unseen` of them.
    """
    chunks = library.ingestion.texts
    held = sum(len(text.encode("utf-8", "surrogatepass")) for text in chunks)
    if library.config.needs_vectors():
        fitted = isinstance(library.config.embedder, CorpusEmbedder)
        vectors = library.matched_vectors() if fitted else library.ingestion.document_vectors
        held += vectors.nbytes
    cut, unseen = library.ingestion.unseen_tokens()
    figures = (float(len(chunks)), held / 1e6, float(cut), float(unseen))
    return dict(zip(INDEX_FACTS, figures, strict=True))
