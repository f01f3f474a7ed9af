"""What early stopping saves, and what it costs, on a table of recorded question scores."""

import numpy as np
import pytest

from raytuner.schedulers import (
    Asha,
    Bohb,
    Full,
    Halving,
    HyperBand,
    Median,
    PopulationBased,
)
from tests.raytuner.schedulers.simulation import Driver, keys, label

CONFIGS, QUESTIONS, SEEDS = 200, 243, 8
ALL = CONFIGS * QUESTIONS


def table(seed):
    """Hits of 200 configurations on 243 questions, some of which are harder than others."""
    generator = np.random.default_rng(seed)
    worth = generator.normal(0.6, 0.3, size=(CONFIGS, 1))
    difficulty = generator.normal(0, 1.5, size=(1, QUESTIONS))
    chance = 1 / (1 + np.exp(difficulty - worth))
    return (generator.random((CONFIGS, QUESTIONS)) < chance).astype(float)


def outcomes(scheduler, workers=4):
    """Give the rank of the best complete trial, and the share of all answers, for every seed."""
    for seed in range(SEEDS):
        hits = table(seed)

        def score(key, units, hits=hits):
            return float(hits[int(key[1:]), :units].mean())

        outcome = Driver(scheduler, QUESTIONS, score, [keys(CONFIGS)], workers=workers).run()
        found = max(score(key, QUESTIONS) for key in outcome.complete)
        yield int((hits.mean(axis=1) > found).sum()), outcome.cost / ALL


@pytest.mark.parametrize(
    ("scheduler", "rank", "share"),
    [
        (Full(), 0, 1.0),
        (Asha(), 2, 0.2),
        (Asha(variant="stop"), 2, 0.25),
        (Halving(), 2, 0.15),
        (Halving(trials=50), 2, 0.15),
        (HyperBand(), 3, 0.3),
        (Bohb(), 3, 0.3),
        (Median(), 1, 0.6),
        (PopulationBased(population=40, quantile=0.5), 2, 0.7),
    ],
    ids=lambda value: label(value) if hasattr(value, "kind") else None,
)
def test_the_best_are_found_for_a_part_of_the_answers(scheduler, rank, share):
    ranks, shares = zip(*outcomes(scheduler), strict=True)
    assert np.median(ranks) <= rank
    assert np.mean(shares) <= share
