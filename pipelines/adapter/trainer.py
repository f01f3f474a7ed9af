"""One epoch of a training: batches, gradients, Adam. A function of what it is given, to the bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from pipelines.adapter.config import Training
from pipelines.adapter.losses import loss_of
from pipelines.adapter.model import Weights, backward, first_weights, forward
from pipelines.adapter.pairs import Pairs
from pipelines.ranking import FloatArray
from pipelines.types import IntArray
from raytuner.arithmetic import one_thread

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8
"""Decay of both moments, and what keeps Adam from dividing by 0: the values of the paper."""
_LARGEST = 1e50
"""A weight beyond it has overflown, or is about to; no number at all is not below it either."""


class DivergedError(ArithmeticError):
    """The numbers of a training overflow."""


class State(NamedTuple):
    """Where a training is.

    Attributes:
        weights: by name.
        first, second: Adam's moments of each.
        updates: batches so far.
        epochs: epochs so far.
    """

    weights: Weights
    first: Weights
    second: Weights
    updates: int = 0
    epochs: int = 0


class Batch(NamedTuple):
    """Some questions and the passages they are compared with.

    Attributes:
        queries: float64 [b, d].
        passages: float64 [c, d], each once.
        right: the passage of each question, int64 [b].
        hidden: bool [b, c], other passages that hold evidence of a question.
    """

    queries: FloatArray
    passages: FloatArray
    right: IntArray
    hidden: np.ndarray


def beginning(training: Training, dimensions: int, seed: int) -> State:
    """Give the state before the first epoch: the identity."""
    weights = first_weights(training.adapter, dimensions, seed)
    first = {name: np.zeros_like(values) for name, values in weights.items()}
    second = {name: np.zeros_like(values) for name, values in weights.items()}
    return State(weights, first, second)


def epoch(state: State, training: Training, pairs: Pairs, seed: int) -> tuple[State, float]:
    """Go once through all questions, in a new order.

    Args:
        state: is left as it is.
        training: what holds in this epoch.
        pairs: questions and passages.
        seed: with the number of the epoch it decides the order and, where several passages hold
            evidence of a question, which of them is taken.

    Returns:
        The state afterwards, and the mean loss on the way.

    Raises:
        DivergedError: loss or weights overflow.
    """
    random = np.random.default_rng([seed, state.epochs])
    order = random.permutation(len(pairs.queries))
    draws = random.random(len(order))
    start = first_weights(training.adapter, pairs.queries.shape[1], seed)
    rate = training.learning_rate * training.decay.factor(state.epochs)
    losses = []
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, len(order), training.batch_size):
            rows = order[begin : begin + training.batch_size]
            batch = _batch(pairs, rows, draws[rows], training.negatives)
            loss, gradient = gradients(state.weights, start, training, batch)
            state = _adam(state, gradient, rate)
            losses.append(loss * len(rows))
            largest = max(float(np.abs(values).max()) for values in state.weights.values())
            if not (math.isfinite(loss) and largest < _LARGEST):
                raise DivergedError
    return state._replace(epochs=state.epochs + 1), float(np.sum(losses)) / len(order)


def gradients(
    weights: Mapping[str, FloatArray],
    start: Mapping[str, FloatArray],
    training: Training,
    batch: Batch,
) -> tuple[float, Weights]:
    """Give loss and gradient of a batch, regularisation included.

    Args:
        weights: where the loss is asked for.
        start: what regularisation pulls to.
        training: loss, regularisation, and what the adapter applies to.
        batch: questions and passages.
    """
    queries = forward(weights, batch.queries)
    both = training.adapter.sides == "both"
    passages = forward(weights, batch.passages) if both else None
    compared = batch.passages if passages is None else passages.unit
    cosines = queries.unit @ compared.T
    loss, slope = loss_of(training.loss, cosines, batch.right, batch.hidden)
    found = backward(weights, queries, slope @ compared)
    if passages is not None:
        other = backward(weights, passages, slope.T @ queries.unit)
        found = {name: found[name] + other[name] for name in found}
    if training.regularisation:
        away = {name: weights[name] - start[name] for name in found}
        squares = sum(float(np.square(values).sum()) for values in away.values())
        loss += 0.5 * training.regularisation * squares
        found = {name: found[name] + training.regularisation * away[name] for name in found}
    return loss, found


def _batch(pairs: Pairs, rows: IntArray, draws: FloatArray, negatives: int) -> Batch:
    """Put questions together with one passage of each, and its hardest negatives."""
    taken = [
        int(pairs.evidence[row][int(draw * len(pairs.evidence[row]))])
        for row, draw in zip(rows.tolist(), draws.tolist(), strict=True)
    ]
    hard = pairs.negatives[rows, :negatives].ravel()
    passages = np.unique(np.concatenate([np.array(taken, np.int64), hard[hard >= 0]]))
    hidden = np.zeros((len(rows), len(passages)), bool)
    for line, row in enumerate(rows.tolist()):
        hidden[line] = np.isin(passages, pairs.evidence[row])
    right = np.searchsorted(passages, taken)
    hidden[np.arange(len(rows)), right] = False
    vectors = pairs.passages[passages].astype(np.float64)
    return Batch(pairs.queries[rows].astype(np.float64), vectors, right, hidden)


def _adam(state: State, gradient: Mapping[str, FloatArray], rate: float) -> State:
    """Do one update (Kingma and Ba, "Adam", arXiv:1412.6980)."""
    updates = state.updates + 1
    weights, first, second = {}, {}, {}
    for name, slope in gradient.items():
        first[name] = _FIRST * state.first[name] + (1 - _FIRST) * slope
        second[name] = _SECOND * state.second[name] + (1 - _SECOND) * np.square(slope)
        mean = first[name] / (1 - _FIRST**updates)
        spread = np.sqrt(second[name] / (1 - _SECOND**updates)) + _TINY
        weights[name] = state.weights[name] - rate * mean / spread
    return State(weights, first, second, updates, state.epochs)
