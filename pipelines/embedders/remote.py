"""Check and normalise vectors that come from code or servers of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.types import Vectors
from raytuner.objective import ObjectiveFailure


def unit_vectors(
    rows: Sequence[Any], *, expected: int, dimensions: int | None, source: str
) -> Vectors:
    """Give float32 [expected, dimensions] of unit length; single zero rows stay zero.

    Raises:
        ObjectiveFailure: provider, if their number, width or values are not what was asked for.
    """
    if len(rows) != expected:
        raise ObjectiveFailure(
            "provider", f"{source} gave {len(rows)} vectors for {expected} texts"
        )
    try:
        vectors = np.asarray(rows, np.float64)
    except (ValueError, TypeError):
        raise ObjectiveFailure(
            "provider", f"{source} gave vectors of unequal width or not of numbers"
        ) from None
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise ObjectiveFailure("provider", f"{source} gave empty vectors")
    if dimensions is not None and vectors.shape[1] != dimensions:
        raise ObjectiveFailure(
            "provider",
            f"{source} gave vectors of {vectors.shape[1]} dimensions, not {dimensions}",
        )
    if not np.isfinite(vectors).all():
        raise ObjectiveFailure("provider", f"{source} gave vectors that are not finite")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if expected and not lengths.any():
        raise ObjectiveFailure("provider", f"{source} gave nothing but zeros")
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), np.float32)
