"""The two adapters as functions that can be trained: forward and backward, by hand.

`pipelines.embedders.projection` has the formulas, and applies what comes out of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.adapter.config import Adapter, Linear, TwoLayer
from pipelines.ranking import FloatArray

Weights = dict[str, FloatArray]
_SHORTEST = 1e-12


def first_weights(adapter: Adapter, dimensions: int, seed: int) -> Weights:
    """Give weights with which an adapter is the identity.

    The inner matrix is normal with variance 2 / d (He et al., arXiv:1502.01852).
    """
    if isinstance(adapter, Linear):
        bias = {"bias": np.zeros(dimensions)} if adapter.bias else {}
        return {"matrix": np.eye(dimensions), **bias}
    assert isinstance(adapter, TwoLayer)  # nothing else is trained
    random = np.random.default_rng([seed, dimensions, adapter.hidden])
    return {
        "inner": random.normal(0.0, np.sqrt(2.0 / dimensions), (adapter.hidden, dimensions)),
        "inner_bias": np.zeros(adapter.hidden),
        "outer": np.zeros((dimensions, adapter.hidden)),
        "bias": np.zeros(dimensions),
    }


class Forward(NamedTuple):
    """What an adapter made of vectors, and what the way back needs.

    Attributes:
        unit: float64 [n, d], of unit length or zero.
        lengths: before that, float64 [n, 1].
        given: what went in.
        hidden: after the inner layer, or None.
    """

    unit: FloatArray
    lengths: FloatArray
    given: FloatArray
    hidden: FloatArray | None


def forward(weights: Mapping[str, FloatArray], given: FloatArray) -> Forward:
    """Adapt vectors, float64 [n, d]."""
    hidden = None
    if "matrix" in weights:
        found = given @ weights["matrix"].T
    else:
        hidden = np.maximum(given @ weights["inner"].T + weights["inner_bias"], 0.0)
        found = given + hidden @ weights["outer"].T
    if "bias" in weights:
        found = found + weights["bias"]
    lengths = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), _SHORTEST)
    return Forward(found / lengths, lengths, given, hidden)


def backward(
    weights: Mapping[str, FloatArray], made: Forward, gradient: FloatArray
) -> dict[str, FloatArray]:
    """Give the gradient of each weight from that of the unit vectors, float64 [n, d]."""
    inward = (gradient * made.unit).sum(axis=1, keepdims=True)
    slope = (gradient - made.unit * inward) / made.lengths
    bias = {"bias": slope.sum(axis=0)} if "bias" in weights else {}
    if made.hidden is None:
        return {"matrix": slope.T @ made.given, **bias}
    inner = (slope @ weights["outer"]) * (made.hidden > 0)
    return {
        "inner": inner.T @ made.given,
        "inner_bias": inner.sum(axis=0),
        "outer": slope.T @ made.hidden,
        **bias,
    }
