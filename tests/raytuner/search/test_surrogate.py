"""The Gaussian process behind the searches."""

import math
import random

import numpy as np
import pytest

from raytuner.search.axes import layout
from raytuner.search.surrogate import encode, fit
from raytuner.space import Space
from tests.raytuner.search.conformance import RAG, SQUARE, bowl

MIXED = Space.parse(
    {
        "kind": ["a", "b", "c"],
        "k": [4, 1, 2],
        "t": {"float": [0, 1], "when": {"kind": "a"}},
        "on": {"subset": ["x", "y"]},
    }
)


def points(space, count):
    return [space.sample(random.Random(seed)) for seed in range(count)]


def test_categories_are_one_apart_and_inactive_parameters_have_a_flag():
    a = {"kind": "a", "k": 1, "t": 0.25, "on": ("x",)}
    b = {"kind": "b", "k": 4, "on": ()}
    first, second = encode(layout(MIXED), [a, b])
    half = math.sqrt(0.5)
    assert first == pytest.approx([half, 0, 0, 1 / 6, 0.25, 0, half, half, 0, 1])
    assert second == pytest.approx([0, half, 0, 5 / 6, 0.5, half, 0, half, 0, 0])
    assert np.linalg.norm(first[:3] - second[:3]) == pytest.approx(1)


def test_it_predicts_a_smooth_function_and_knows_what_it_does_not_know():
    known = points(SQUARE, 30)
    model = fit(layout(SQUARE), known, [bowl(p) for p in known])
    others = [SQUARE.sample(random.Random(seed)) for seed in range(100, 130)]
    mean, deviation = model.predict(others)
    assert mean == pytest.approx([bowl(p) for p in others], abs=0.05)
    assert model.predict(known)[1].mean() < deviation.mean()
    assert model.best == pytest.approx(max(map(bowl, known)), abs=0.02)


def test_it_is_in_the_units_of_the_scores():
    known = points(SQUARE, 20)
    small = fit(layout(SQUARE), known, [bowl(p) for p in known])
    large = fit(layout(SQUARE), known, [1000 + 500 * bowl(p) for p in known])
    (mean,), (deviation,) = small.predict(known[:1])
    (high,), (wide,) = large.predict(known[:1])
    assert high == pytest.approx(1000 + 500 * mean)
    assert wide == pytest.approx(500 * deviation, rel=1e-3)


def test_equal_scores_and_one_point_are_no_obstacle():
    plan = layout(RAG)
    mean, deviation = fit(plan, points(RAG, 1), [0.4]).predict(points(RAG, 3))
    assert np.isfinite(mean).all()
    assert np.isfinite(deviation).all()
    same = fit(plan, points(RAG, 12), [0.4] * 12)
    assert same.predict(points(RAG, 3))[0] == pytest.approx([0.4] * 3, abs=1e-3)


def test_many_points_are_all_used():
    known = points(SQUARE, 150)
    scores = [bowl(p) for p in known]
    far = {"x": 0.9, "y": 0.05}
    without = fit(layout(SQUARE), known, scores).predict([far])[1][0]
    added = fit(layout(SQUARE), [known[0], far, *known[1:]], [scores[0], bowl(far), *scores[1:]])
    assert added.predict([far])[1][0] < without
