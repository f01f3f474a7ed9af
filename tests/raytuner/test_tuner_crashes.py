"""Runs that are killed, interrupted, run twice at once, or fill the disk lose nothing."""

import json
import os
import signal
import subprocess
import sys

import pytest

import raytuner
from raytuner.journal import Journal, JournalError, JournalFullError, read
from raytuner.results import Results
from tests.raytuner.probes import (
    BACKENDS,
    ROOT,
    SIZE,
    Questions,
    evaluations,
    group_is_gone,
    recorded,
    same,
    start,
    study,
    table,
    wait_for,
)

# ---- crashes


@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_repeats_nothing_and_changes_nothing(tmp_path, backend, expected):
    log = tmp_path / "log"
    objective = {"log": str(log), "pause": 0.004}
    for moment in (1, 20, 45):
        process = start(tmp_path, objective, **BACKENDS[backend])
        wait_for(lambda moment=moment: len(evaluations(log)) >= moment)
        process.kill()
        process.communicate()
        wait_for(lambda process=process: group_is_gone(process))  # workers end their batch
        known = recorded(tmp_path / "runs/t")
        before = len(evaluations(log))
        if moment == 45:
            assert known
        results = None
        if moment == 45:
            done = study(Questions(log=log), **BACKENDS["inprocess"])
            results = raytuner.run(done, tmp_path)
            assert not known & set(evaluations(log)[before:])
            same(table(results), expected)
    assert recorded(tmp_path / "runs/t") == set(evaluations(log))
    assert len(evaluations(log)) < SIZE + 3 * 3 * 2 + 1  # what was in flight, three times


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_at_many_moments(tmp_path, backend, expected):
    log = tmp_path / "log"
    for _ in range(40):
        before, known = len(evaluations(log)), set()
        if (tmp_path / "runs/t/journal.jsonl").exists():
            known = recorded(tmp_path / "runs/t")
        process = start(tmp_path, {"log": str(log), "pause": 0.002}, **BACKENDS[backend])
        wait_for(lambda b=before, p=process: len(evaluations(log)) > b + 7 or p.poll() is not None)
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        wait_for(lambda p=process: group_is_gone(p))
        assert not known & set(evaluations(log)[before:])
        if ended:
            break
    else:
        pytest.fail("it never ended")
    same(table(tmp_path / "runs/t"), expected)


def test_finished_run_is_not_run_again(tmp_path, expected):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log)), tmp_path)
    size = (tmp_path / "runs/t/journal.jsonl").stat().st_size
    again = raytuner.run(study(Questions(log=log)), tmp_path)
    assert len(evaluations(log)) == SIZE
    same(table(again), expected)
    same(table(tmp_path / "runs/t"), expected)
    assert (tmp_path / "runs/t/journal.jsonl").stat().st_size < size + 1500  # two lines more
    assert again.work == {}


def test_torn_journal_is_completed(tmp_path, expected):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log)), tmp_path)
    path = tmp_path / "runs/t/journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    known = recorded(path.parent)
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert not known & set(evaluations(log)[SIZE:])
    same(table(results), expected)
    same(table(path.parent), expected)


# ---- interrupts


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_ends_in_order(tmp_path, backend, expected):
    log = tmp_path / "log"
    objective = {"log": str(log), "pause": 0.02}
    process = start(tmp_path, objective, **BACKENDS[backend])
    wait_for(lambda: len(evaluations(log)) >= 12)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert out == "interrupted\n", err
    assert "Traceback" not in err
    wait_for(lambda: group_is_gone(process), 5)
    assert read(tmp_path / "runs/t/journal.jsonl")[0][-1]["reason"] == "interrupted"
    partial = Results.open(tmp_path / "runs/t")
    assert partial.stop_reason == "interrupted"
    assert {t.status for t in partial.record.current} <= {"complete", "stopped"}
    known, before = recorded(tmp_path / "runs/t"), len(evaluations(log))
    assert known
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert not known & set(evaluations(log)[before:])
    same(table(results), expected)


def test_ctrl_c_loses_no_batch_where_workers_can_end_it(tmp_path):
    for backend in ("threads", "processes"):
        root = tmp_path / backend
        root.mkdir()
        process = start(root, {"log": str(root / "log"), "pause": 0.05}, **BACKENDS[backend])
        wait_for(lambda root=root: len(evaluations(root / "log")) >= 9)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=20)[0] == "interrupted\n"
        assert set(evaluations(root / "log")) == recorded(root / "runs/t")


def test_ctrl_c_while_workers_start_shows_no_traceback_of_theirs(tmp_path, monkeypatch):
    begun = tmp_path / "begun"
    (tmp_path / "sitecustomize.py").write_text(STARTS_SLOWLY.format(begun=str(begun)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = start(tmp_path, {"log": str(tmp_path / "log")}, **BACKENDS["processes"])
    wait_for(begun.exists)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err) == ("interrupted\n", "")


STARTS_SLOWLY = """
import pathlib, sys, time
if any("spawn_main" in word for word in sys.orig_argv):
    pathlib.Path({begun!r}).touch()
    time.sleep(1)
"""


def test_ctrl_c_cancels_coroutines_at_once(tmp_path):
    log = tmp_path / "log"
    objective = {"log": str(log), "pause": 60, "class": "waiting"}
    process = start(tmp_path, objective, backend="async", workers=3)
    wait_for(lambda: len(evaluations(log)) == 3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=5)[0] == "interrupted\n"
    assert [unit for _, unit in evaluations(log)[3:]] == ["cancelled"] * 3


# ---- one driver


def test_second_driver_is_refused_naming_the_first(tmp_path):
    process = start(tmp_path, {"log": str(tmp_path / "log"), "pause": 0.5})
    wait_for(lambda: evaluations(tmp_path / "log"))
    with pytest.raises(JournalError, match=rf"t is in use by process {process.pid} on "):
        raytuner.run(study(), tmp_path)
    assert Results.open(tmp_path / "runs/t").best is None  # readers are welcome
    process.kill()
    process.communicate()
    with Opened(tmp_path / "runs/t"), pytest.raises(JournalError, match=f"process {os.getpid()} "):
        raytuner.run(study(), tmp_path)


class Opened:
    def __init__(self, folder):
        self.journal = Journal(folder)

    def __enter__(self):
        return self.journal

    def __exit__(self, *error):
        self.journal.close()


# ---- disks


@pytest.mark.parametrize("backend", BACKENDS)
def test_full_disk_from_the_start(tmp_path, backend):
    (tmp_path / "runs/t").mkdir(parents=True)
    (tmp_path / "runs/t/journal.jsonl").symlink_to("/dev/full")
    for _ in range(2):  # the lock is given back
        with pytest.raises(JournalFullError, match=r"the disk is full .* what is recorded stands"):
            raytuner.run(study(**BACKENDS[backend]), tmp_path)


FULL = """
import json, resource, sys
from tests.raytuner.probes import drive
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
drive(*json.loads(sys.argv[1]))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_disk_that_fills_up(tmp_path, backend, expected):
    given = json.dumps([str(tmp_path), {"pause": 0.001}, BACKENDS[backend]])
    command = [sys.executable, "-c", FULL, given]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.startswith("JournalFullError"), (ran.stdout, ran.stderr)
    assert "free some space and run the same command again" in ran.stdout
    events, _ = read(tmp_path / "runs/t/journal.jsonl")
    assert not [e for e in events if e["event"] == "ended" and e["failure"]]
    assert [e for e in events if e["event"] == "units"]
    known = recorded(tmp_path / "runs/t")
    log = tmp_path / "log"
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert known.isdisjoint(evaluations(log))
    same(table(results), expected)
