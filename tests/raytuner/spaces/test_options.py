"""Choices, booleans and subsets: order, look-alikes, cleaning, sampling."""

import random
from collections import Counter

import numpy as np

from raytuner.spaces.options import Bool, Choice, Subset
from raytuner.spaces.spelling import parse_domain


def test_subset_grid_is_small_first_in_list_order():
    domain = parse_domain({"subset": ["b", "a", "c"], "max": 2})
    assert domain.grid() == ((), ("b",), ("a",), ("c",), ("b", "a"), ("b", "c"), ("a", "c"))
    assert domain.size == 7


def test_choice_keeps_look_alikes_apart():
    domain = Choice(choice=[1, True, "1", 0.1])
    assert [domain.clean(v) for v in (1, True, "1", np.bool_(True))] == [1, True, "1", True]
    assert type(domain.clean(np.bool_(True))) is bool
    assert domain.clean(0.1 + 1e-17) == 0.1
    assert domain.clean(np.int64(1)) == 1
    assert Bool(bool=True).clean(1) is True
    assert Bool(bool=True).clean(np.float64(0)) is False


def test_subset_cleans_any_order_and_container():
    domain = Subset(subset=["a", "b", "c"], min=1, max=2)
    for spelled in (["c", "a"], ("c", "a"), {"a", "c"}, np.array(["c", "a"])):
        assert domain.clean(spelled) == ("a", "c")


def test_subsets_are_drawn_evenly():
    rng = random.Random(3)
    domain = Subset(subset=["a", "b", "c"], min=1)
    drawn = Counter(domain.sample(rng) for _ in range(7000))
    assert set(drawn) == set(domain.grid())
    assert all(850 < n < 1150 for n in drawn.values())
