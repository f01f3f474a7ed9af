"""Groups of questions, their random signs, and bootstrap samples of them.

The groups are put into an order that depends on their values alone, so that what is drawn for a
seed does not depend on the order of the questions. What is drawn comes in blocks of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

DIGITS = 9
"""Decimals to which sums are equal: what lies beneath is the order of an addition."""
_CELLS = 1 << 21
"""Random numbers held at a time (16 MB)."""


class Grouped(NamedTuple):
    """Rows added up by group, in an order that depends on their values alone.

    Attributes:
        sums: [groups, columns].
        sizes: questions of each group, [groups].
    """

    sums: Array
    sizes: Array


def checked(values: ArrayLike, name: str) -> Array:
    """Give a float64 table in which nothing is missing.

    Raises:
        ValueError: it is no table, or a number is missing: the message says which.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"{name} takes [questions, configurations], not the shape {table.shape}")
    if not np.isfinite(table).all():
        row, column = np.argwhere(~np.isfinite(table))[0].tolist()
        raise ValueError(
            f"{name}[{row}, {column}] is {table[row, column]}: leave out questions without a score"
        )
    return table


def grouped(table: Array, groups: Sequence[str] | None) -> Grouped:
    """Add rows up by group; each row is its own where no groups are named.

    Args:
        table: [questions, columns].
        groups: of every question.

    Raises:
        ValueError: there is not one group a question.
    """
    sums, sizes = table, np.ones(len(table))
    if groups is not None:
        if len(groups) != len(table):
            raise ValueError(f"{len(groups)} groups for {len(table)} questions: name one each")
        _, owner = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        sizes = np.bincount(owner).astype(np.float64)
        sums = np.zeros((len(sizes), table.shape[1]))
        np.add.at(sums, owner, table)
    largest = np.abs(sums).max()
    rounded = np.round(sums / (largest or 1.0), DIGITS)
    # the first column decides, so that one more candidate leaves the signs of the others alone
    order = np.lexsort((sizes, *rounded.T[::-1]))
    return Grouped(sums[order], sizes[order])


def _blocks(width: int, resamples: int) -> Iterator[int]:
    block = max(1, _CELLS // max(1, width))
    for start in range(0, resamples, block):
        yield min(block, resamples - start)


def random_signs(unit: Array, resamples: int, seed: int) -> Iterator[Array]:
    """Give sums of `unit` [groups, columns] under random signs of its rows, [patterns, columns]."""
    rng = np.random.default_rng(seed)
    total = unit.sum(axis=0)
    for rows in _blocks(len(unit), resamples):
        flips = rng.integers(0, 2, (rows, len(unit)), dtype=np.int8)
        yield total - 2.0 * (flips.astype(np.float64) @ unit)


def all_signs(unit: Array) -> Iterator[Array]:
    """Give the sums under all 2^groups patterns of signs, once each, [patterns, columns]."""
    flipped = np.zeros((1, unit.shape[1]))
    for row in unit:
        flipped = np.concatenate((flipped + row, flipped - row))
    yield flipped


def sample_weights(groups: int, resamples: int, seed: int) -> Iterator[Array]:
    """Give bootstrap samples as counts of each group, [samples, groups], a block at a time."""
    rng = np.random.default_rng(seed)
    for rows in _blocks(groups, resamples):
        drawn = rng.integers(0, groups, (rows, groups))
        drawn += groups * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * groups)
        yield counts.reshape(rows, groups).astype(np.float64)
