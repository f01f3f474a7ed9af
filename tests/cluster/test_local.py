"""Local clusters: nodes that die alone, nothing but loopback, nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster import process_tree
from cluster.joining import in_this_process
from cluster.local import LocalCluster
from raytuner.component import ConfigError
from tests.cluster.conftest import clean

WHO = """
import json, os, ray
ray.init(log_to_driver=False)

@ray.remote(num_cpus=1)
def who():
    return os.environ["RAYTUNER_CACHE"]

nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
found = [who.options(scheduling_strategy=strategy(node, soft=False)).remote() for node in nodes]
print(json.dumps(ray.get(found)))
"""


def ask(cluster, code=WHO, **variables):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean(), **cluster.environment, **variables},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def caches_of(cluster):
    """The cache of every node that answers; Ray may print that one is lost before the answer."""
    lines = ask(cluster).stdout.splitlines()
    return sorted(json.loads(next((line for line in lines if line.startswith("[")), "[]")))


def listening(pids):
    """The addresses that processes listen on, from the kernel's own tables."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                if match := re.fullmatch(r"socket:\[(\d+)\]", str(handle.readlink())):
                    sockets.add(match[1])
            except OSError:
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            (
                _,
                local,
                _,
                state,
                *_,
            ) = (words := line.split())
            if state == "0A" and words[9] in sockets:
                found.add(local.partition(":")[0])
    return found


@pytest.mark.slow
def test_three_nodes_one_of_which_is_lost_and_another_joins():
    with LocalCluster(3, 1) as cluster:
        folder = cluster.folder
        assert cluster.token_path.stat().st_mode & 0o077 == 0
        assert caches_of(cluster) == sorted(str(node.cache) for node in cluster.nodes)

        everybody = set().union(*(node.pids for node in cluster.nodes))
        loopback = {
            "0100007F",
            "0000000000000000FFFF00000100007F",
            "00000000000000000000000001000000",
        }
        assert listening(everybody), "nothing was looked at"
        assert listening(everybody) <= loopback

        others = cluster.nodes[0].pids | cluster.nodes[2].pids
        cluster.kill_node(1)
        assert cluster.nodes[1].pids == set()
        assert {cluster.nodes[0].raylet, cluster.nodes[2].raylet} <= others
        assert {cluster.nodes[0].raylet, cluster.nodes[2].raylet} <= (
            cluster.nodes[0].pids | cluster.nodes[2].pids
        )
        assert cluster.add_node() == 3
        end = time.monotonic() + 60
        wanted = sorted(str(cluster.nodes[n].cache) for n in (0, 2, 3))
        while caches_of(cluster) != wanted:
            assert time.monotonic() < end, "the lost node is not missed"
        with in_this_process(cluster.environment):
            import ray

            ray.init(address=cluster.address, log_to_driver=False)
            try:
                assert sum(node["Alive"] for node in ray.nodes()) == 3
            finally:
                ray.shutdown()
    assert [node.pids for node in cluster.nodes] == [set()] * 4
    assert not folder.exists()


@pytest.mark.slow
def test_a_driver_with_another_token_is_refused(tmp_path):
    (tmp_path / "token").write_text("0" * 64)
    with LocalCluster(1, 1) as cluster:
        refused = ask(cluster, RAY_AUTH_TOKEN_PATH=str(tmp_path / "token"))
        assert refused.returncode != 0
        assert "token" in refused.stderr.lower()


@pytest.mark.slow
def test_nothing_outlives_the_owner_of_a_cluster():
    code = (
        "import time; from cluster.local import LocalCluster; c = LocalCluster(1, 1); c.start();"
        "print(c.nodes[0].group.session, c.nodes[0].group.mark, c.folder, flush=True);"
        "time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    session, mark, folder = owner.stdout.readline().split()
    group = process_tree.Group(int(session), mark)
    assert process_tree.members(group)
    owner.kill()
    owner.communicate()
    end = time.monotonic() + 30
    while process_tree.members(group) or Path(folder).exists():
        assert time.monotonic() < end, "left behind"
        time.sleep(0.1)


@pytest.mark.slow
def test_the_commands_start_introduce_and_end_a_cluster(tmp_path):
    folder = Path("/tmp") / f"rt-t{os.getpid()}"

    def raytuner(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "raytuner", "cluster", *arguments, "--dir", folder],
            env=clean(), cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    try:
        started = raytuner("local", "--nodes", "2", "--detach")
        assert started.returncode == 0, started.stderr
        assert re.search(
            r"2 nodes at 127\.0\.0\.1:\d+, job server .* http://127\.0\.0\.1:\d+", started.stdout
        )
        assert (folder / "env.sh").stat().st_mode & 0o077 == 0
        listed = subprocess.run(
            ["bash", "-c", f". {folder}/env.sh; {sys.executable} -m raytuner jobs"],
            env=clean(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert listed.stdout == "No study was submitted to this cluster.\n", listed.stderr
        again = raytuner("local")
        assert again.returncode == 2
        assert "a cluster is running in" in again.stderr
    finally:
        stopped = raytuner("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "ended 2 nodes\n")
    assert raytuner("stop").returncode == 2
    subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.mark.slow
def test_ctrl_c_ends_a_cluster_in_the_foreground(tmp_path):
    folder = Path("/tmp") / f"rt-f{os.getpid()}"
    running = subprocess.Popen(
        [sys.executable, "-m", "raytuner", "cluster", "local", "--nodes", "1", "--dir", folder],
        env=clean(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    running.stdout.readline()
    ((session, mark),) = json.loads((folder / "cluster.json").read_text())["nodes"]
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (0, "the cluster has ended\n")
    assert process_tree.members(process_tree.Group(session, mark)) == set()
    subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.mark.slow
def test_ctrl_c_while_nodes_start_leaves_none_also_when_detached(tmp_path):
    folder = Path("/tmp") / f"rt-d{os.getpid()}"
    starting = subprocess.Popen(
        [sys.executable, "-m", "raytuner", "cluster", "local", "--nodes", "1", "--detach",
         "--dir", folder],
        env=clean(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (folder / "node0").exists():
        assert starting.poll() is None
        time.sleep(0.05)
    starting.send_signal(signal.SIGINT)
    _, err = starting.communicate(timeout=60)
    assert (starting.returncode, err) == (0, "the cluster has ended\n")
    assert not (folder / "cluster.json").exists()
    subprocess.run(["rm", "-r", str(folder)], check=True)


def test_a_folder_whose_path_is_too_long_for_sockets_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has a path of"):
        LocalCluster(1, folder=tmp_path / ("x" * 50)).start()


def test_a_folder_that_others_can_write_to_is_refused():
    folder = Path("/tmp") / f"rt-w{os.getpid()}"
    folder.mkdir()
    folder.chmod(0o777)
    try:
        with pytest.raises(ConfigError, match="can be written by others"):
            LocalCluster(1, folder=folder).start()
    finally:
        folder.rmdir()
