"""What networks do to a study: hosts with addresses of their own, killed whole or cut off.

Every host is a network namespace with one cable to a switch (a bridge in a namespace of its own),
and runs what a cluster's machines run: `ray start`, with a token. So, unlike nodes on loopback,
a host can go silent without a single connection being closed.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import raytuner
from cluster.joining import write_private
from tests.raytuner.probes import ROOT, Questions, evaluations, same, study, table, wait_for
from tests.test_faults import TOTAL, UNITS, answered, finished, processes_at_work, recorded_once

pytestmark = pytest.mark.slow

PORT = 6399
BATCH = 2
"""Questions that a worker is at when it is lost."""
SWITCH = "switch"
RAY = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A host that says nothing is given up after some 15 seconds instead of 65.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
}


class Hosts:
    """A Ray cluster of three hosts; the first one is its head, and the driver's place.

    Nothing of it is in the namespace of the machine itself, so it meets no other network there, and
    its names and addresses are drawn by lot, so that it meets no other test.
    """

    count = 3

    def __init__(self):
        self.number = secrets.randbelow(250)
        self.mark = f"rt-{secrets.token_hex(4)}"
        self.folder = Path(tempfile.mkdtemp(prefix="rtn-", dir="/tmp"))  # Ray: a short path
        self.made = []
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("RAY_")},
            **RAY,
            "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"),
            "RAYTUNER_CACHE": str(self.folder / "cache"),
        }

    @property
    def head(self):
        return f"{self.address(0)}:{PORT}"

    def address(self, host):
        return f"10.77.{self.number}.{10 + host}"

    def name(self, host):
        return f"{self.mark}-{host}"

    # ---- cables

    def build(self):
        """Make the network; raises CalledProcessError where that is not allowed."""
        self.make(SWITCH)
        ip("-n", self.name(SWITCH), "link", "add", "bridge", "up", "type", "bridge")
        for host in range(self.count):
            self.make(host)
            name, port = self.name(host), f"port{host}"
            far = ["type", "veth", "peer", "name", port, "netns", self.name(SWITCH)]
            ip("-n", name, "link", "add", "eth0", *far)
            ip("-n", name, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", self.name(SWITCH), "link", "set", port, "master", "bridge", "up")

    def make(self, host):
        ip("netns", "add", self.name(host))
        self.made.append(host)

    def cut(self, host):
        """Pull a host's cable at the switch."""
        ip("-n", self.name(SWITCH), "link", "set", f"port{host}", "down")

    # ---- processes

    def start(self, host):
        """Run `ray start` on a host; returns when its node has joined."""
        where = ["--address", self.head]
        if host == 0:
            where = ["--head", "--port", str(PORT), "--include-dashboard", "false"]
        home = self.folder / f"host{host}"
        shutil.rmtree(home, ignore_errors=True)
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", *where]
        ray += ["--node-ip-address", self.address(host), "--temp-dir", str(home)]
        ray += ["--num-cpus", "1", "--object-store-memory", str(100 * 2**20)]
        done = subprocess.run(
            self.inside(host, *ray),
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def drive(self, folder, **fields):
        """Start a driver on the head; its objective notes every question and its process."""
        objective = {"log": str(folder / "log"), "units": UNITS, "batch": BATCH, **fields}
        given = [str(folder), objective, {"backend": "ray", "address": self.head}]
        code = f"from tests.raytuner.probes import drive; drive(*{given!r})"
        return subprocess.Popen(
            self.inside(0, sys.executable, "-c", code),
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def inside(self, host, *command):
        return [program(), "netns", "exec", self.name(host), *command]

    def pids(self, host):
        return set(map(int, ip("netns", "pids", self.name(host)).split()))

    def kill(self, host):
        """Kill every process of a host with SIGKILL, as a power cut would."""

        def gone():
            left = self.pids(host)
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not left

        wait_for(gone)

    def at_work(self, host, log):
        """Tell whether a host has answered a question."""
        return lambda: log.exists() and self.pids(host) & set(map(int, processes_at_work(log)))

    def clear(self):
        """End all that was started, and leave no trace."""
        for host in reversed(self.made):
            self.kill(host)
            ip("netns", "delete", self.name(host))
        shutil.rmtree(self.folder, ignore_errors=True)


def program():
    return shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def ip(*words):
    return subprocess.run([program(), *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def hosts():
    if os.geteuid() or program() is None:
        pytest.skip("network namespaces need root and `ip`")
    made = Hosts()
    try:
        try:
            made.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces are not allowed here: {error.stderr.strip()}")
        write_private(made.folder / "token", secrets.token_hex(32))
        for host in range(made.count):
            made.start(host)
        yield made
    finally:
        made.clear()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    objective = Questions(units=UNITS, batch=BATCH)
    return table(raytuner.run(study(objective), tmp_path_factory.mktemp("whole")))


def asked_twice(folder):
    asked = evaluations(folder / "log")
    return len(asked) - len(set(asked))


def test_a_killed_host_costs_its_batch_only(tmp_path, hosts, undisturbed):
    driver = hosts.drive(tmp_path, pause=0.1)
    wait_for(answered(tmp_path, 10), 90)
    wait_for(hosts.at_work(2, tmp_path / "log"), 60)
    hosts.kill(2)
    finished(driver)
    assert not hosts.pids(2)
    same(table(tmp_path / "runs/t"), undisturbed)
    assert recorded_once(tmp_path) == TOTAL
    assert asked_twice(tmp_path) <= BATCH


def test_a_host_that_comes_back_gets_work_again(tmp_path, hosts, undisturbed):
    driver = hosts.drive(tmp_path, pause=1.0)
    wait_for(hosts.at_work(2, tmp_path / "log"), 90)
    hosts.kill(2)
    hosts.start(2)
    wait_for(hosts.at_work(2, tmp_path / "log"), 60)
    finished(driver)
    same(table(tmp_path / "runs/t"), undisturbed)
    assert recorded_once(tmp_path) == TOTAL
    assert asked_twice(tmp_path) <= BATCH


def test_a_host_that_is_cut_off_for_good_costs_its_batch_only(tmp_path, hosts, undisturbed):
    driver = hosts.drive(tmp_path, pause=0.1)
    wait_for(answered(tmp_path, 10), 90)
    wait_for(hosts.at_work(2, tmp_path / "log"), 60)
    hosts.cut(2)
    finished(driver)
    assert hosts.at_work(2, tmp_path / "log")()  # it lives on, and nobody hears of it
    same(table(tmp_path / "runs/t"), undisturbed)
    assert recorded_once(tmp_path) == TOTAL
    assert asked_twice(tmp_path) <= BATCH
