"""Agreement of raters, against values worked out by hand."""

import math

import pytest

from raytuner.rating.agreement import agreement, cohen, krippendorff


def test_equal_judgements_agree_whatever_they_are():
    judged = {str(n): {"r1": n % 3 - 1, "r2": n % 3 - 1} for n in range(9)}
    found = agreement(judged)
    assert found.shared == 9
    assert found.percent == 1
    assert found.alpha == pytest.approx(1)
    assert found.kappa[("r1", "r2")] == pytest.approx(1)


def test_kappa_as_worked_out_by_hand():
    # both ways round, outcomes 1 and -1 are equally common: chance is 1/2; 3 of 4 are equal
    pairs = [(1, 1), (1, 1), (-1, -1), (1, -1)]
    assert cohen(pairs) == pytest.approx((0.75 - 0.5) / 0.5)
    # no ties of the first, ties only of the second
    assert cohen([(1, 0), (-1, 0)]) == pytest.approx(0)


def test_alpha_as_worked_out_by_hand():
    # 8 values of each sign after turning; observed (4 pairs, 1 unequal, both ways): 2 * 2 = 4
    # and 128 expected, over 15 of 16 values
    rows = [[1, 1], [1, 1], [-1, -1], [1, -1]]
    assert krippendorff(rows) == pytest.approx(1 - 4 * 15 / 128)


def test_which_side_is_called_the_first_does_not_matter():
    rows = [(1, 1), (1, 0), (0, 0), (-1, 1), (-1, -1)]
    turned = [(-a, -b) if n % 2 else (a, b) for n, (a, b) in enumerate(rows)]
    assert cohen(rows) == pytest.approx(cohen(turned))
    assert krippendorff(map(list, rows)) == pytest.approx(krippendorff(map(list, turned)))


def test_opposite_raters_are_worse_than_chance():
    assert cohen([(1, -1), (-1, 1), (1, -1)]) == pytest.approx(-1)
    assert krippendorff([[1, -1]] * 5) < 0


def test_what_is_not_shared_says_nothing():
    found = agreement({"a": {"r1": 1}, "b": {"r2": -1}})
    assert found.shared == 0
    assert math.isnan(found.percent)
    assert math.isnan(found.alpha)
    assert found.kappa == {}
    assert math.isnan(agreement({"a": {"r1": 0, "r2": 0}}).alpha)  # nothing could have differed
