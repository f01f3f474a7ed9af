"""A run framed by storage: brought back, copied to its end, held by one run at a time."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.journal import Journal, JournalError, read
from raytuner.storage import backed_up, restore
from raytuner.storage.backup import run_place
from raytuner.storage.place import place_at
from raytuner.storage.segments import stored_segments
from tests.raytuner.probes import ROOT, Questions, evaluations, same, study, table


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "here" / "t"


def elsewhere(folder):
    """Another machine: an empty run folder of the same name."""
    return folder.parent.parent / "elsewhere" / folder.name


def events(folder):
    return [event["n"] for event in read(folder / "journal.jsonl")[0]]


def work(folder, *numbers):
    journal = Journal(folder)
    journal.append(*({"event": "units", "n": number} for number in numbers))
    journal.close()


def test_another_machine_goes_on_where_the_first_ended(url, folder):
    with backed_up(url, folder):
        work(folder, 1, 2)
    other = elsewhere(folder)
    with backed_up(url, other):
        assert events(other) == [1, 2]
        work(other, 3)
    with backed_up(url, folder):
        assert events(folder) == [1, 2, 3]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_whatever_ends_the_run_the_rest_is_copied(url, folder, error):
    def run():
        with backed_up(url, folder):
            work(folder, 1)
            raise error

    with pytest.raises(error):
        run()
    assert restore(url, elsewhere(folder)) > 0
    assert events(elsewhere(folder)) == [1]


def test_a_second_run_elsewhere_is_refused_while_the_first_lives(url, folder):
    with (
        backed_up(url, folder),
        pytest.raises(ConfigError, match="in use by process"),
        backed_up(url, elsewhere(folder)),
    ):
        raise AssertionError
    with backed_up(url, elsewhere(folder)):
        pass


def test_a_second_run_here_is_refused_by_the_journal(url, folder):
    holder = Journal(folder)
    with pytest.raises(JournalError, match="in use by process"), backed_up(url, folder):
        raise AssertionError
    holder.close()


def test_journals_that_went_different_ways_stay_as_they_are(url, folder):
    with backed_up(url, folder):
        work(folder, 1, 2)
    other = elsewhere(folder)
    work(other, 3)
    before = (other / "journal.jsonl").read_bytes()
    for attempt in (lambda: restore(url, other), backed_up(url, other).__enter__):
        with pytest.raises(ConfigError, match="different ways; move the local run folder away"):
            attempt()
    assert (other / "journal.jsonl").read_bytes() == before
    with backed_up(url, folder):  # the lease was given back
        assert events(folder) == [1, 2]


def test_a_shorter_local_journal_is_extended_and_its_torn_line_dropped(url, folder):
    with backed_up(url, folder):
        work(folder, 1, 2, 3)
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    assert restore(url, folder) > 0
    assert events(folder) == [1, 2, 3]
    assert restore(url, folder) == 0


def test_runs_of_different_names_do_not_meet(url, folder):
    with backed_up(url, folder):
        work(folder, 1)
    other = folder.parent / "other"
    with backed_up(url, other):
        work(other, 2)
    assert events(other) == [2]


def test_without_storage_or_folder_nothing_happens(tmp_path):
    for url, folder in ((None, tmp_path / "t"), (f"file://{tmp_path}/s", None)):
        with backed_up(url, folder):
            assert list(tmp_path.iterdir()) == []


def test_storage_that_does_not_answer_is_said_before_the_run(tmp_path, folder):
    (tmp_path / "file").write_text("in the way")
    url = f"file://{tmp_path}/file/x"
    for attempt in (lambda: restore(url, folder), backed_up(url, folder).__enter__):
        with pytest.raises(ConfigError, match=r"storage: file:.*cannot list"):
            attempt()
    assert not (folder / "journal.jsonl").exists() or not events(folder)


def test_a_study_goes_on_elsewhere_and_asks_nothing_twice(url, tmp_path, expected):
    log = tmp_path / "log"
    here, there = tmp_path / "here", tmp_path / "there"
    with backed_up(url, here / "runs" / "t"):
        raytuner.run(study(Questions(log), budget={"trials": 5}), here)
    shutil.rmtree(here)
    with backed_up(url, there / "runs" / "t"):
        results = raytuner.run(study(Questions(log)), there)
        results.save()
    asked = evaluations(log)
    assert len(asked) == len(set(asked)) == 12 * 6
    same(table(results), expected)
    tables = run_place(url, there / "runs" / "t").under("tables")
    assert tables.names() == ["scores.parquet", "trials.parquet"]


RUN = """
import json, sys
from pathlib import Path
import raytuner
from raytuner.storage import backed_up, session
from raytuner.storage.backup import JournalBackup
from tests.raytuner.probes import Questions, study
url, root, log = sys.argv[1:]
session.JournalBackup = lambda *a, **k: JournalBackup(*a, interval=0.05, **k)
with backed_up(url, Path(root) / "runs" / "t"):
    raytuner.run(study(Questions(log, pause=0.03)), Path(root))
"""


def kill_in_the_middle(url, root, log, segments):
    """Run a study in another process, and SIGKILL it once so many segments are stored."""
    process = subprocess.Popen([sys.executable, "-c", RUN, url, str(root), str(log)], cwd=ROOT)
    place = run_place(url, root / "runs" / "t").under("journal")
    deadline = time.monotonic() + 60
    while len(stored_segments(place)) < segments and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=10) == -signal.SIGKILL, "it ended by itself"


def forget_owner(url, root):
    """Let a minute pass for the dead run, where the storage's clock can be set."""
    owner = run_place(url, root / "runs" / "t").under("owner")
    moment = time.time() - 100
    os.utime(f"{owner.path}/{owner.names()[-1]}", (moment, moment))


def test_a_killed_run_goes_on_here_at_once_and_elsewhere_after_a_minute(tmp_path, expected):
    url, log = f"file://{tmp_path}/storage", tmp_path / "log"
    here, there = tmp_path / "here", tmp_path / "there"
    kill_in_the_middle(url, here, log, segments=3)
    with (
        pytest.raises(ConfigError, match="in use by process"),
        backed_up(url, there / "runs" / "t"),
    ):
        raise AssertionError
    with backed_up(url, here / "runs" / "t"):
        pass
    shutil.rmtree(here)
    known = set(evaluations(log))
    with backed_up(url, there / "runs" / "t"):
        results = raytuner.run(study(Questions(log)), there)
    same(table(results), expected)
    again = [pair for pair, count in _counts(evaluations(log)).items() if count > 1]
    assert len(again) <= 2, "at most the batch that was under way is asked twice"
    assert set(evaluations(log)) > known


def test_a_run_killed_with_its_machine_goes_on_elsewhere(tmp_path, expected):
    url, log = f"file://{tmp_path}/storage", tmp_path / "log"
    here, there = tmp_path / "here", tmp_path / "there"
    kill_in_the_middle(url, here, log, segments=3)
    stored = sum(
        len(event["rows"])
        for event in map(json.loads, _stored(url, here).splitlines())
        if event["event"] == "units"
    )
    assert stored > 0
    shutil.rmtree(here)
    forget_owner(url, here)
    asked = len(evaluations(log))
    with backed_up(url, there / "runs" / "t"):
        results = raytuner.run(study(Questions(log)), there)
    same(table(results), expected)
    assert len(evaluations(log)) - asked == 12 * 6 - stored, "what was stored is not asked again"


def _stored(url, root):
    place = place_at(url).under("runs", "t", "journal")
    return b"".join(place.read(segment.name) for segment in stored_segments(place))


def _counts(items):
    counts = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts
