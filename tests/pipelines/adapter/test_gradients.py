"""Gradients by hand against finite differences; losses against their formulas."""

import numpy as np
import pytest

from pipelines.adapter.config import Contrastive, Linear, Training, Triplet, TwoLayer
from pipelines.adapter.losses import loss_of
from pipelines.adapter.model import first_weights, forward
from pipelines.adapter.trainer import Batch, gradients

RANDOM = np.random.default_rng(3)


def unit(rows, width):
    made = RANDOM.normal(size=(rows, width))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def batch():
    hidden = np.zeros((4, 7), bool)
    hidden[1, 5] = hidden[3, 0] = True
    return Batch(unit(4, 6), unit(7, 6), np.array([0, 1, 2, 3]), hidden)


ADAPTERS = [
    Linear(),
    Linear(bias=True),
    Linear(bias=True, applies_to="both"),
    TwoLayer(hidden=5),
    TwoLayer(hidden=5, applies_to="both"),
]
LOSSES = [Contrastive(temperature=0.2), Triplet(margin=0.7)]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.kind)
@pytest.mark.parametrize("adapter", ADAPTERS, ids=repr)
def test_gradients_are_those_of_finite_differences(adapter, loss):
    training = Training(adapter=adapter, loss=loss, regularisation=0.3)
    start = first_weights(adapter, 6, seed=1)
    given = batch()
    weights = {n: w + RANDOM.normal(scale=0.3, size=w.shape) for n, w in start.items()}
    _, found = gradients(weights, start, training, given)
    assert set(found) == set(weights)
    for name, values in weights.items():
        for place in np.ndindex(values.shape):
            moved = []
            for step in (1e-6, -1e-6):
                near = {n: w.copy() for n, w in weights.items()}
                near[name][place] += step
                moved.append(gradients(near, start, training, given)[0])
            slope = (moved[0] - moved[1]) / 2e-6
            assert found[name][place] == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=repr)
def test_an_adapter_begins_as_the_identity(adapter):
    given = unit(5, 6)
    assert forward(first_weights(adapter, 6, seed=0), given).unit == pytest.approx(given, abs=1e-15)


def test_contrastive_loss_is_the_cross_entropy_of_the_right_passage():
    cosines = np.array([[0.5, 0.1, 0.9]])
    hidden = np.array([[False, False, True]])
    loss, _ = loss_of(Contrastive(temperature=0.1), cosines, np.array([0]), hidden)
    assert loss == pytest.approx(np.log(1 + np.exp((0.1 - 0.5) / 0.1)))


def test_triplet_loss_is_the_mean_hinge_over_wrong_passages():
    cosines = np.array([[0.5, 0.1, 0.45, 0.9]])
    hidden = np.array([[False, False, False, True]])
    loss, _ = loss_of(Triplet(margin=0.1), cosines, np.array([0]), hidden)
    assert loss == pytest.approx((0.0 + 0.05) / 2)
