"""Losses over cosines of queries and passages, with their gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipelines.adapter.config import Contrastive, Loss, Triplet
from pipelines.ranking import FloatArray
from pipelines.types import IntArray

Mask = NDArray[np.bool_]


def loss_of(
    loss: Loss, cosines: FloatArray, right: IntArray, hidden: Mask
) -> tuple[float, FloatArray]:
    """Give a loss and its gradient.

    Args:
        loss: which.
        cosines: float64 [queries, passages].
        right: the passage of each query, int64 [queries].
        hidden: passages that do not count against a query, since they hold its evidence too.

    Returns:
        The mean over queries, and float64 [queries, passages].
    """
    if isinstance(loss, Contrastive):
        return _contrastive(cosines, right, hidden, loss.temperature)
    assert isinstance(loss, Triplet)  # there are no others
    return _triplet(cosines, right, hidden, loss.margin)


def _contrastive(
    cosines: FloatArray, right: IntArray, hidden: Mask, temperature: float
) -> tuple[float, FloatArray]:
    """Mean of -log softmax(cosines / temperature)[right]."""
    rows = np.arange(len(right))
    logits = np.where(hidden, -np.inf, cosines / temperature)
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    total = shares.sum(axis=1, keepdims=True)
    mean = float(np.mean(np.log(total[:, 0]) - logits[rows, right]))
    gradient = shares / total
    gradient[rows, right] -= 1.0
    return mean, gradient / (temperature * len(right))


def _triplet(
    cosines: FloatArray, right: IntArray, hidden: Mask, margin: float
) -> tuple[float, FloatArray]:
    """Mean over queries of the mean over wrong passages of max(0, margin + wrong - right)."""
    rows = np.arange(len(right))
    wrong = ~hidden
    wrong[rows, right] = False
    counts = np.maximum(wrong.sum(axis=1, keepdims=True), 1)
    excess = margin + cosines - cosines[rows, right][:, None]
    active = wrong & (excess > 0)
    mean = float(np.mean(np.where(active, excess, 0.0).sum(axis=1) / counts[:, 0]))
    gradient = active / (counts * len(right))
    gradient[rows, right] = -gradient.sum(axis=1)
    return mean, gradient
