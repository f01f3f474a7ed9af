"""Clusters that a run starts for itself: how they begin, and that nothing of them is left."""

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import raytuner
from raytuner.results import Results
from tests.raytuner.probes import (
    ROOT,
    evaluations,
    recorded,
    start,
    study,
    table,
    wait_for,
)

pytestmark = pytest.mark.slow
FIELDS = {"backend": "ray", "address": "local", "workers": 2}


@pytest.fixture
def mark(monkeypatch):
    """Mark this test's processes, and whatever they start."""
    value = uuid.uuid4().hex
    monkeypatch.setenv("RAYTUNER_PROBE", value)
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return f"RAYTUNER_PROBE={value}".encode()


def living(mark):
    found = set()
    for folder in Path("/proc").iterdir():
        try:
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if mark in (folder / "environ").read_bytes() and state != "Z":
                found.add(int(folder.name))
        except (OSError, IndexError):
            continue
    return found - {os.getpid()}


def test_a_killed_driver_takes_its_cluster_along_and_the_study_resumes(tmp_path, mark, expected):
    log = tmp_path / "log"
    process = start(tmp_path, {"log": str(log), "pause": 0.05}, **FIELDS)
    wait_for(lambda: len(evaluations(log)) > 20, 120)
    process.kill()
    process.communicate()
    wait_for(lambda: not living(mark), 100)  # Ray's agents wait a minute for a head that is gone
    known, before = recorded(tmp_path / "runs/t"), len(evaluations(log))
    assert known
    process = start(tmp_path, {"log": str(log)}, **FIELDS)
    out, err = process.communicate(timeout=180)
    assert out == "ended None\n", err
    assert known.isdisjoint(evaluations(log)[before:])
    assert table(Results.open(tmp_path / "runs/t")).equals(expected)
    wait_for(lambda: not living(mark), 30)


def test_an_interrupt_ends_the_workers_and_leaves_a_resumable_study(tmp_path, mark, expected):
    log = tmp_path / "log"
    process = start(tmp_path, {"log": str(log), "pause": 0.05}, **FIELDS)
    wait_for(lambda: len(evaluations(log)) > 20, 120)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    out, err = process.communicate(timeout=60)
    assert out == "interrupted\n", err
    assert "Traceback" not in err
    wait_for(lambda: not living(mark), 30)
    partial = Results.open(tmp_path / "runs/t")
    assert partial.stop_reason == "interrupted"
    assert len(recorded(tmp_path / "runs/t")) == len(set(evaluations(log)))
    assert {trial.status for trial in partial.record.current} <= {"complete", "stopped"}
    assert table(raytuner.run(study(), tmp_path)).equals(expected)


SCRIPT = """
import json, os, pathlib
import ray, psutil
import raytuner
from tests.raytuner.probes import Questions, study

class Looks(Questions):
    def evaluate(self, params, units, meter):
        assert "RAY_AUTH_TOKEN" in os.environ
        hosts = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get("RAYTUNER_PROBE") == os.environ["RAYTUNER_PROBE"]:
                    for connection in process.net_connections():
                        if connection.status == "LISTEN":
                            hosts[process.name()] = connection.laddr.ip
            except psutil.Error:
                pass
        pathlib.Path(self.log).write_text(json.dumps(hosts))
        pathlib.Path(f"{self.log}.folder").write_text(ray._private.worker.global_worker.node.get_session_dir_path())
        yield from Questions.evaluate(Questions(), params, units, meter)

before = dict(os.environ)
fields = dict(backend="ray", address="local", workers=1, space={"x": [1, 2]})
for _ in range(2):
    raytuner.run(study(Looks(log=LOG), **fields), in_memory=True)
changed = {n for n in {*before, *os.environ} if before.get(n) != os.environ.get(n)}
print(sorted(changed))
import ray
print(ray.is_initialized())
"""


def test_a_private_cluster_listens_on_loopback_and_leaves_no_trace(tmp_path, mark):
    log = tmp_path / "sockets"
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.replace("LOG", repr(str(log)))],
        capture_output=True, text=True, env=environment, timeout=180, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"
    assert "TOKEN" not in done.stdout
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == {"note"}
    assert not (home / ".ray/auth_token").exists()
    assert not Path(Path(f"{log}.folder").read_text()).exists()
    wait_for(lambda: not living(mark), 30)
    hosts = json.loads(log.read_text())
    assert "gcs_server" in hosts
    assert {host.removeprefix("::ffff:") for host in hosts.values()} <= {"127.0.0.1", "::1"}
