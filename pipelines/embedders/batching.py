"""Order the work of an embedder: texts once each, batches of equal length, all cores busy.

Knows nothing of models. Batches hold texts of exactly equal token length: nothing is padded,
so no arithmetic is spent on padding and a text's vector cannot depend on its neighbours'
lengths.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from pipelines.types import IntArray

Item = TypeVar("Item")
Result = TypeVar("Result")


def distinct(texts: Sequence[str]) -> tuple[list[str], IntArray]:
    """Give every text once, in order of first occurrence, and where each input text went.

    Returns:
        (unique, inverse) with unique[inverse[i]] == texts[i]; inverse is int64 [n].
    """
    places: dict[str, int] = {}
    inverse = np.empty(len(texts), np.int64)
    for position, text in enumerate(texts):
        inverse[position] = places.setdefault(text, len(places))
    return list(places), inverse


def encodable(text: str) -> str:
    """Replace lone surrogates, which no tokenizer or server can read, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def equal_length_batches(lengths: Sequence[int], budget: int) -> list[IntArray]:
    """Group positions of equal length into batches of at most `budget` tokens, longest first.

    Longest first, so that no thread is left alone with the largest batch at the end.

    Args:
        lengths: tokens of each text.
        budget: tokens in a batch; a batch has at least one text, however long.

    Returns:
        Arrays of positions into `lengths`; each position is in exactly one of them.
    """
    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes, kind="stable")
    edges = np.flatnonzero(np.diff(sizes[order])) + 1
    batches: list[IntArray] = []
    for group in np.split(order, edges) if len(order) else []:
        rows = max(1, budget // max(1, int(sizes[group[0]])))
        batches += [group[start : start + rows] for start in range(0, len(group), rows)]
    return batches


def windows(total: int, size: int) -> Iterator[slice]:
    """Cut range(total) into slices of at most `size`, which bounds what is held at once."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def cores() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Apply `work` to all items in at most `threads` threads; results in the order of the items.

    The first exception is raised here and items not yet begun are dropped.
    """
    todo = list(items)
    if threads <= 1 or len(todo) <= 1:
        yield from map(work, todo)
        return
    pool = ThreadPoolExecutor(min(threads, len(todo)))
    try:
        yield from pool.map(work, todo)
    finally:
        pool.shutdown(cancel_futures=True)
