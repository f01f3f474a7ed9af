"""What fits on the nodes of a cluster."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.backends.ray_capacity import check_resources, count_fitting, options_of
from raytuner.component import ConfigError
from raytuner.resources import Resources

NODES = [{"CPU": 4.0, "memory": 8e9}, {"CPU": 2.0, "GPU": 1.0, "memory": 64e9, "fast": 1.0}]


@pytest.mark.parametrize(
    ("resources", "count"),
    [
        ({}, 6),
        ({"cpu": 0.5}, 12),
        ({"cpu": 0.1}, 60),
        ({"cpu": 3}, 1),
        ({"cpu": 0, "gpu": 0.25}, 4),
        ({"gpu": 0.5}, 2),
        ({"memory": 3_000_000_000}, 4),
        ({"cpu": 0, "custom": {"fast": 1}}, 1),
        ({"cpu": 0}, 6),
    ],
)
def test_counts(resources, count):
    assert count_fitting(Resources(**resources), NODES, None) == count


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"cpu": 5}, r"resources\.cpu: a trial asks for 5, the largest node .* has 4"),
        ({"gpu": 2}, r"resources\.gpu: a trial asks for 2, the largest node .* has 1"),
        ({"memory": 10**12}, r"for 1,000,000,000,000 bytes, .* has 64,000,000,000 bytes"),
        ({"custom": {"tpu": 1}}, r"resources\.custom\.tpu: a trial asks for 1, .* has 0"),
        ({"cpu": 4, "gpu": 1}, r"resources: no single node of the cluster has cpu 4, gpu 1"),
    ],
)
def test_what_no_node_has_is_said(resources, said):
    with pytest.raises(ConfigError, match=said):
        count_fitting(Resources(**resources), NODES, None)


def test_a_cluster_that_grows_may_have_it_later():
    ceiling = {"CPU": 64, "GPU": 8, "memory": 10**12}
    assert count_fitting(Resources(gpu=2), NODES, ceiling) == 1
    with pytest.raises(ConfigError, match="largest node of the cluster has 1"):
        count_fitting(Resources(gpu=16), NODES, ceiling)


@settings(max_examples=60, deadline=None)
@given(
    cpu=st.floats(0.01, 4, allow_nan=False),
    nodes=st.lists(st.integers(4, 64), min_size=1, max_size=5),
)
def test_the_count_is_what_can_be_packed(cpu, nodes):
    count = count_fitting(Resources(cpu=cpu), [{"CPU": float(size)} for size in nodes], None)
    assert count == sum(math.floor(size / cpu + 1e-9) for size in nodes)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"gpu": 1.5}, r"resources\.gpu: a trial gets a part of one, or whole ones, got 1\.5"),
        ({"custom": {"GPU": 1}}, r"'GPU' is no custom resource: use resources\.gpu"),
        ({"custom": {"node:10.0.0.1": 1}}, "no custom resource: it is Ray's own"),
        ({"custom": {"fast": -1}}, "fast: give an amount of 0 or more, got -1"),
        ({"cpu": 0}, "a trial that occupies nothing fits without end; give `workers`"),
    ],
)
def test_what_no_cluster_can_mean_is_refused(resources, said):
    with pytest.raises(ConfigError, match=said):
        check_resources(Resources(**resources), None)


def test_options():
    check_resources(Resources(cpu=0), 4)
    made = options_of(Resources(cpu=0.5, gpu=0.25, memory=10, custom={"fast": 1}))
    assert made == {"num_cpus": 0.5, "num_gpus": 0.25, "memory": 10, "resources": {"fast": 1.0}}
