"""Rankings: selection equals a stable sort, ties, padding, exact inner products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ranking import best_columns, best_listed, padded, snapped, stacked
from pipelines.types import Ranking


def unit(seed, count, dimensions):
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def equal(one, other):
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.scores, other.scores)


def stable_sort(scores, depth):
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Ranking(ids, np.take_along_axis(scores, ids, axis=1))


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 70), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_best_columns_is_a_stable_sort_with_or_without_ties(seed, columns, depth, levels):
    scores = np.random.default_rng(seed).integers(0, levels, (3, columns)).astype(np.float64)
    expected = stable_sort(scores, depth)
    assert equal(best_columns(scores, depth), expected)
    wide = np.hstack([scores, np.full((3, 300), -1.0)])
    assert np.array_equal(best_columns(wide, min(depth, columns)).ids, expected.ids)


def test_columns_without_a_hit_are_no_hits():
    ranking = best_columns(np.array([[-np.inf, 2.0, -np.inf]]), 2)
    assert ranking.ids.tolist() == [[1, -1]]
    assert ranking.scores.tolist() == [[2.0, -np.inf]]


def test_listed_ids_break_ties_by_id_or_by_place():
    ids, scores = np.array([[5, 2, -1, 9]]), np.array([[1.0, 1.0, 7.0, 3.0]])
    assert best_listed(ids, scores, 4, by_id=True).ids.tolist() == [[9, 2, 5, -1]]
    assert best_listed(ids, scores, 2, by_id=False).ids.tolist() == [[9, 5]]


def test_snapped_inner_products_do_not_depend_on_the_order_of_summation():
    rows, shuffled = snapped(unit(1, 300, 384)), np.random.default_rng(2).permutation(384)
    assert np.array_equal(rows @ rows.T, rows[:, shuffled] @ rows[:, shuffled].T)
    assert np.abs(rows @ rows.T - (unit(1, 300, 384) @ unit(1, 300, 384).T)).max() < 1e-6


@pytest.mark.parametrize("bad", [np.full((1, 3), 1.0), np.array([[np.nan, 0, 0]])])
def test_vectors_that_are_not_unit_are_refused(bad):
    with pytest.raises(ValueError, match="unit length"):
        snapped(bad.astype(np.float32))


def test_padding_fills_with_no_hits_and_cuts_what_is_too_much():
    ranking = Ranking(np.array([[3, 1]]), np.array([[0.5, 0.25]]))
    assert padded(ranking, 3).ids.tolist() == [[3, 1, -1]]
    assert padded(ranking, 3).scores.tolist() == [[0.5, 0.25, -np.inf]]
    assert padded(ranking, 1).ids.tolist() == [[3]]


def test_blocks_of_queries_are_joined_in_order():
    one, two = (Ranking(np.array([[n]]), np.array([[float(n)]])) for n in (1, 2))
    assert stacked([one, two], 1).ids.tolist() == [[1], [2]]
    assert stacked([], 4).ids.shape == (0, 4)
