"""The Gaussian process behind the searches."""

import math
import random

import numpy as np
import pytest

from raytuner.search.axes import layout
from raytuner.search.surrogate import Modeller, encode, fit, fitted_to
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


def test_a_kernel_is_fitted_anew_for_each_of_few_and_for_a_tenth_more_of_many():
    assert [fitted_to(count) for count in range(61)] == list(range(61))
    sizes = [fitted_to(count) for count in range(60, 2000)]
    assert sizes == sorted(sizes)
    assert all(size <= count <= 1.1 * size + 1 for count, size in enumerate(sizes, 60))
    assert len(set(sizes)) < 40


def predicted(model):
    return [one.tolist() for one in model.predict(points(SQUARE, 3))]


def test_what_is_modelled_step_by_step_depends_on_what_is_known_alone():
    def score(number, point):
        return bowl(point) + 0.01 * (number % 3)

    known, modeller = {}, Modeller(layout(SQUARE))
    for number, point in enumerate(points(SQUARE, 72)):
        known[str(number)] = (point, score(number, point))
        if number in (9, 40, 63, 70, 71):
            model = predicted(modeller.fit(known))
            assert model == predicted(Modeller(layout(SQUARE)).fit(dict(known)))
            if number < 60:
                assert model == predicted(fit(layout(SQUARE), *zip(*known.values(), strict=True)))
    known["3"] = (known["3"][0], 9.0)  # a trial that has answered more
    assert predicted(modeller.fit(known)) == predicted(Modeller(layout(SQUARE)).fit(known))


def test_of_many_it_rests_on_the_best_and_on_some_of_all_others():
    known = points(SQUARE, 700)
    scores = [bowl(p) for p in known]
    model = fit(layout(SQUARE), known, scores)
    kept = {tuple(row) for row in model.process.X_train_.tolist()}
    assert len(kept) == 300
    ranked = sorted(known, key=bowl, reverse=True)
    assert {(p["x"], p["y"]) for p in ranked[:150]} <= kept
    worse = [(p["x"], p["y"]) in kept for p in known if p in ranked[150:]]
    assert 0.2 < sum(worse[:275]) / 275 < 0.35  # as many of the first as of the last
    assert sum(worse) == 150
    mean, _ = model.predict(points(SQUARE, 900)[-20:])
    assert mean == pytest.approx([bowl(p) for p in points(SQUARE, 900)[-20:]], abs=0.02)
