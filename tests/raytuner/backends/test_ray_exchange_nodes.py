"""The exchange across nodes that are lost, through ray://, and beside a storage."""

import logging
import os
import subprocess
import sys
import textwrap
import time

import pytest
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.joining import in_this_process
from cluster.local import LocalCluster
from raytuner.backends.ray_exchange import start_exchange, stop_exchange
from tests.raytuner.backends.exchange_probes import Stages, Worker
from tests.raytuner.probes import ROOT

pytestmark = pytest.mark.slow
KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def nodes():
    """Three nodes; the driver's is the first."""
    with LocalCluster(3, environment={"PYTHONPATH": str(ROOT)}, client_server=True) as cluster:
        yield cluster


@pytest.fixture
def driver(nodes):
    """Connect this process."""
    with in_this_process(nodes.environment):
        ray.init(nodes.address, log_to_driver=False, logging_level=logging.ERROR)
        yield nodes
        ray.shutdown()


def hired(cluster, handle, index):
    """Start a worker on one node."""
    here = NodeAffinitySchedulingStrategy(cluster.nodes[index].id, soft=False)
    worker = ray.remote(Worker).options(num_cpus=0, scheduling_strategy=here).remote(handle)
    assert ray.get(worker.pid.remote()) in cluster.nodes[index].pids
    return worker


SCRIPT = """
import ray
from pathlib import Path
from raytuner.backends.ray_exchange import start_exchange, stop_exchange
from tests.raytuner.backends.exchange_probes import Stages, Worker, made
ray.init(ADDRESS, logging_level="ERROR")
objective = Stages()
handle = start_exchange(objective)
mine = objective.exchange.obtain("0" * 32, lambda: made(100_000))
worker = ray.remote(Worker).options(num_cpus=0).remote(handle)
total, built, own = ray.get(worker.obtain.remote("0" * 32, Path(LOG), 100_000))
assert (float(total), built, own) == (float(mine["row"].sum()), False, False)
ray.get(worker.obtain.remote("1" * 32, Path(LOG), 1000))
theirs = objective.exchange.obtain("1" * 32, lambda: 1 / 0)
assert theirs["row"].tolist() == made(1000)["row"].tolist()
assert not theirs["row"].flags.writeable
stop_exchange(handle)
print("done")
"""


def test_a_driver_may_come_by_ray_client(nodes, tmp_path):
    script = textwrap.dedent(SCRIPT).replace("ADDRESS", repr(nodes.client_address))
    environment = {**os.environ, **nodes.environment, "PYTHONPATH": str(ROOT)}
    del environment["RAY_ADDRESS"]
    done = subprocess.run(
        [sys.executable, "-c", script.replace("LOG", repr(str(tmp_path / "log")))],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == "done", done.stderr


def test_storage_gives_what_another_cluster_has_built(driver, tmp_path):
    url = f"file://{tmp_path / 'kept'}"
    for expected in (True, False):
        handle = start_exchange(Stages(), url)
        worker = hired(driver, handle, 0)
        assert ray.get(worker.obtain.remote(KEY, tmp_path / "log"))[:2] == (45, expected)
        ray.kill(worker)
        stop_exchange(handle)
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_a_lost_node_takes_neither_artifacts_nor_keys_along(driver, tmp_path):
    handle = start_exchange(Stages())
    doomed, other = hired(driver, handle, 1), hired(driver, handle, 2)
    finished, started = tmp_path / "finished", tmp_path / "started"
    assert ray.get(doomed.obtain.remote("0" * 32, finished, 100_000))[1]
    lost = doomed.obtain.remote(KEY, started, seconds=600)
    until = time.monotonic() + 30
    while not started.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    waiting = other.obtain.remote(KEY, started)
    driver.kill_node(1)
    killed = time.monotonic()
    assert ray.get(waiting, timeout=60)[:2] == (45, True)
    assert time.monotonic() - killed < 30
    assert ray.get(other.obtain.remote("0" * 32, finished, 100_000))[1] is False
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(lost)
    stop_exchange(handle)
