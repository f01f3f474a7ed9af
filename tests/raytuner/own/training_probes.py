"""A small real training: logistic regression by gradient descent on two moons of numbers."""

import numpy as np


def data(seed=0, count=120):
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, count)
    points = rng.normal(size=(count, 4)) + side[:, None] * np.array([1.2, -0.7, 0.0, 0.3])
    return points, side


def train(config, state):
    """Yield the accuracy and the negative loss after each epoch, and the weights."""
    points, side = data()
    weights = np.zeros(4) if state is None else np.array(state["weights"])
    done = 0 if state is None else state["epoch"]
    while True:
        chance = 1 / (1 + np.exp(-points @ weights))
        gradient = points.T @ (chance - side) / len(side) + config["decay"] * weights
        weights = weights - config["rate"] * gradient
        done += 1
        chance = np.clip(1 / (1 + np.exp(-points @ weights)), 1e-12, 1 - 1e-12)
        loss = -np.mean(side * np.log(chance) + (1 - side) * np.log(1 - chance))
        right = float(np.mean((chance > 0.5) == side))
        yield {"fit": -float(loss), "accuracy": right}, {"weights": weights, "epoch": done}
