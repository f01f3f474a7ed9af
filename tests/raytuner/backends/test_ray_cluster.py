"""Studies on a cluster of several nodes that somebody else has started, and that loses one."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.local import LocalCluster
from raytuner.results import Results
from tests.raytuner.probes import ROOT, evaluations, start, table, wait_for

pytestmark = pytest.mark.slow
FIELDS = {"backend": "ray", "address": None}


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(nodes=3, cpus=1, client_server=True) as made:
        yield made


@pytest.fixture
def inside(cluster, monkeypatch):
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    return cluster


def ended(process):
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in err, err
    return out.strip(), err


def test_from_outside_by_ray_client(tmp_path, inside, expected):
    fields = {**FIELDS, "address": inside.client_address, "workers": 2}
    out, err = ended(start(tmp_path, {}, **fields))
    assert out == "ended None", err
    assert table(Results.open(tmp_path / "runs/t")).equals(expected)


def test_paid_calls_from_outside_share_one_purse(tmp_path, inside):
    fields = {**FIELDS, "address": inside.client_address, "workers": 2}
    given = json.dumps([fields, str(tmp_path), 0.5])
    code = (
        "import json; from pathlib import Path; "
        "from tests.raytuner.backends.gate_probes import check_race; "
        f"fields, folder, limit = json.loads({given!r}); "
        "check_race(fields, Path(folder), limit)"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_who_may_not_come_in_is_told_so(tmp_path, inside, monkeypatch):
    wrong = tmp_path / "wrong"
    wrong.write_text("0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(wrong))
    for address in (inside.address, inside.client_address):
        began = time.monotonic()
        out, _ = ended(start(tmp_path, {}, **{**FIELDS, "address": address}))
        assert out.startswith(f"ConfigError address: the cluster at {address} refuses the token;")
        assert time.monotonic() - began < 60
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    out, _ = ended(start(tmp_path, {}, **{**FIELDS, "address": inside.address}))
    assert "refuses the token" in out


def test_another_version_is_told(tmp_path, inside):
    """A client that believes to be another release, since only one is installed."""
    (tmp_path / "sitecustomize.py").write_text("import ray\nray.__version__ = '2.99.0'\n")
    process = start(tmp_path, {}, **FIELDS)
    assert ended(process)[0] == "ended None"
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        out, _ = ended(start(tmp_path / "b", {}, **FIELDS))
    finally:
        del os.environ["PYTHONPATH"]
    version = ".".join(map(str, sys.version_info[:3]))
    assert f"on Python {version}, this is Ray 2.99.0 on Python {version}: install the" in out


def test_a_lost_node_costs_its_open_batches_only(tmp_path, inside, expected):
    log = Path(tmp_path) / "log"
    process = start(tmp_path, {"log": str(log), "pause": 0.3}, **FIELDS)
    wait_for(lambda: len(evaluations(log)) > 12, 120)
    inside.kill_node(1)
    out, err = ended(process)
    assert out == "ended None", err
    assert table(Results.open(tmp_path / "runs/t")).equals(expected)
    again = [pair for pair in evaluations(log) if evaluations(log).count(pair) > 1]
    assert len(again) <= 2 * 2, "one worker, one batch of two questions, counted twice"
