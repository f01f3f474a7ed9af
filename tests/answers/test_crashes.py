"""Studies with answers and judges, killed and resumed, in process and on Ray.

The server runs in a process of its own and counts what it answered.
"""

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from raytuner.journal import read
from raytuner.results import Results
from tests.answers.conftest import PRICES
from tests.endpoint.server import started

CONCURRENCY = 8
METRICS = [
    {"kind": "correctness", "model": "judge"},
    "token-f1",
    "recall",
]
RAY = {"backend": "ray", "workers": 2, "resources": {"cpu": 0.5}}


@pytest.fixture
def remote(monkeypatch):
    with started(latency=0.03) as running:
        monkeypatch.setenv("OPENAI_API_KEY", running.key)
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def prepared(folder, **changes):
    return folder.write(objective__metrics=METRICS, metric="correctness", **changes)


def scores(run):
    table = Results.open(run).scores
    table = table[table.metric != "seconds"]
    return table.sort_values(["trial", "unit", "metric"]).reset_index(drop=True)


def finished(process):
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    return out + err


def paid(remote):
    """List the answers that the server has sent and charged for."""
    return [one for one in remote.requests() if one["kind"] == "chat" and one["status"] == 200]


def wait_for(remote, count):
    end = time.monotonic() + 120
    while len(paid(remote)) < count:
        assert time.monotonic() < end, f"{len(paid(remote))} answers, not {count}"
        time.sleep(0.05)


def dollars(remote):
    """Sum up what the server charged."""
    prices = {"cheap-1": PRICES["cheap"], "good-1": PRICES["good"]}
    return sum(
        (one["billed"][0] * prices[one["model"]][0] + one["billed"][1] * prices[one["model"]][1])
        / 1e6
        for one in remote.requests()
        if one["kind"] == "chat"
    )


def readable(root):
    """Read every file below a folder that others may still write."""
    found = {}
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                found[path] = path.read_bytes()
    return found


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
def test_killed_again_and_again_it_pays_for_nothing_twice(folder, remote, start):
    prepared(folder, name="whole", objective__cache="whole")
    finished(start("run", "study.yaml"))
    whole = len(paid(remote))
    prepared(folder, name="killed", objective__cache="killed", budget={"usd": 1.0})
    kills = 0
    for more in (30, 90, 200):
        process = start("run", "study.yaml")
        wait_for(remote, whole + more)
        kill(process)
        kills += 1
    finished(start("run", "study.yaml"))
    assert scores(folder.path / "runs/killed").equals(scores(folder.path / "runs/whole"))
    # What was on its way to the killed process the server has answered in vain; no more than that
    # and one answer that is on its way to the disk while its place is taken already.
    lost = len(paid(remote)) - 2 * whole
    assert lost <= kills * (CONCURRENCY + 1)
    rows = [
        (event["key"], row[0])
        for event in read(folder.path / "runs/killed/journal.jsonl")[0]
        if event["event"] == "units"
        for row in event["rows"]
    ]
    assert len(rows) == len(set(rows)) == 4 * 36


@pytest.mark.slow
def test_what_was_in_flight_counts_as_spent(folder, remote, start):
    """A budget holds over sessions, though a killed one could not say what its calls cost."""
    limit = 0.04
    prepared(folder, budget={"usd": limit})
    for more in (15, 40):
        process = start("run", "study.yaml")
        wait_for(remote, more)
        kill(process)
    process = start("run", "study.yaml")
    process.communicate(timeout=120)
    assert process.returncode == 4
    assert 0.5 * limit < dollars(remote) <= limit


@pytest.mark.slow
def test_ray_gives_the_same_scores_and_pays_for_nothing_twice(folder, remote, start):
    prepared(folder, name="here", objective__cache="here")
    finished(start("run", "study.yaml"))
    whole = len(paid(remote))
    prepared(folder, name="ray", objective__cache="ray", **RAY)
    finished(start("run", "study.yaml"))
    assert scores(folder.path / "runs/ray").equals(scores(folder.path / "runs/here"))
    assert len(paid(remote)) == 2 * whole
    prepared(folder, name="killed", objective__cache="killed", budget={"usd": 1.0}, **RAY)
    for more in (40, 160):
        process = start("run", "study.yaml")
        wait_for(remote, 2 * whole + more)
        kill(process)
    finished(start("run", "study.yaml"))
    assert scores(folder.path / "runs/killed").equals(scores(folder.path / "runs/here"))
    assert len(paid(remote)) - 3 * whole <= 2 * CONCURRENCY * 2


@pytest.mark.slow
def test_nodes_that_share_no_disk_ask_once(folder, remote, start, tmp_path):
    """Equal trials on workers with caches of their own: the driver's gate asks for them once."""
    prelude = "import os; os.environ['RAYTUNER_CACHE'] = f'{os.getcwd()}/own'"
    prepared(folder, name="first", **RAY)
    finished(start("run", "study.yaml", prelude=prelude))
    once = len(paid(remote))
    prepared(folder, name="second", **RAY)
    finished(start("run", "study.yaml", prelude=prelude))
    assert len(paid(remote)) == once
    bodies = [str(one["body"]) for one in paid(remote)]
    assert len(bodies) == len(set(bodies))


@pytest.mark.slow
def test_the_key_is_in_no_file_log_or_metadata_of_ray(folder, remote, start, tmp_path):
    remote.fault("status", status=500, first=20)
    prepared(folder, retry={"times": 3, "wait": 0}, **RAY)
    with tempfile.TemporaryDirectory(prefix="ray") as short:  # sockets want short paths
        process = start("run", "study.yaml", RAY_TMPDIR=short)
        wait_for(remote, 200)  # the folder goes when the run ends
        files = readable(Path(short))
        assert any("raylet" in path.name for path in files)
        said = finished(process)
        for path, content in {**files, **readable(tmp_path)}.items():
            assert remote.key.encode() not in content, path
    assert remote.key not in said
