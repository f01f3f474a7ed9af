"""Numbers: grids in decimals, snapping, logarithmic sampling."""

import math
import random
from collections import Counter

import numpy as np

from raytuner.spaces.intervals import Float, Int
from raytuner.spaces.spelling import parse_domain


def test_int_grids():
    assert parse_domain({"int": [1, 10], "step": 4}).grid() == (1, 5, 9)
    assert parse_domain({"int": [1, 4096], "log": True, "points": 13}).grid() == tuple(
        2**n for n in range(13)
    )
    assert parse_domain({"int": [0, 10], "points": 3}).grid() == (0, 5, 10)
    assert parse_domain({"int": [1, 4], "log": True}).grid() == (1, 2, 3, 4)
    assert parse_domain({"int": [1, 3], "log": True, "points": 9}).grid() == (1, 2, 3)
    assert parse_domain({"int": [7, 7]}).grid() == (7,)


def test_float_grids_are_decimals_not_dust():
    assert parse_domain({"float": [0.0, 0.5], "step": 0.1}).grid() == (0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert parse_domain({"float": [5.25, 5.29], "step": 0.01}).grid() == (
        5.25, 5.26, 5.27, 5.28, 5.29,
    )  # fmt: skip
    assert parse_domain({"float": [1e-4, 1], "log": True, "points": 5}).grid() == (
        1e-4, 1e-3, 1e-2, 0.1, 1.0,
    )  # fmt: skip
    assert parse_domain({"float": [0, 0.3], "points": 4}).grid() == (0.0, 0.1, 0.2, 0.3)


def test_dust_is_snapped_to_the_steps():
    cents = parse_domain({"float": [5.0, 6.0], "step": 0.01})
    assert cents.clean(5.2700000000000005) == 5.27
    assert cents.clean(6.000000000000001) == 6.0
    assert repr(cents.clean(np.float32(5.27))) == "5.27"
    assert parse_domain({"float": [0, 1]}).clean(-1e-17) == 0.0
    assert math.copysign(1, parse_domain({"float": [-1, 1]}).clean(-0.0)) == 1


def test_int_snaps_to_the_nearest_step_inside():
    domain = parse_domain({"int": [128, 500], "step": 128})
    assert [domain.clean(v) for v in (128, 191, 192.0, 300, 500)] == [128, 128, 256, 256, 384]
    assert domain.contains(np.int64(256))
    assert not domain.contains(300)
    assert not domain.contains(256.5)


def test_log_sampling_gives_every_decade_its_share():
    rng = random.Random(1)
    for domain in (Float(float=(1e-3, 1e3), log=True), Int(int=(1, 10**6 - 1), log=True)):
        decades = Counter(int(math.log10(domain.sample(rng)) // 1) for _ in range(6000))
        assert len(decades) == 6
        assert all(880 < n < 1120 for n in decades.values()), decades


def test_log_sampling_of_integers_follows_the_logarithm_at_both_ends():
    rng = random.Random(2)
    drawn = Counter(Int(int=(1, 3), log=True).sample(rng) for _ in range(8000))
    for value in (1, 2, 3):
        share = math.log((value + 1) / value) / math.log(4)
        assert abs(drawn[value] / 8000 - share) < 0.025
