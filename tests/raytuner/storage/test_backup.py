"""The copy of a journal: complete at the end, a prefix at any time, never in the run's way."""

import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.journal import encode
from raytuner.storage import JournalBackup, StorageError, backup, copy_tables, restore
from raytuner.storage.backup import JournalChangedError, JournalCopy, run_place
from raytuner.storage.lease import Lease, LeaseLostError
from raytuner.storage.segments import stored_segments
from tests.raytuner.probes import wait_for


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "here" / "run"
    path.mkdir(parents=True)
    return path


def append(folder, data):
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(data)


def journal(folder):
    return (folder / "journal.jsonl").read_bytes()


def reach(place):
    return max((s.end for s in stored_segments(place.under("journal"))), default=0)


def test_a_copy_grows_by_whole_lines(url, folder, lines):
    place = run_place(url, folder)
    copy = JournalCopy(place, folder)
    copy.advance()
    assert copy.copied == 0
    first = lines(3)
    append(folder, first + b"torn")
    copy.advance()
    copy.advance()
    assert copy.copied == len(first)
    assert copy.missing == 0
    assert len(place.under("journal").names()) == 1


def test_a_copy_is_taken_up_where_it_ended(url, folder, lines):
    place = run_place(url, folder)
    for count in (2, 3):
        append(folder, lines(count))
        JournalCopy(place, folder).advance()
    segments = stored_segments(place.under("journal"))
    assert [segment.start for segment in segments] == [0, segments[0].end]
    assert segments[-1].end == len(journal(folder))


def test_a_long_journal_is_copied_in_parts(url, folder, lines, monkeypatch, tmp_path):
    monkeypatch.setattr(backup, "_LARGEST", 150)
    append(folder, lines(20) + b'"' + b"x" * 400 + b'"\n' + lines(3))
    place = run_place(url, folder)
    JournalCopy(place, folder).advance()
    sizes = [segment.end - segment.start for segment in stored_segments(place.under("journal"))]
    assert max(sizes) == 403
    assert sorted(sizes)[-2] <= 150
    assert sum(sizes) == len(journal(folder))


def test_many_segments_become_one(url, folder, lines, monkeypatch):
    monkeypatch.setattr(backup, "_MOST", 5)
    place = run_place(url, folder)
    copy = JournalCopy(place, folder)
    for _ in range(7):
        append(folder, lines(1))
        copy.advance()
    lease = Lease(place.under("owner"), "a")
    lease.acquire()
    heir = JournalCopy(place, folder, lease)
    append(folder, lines(1))
    heir.advance()
    assert len(place.under("journal").names()) == 2
    before = journal(folder)
    (folder / "journal.jsonl").unlink()
    restore(url, folder)
    assert journal(folder) == before


def test_a_journal_that_was_cut_back_ends_its_copy(url, folder, lines):
    append(folder, lines(3))
    copy = JournalCopy(run_place(url, folder), folder)
    copy.advance()
    kept = journal(folder)[: -len(lines(1))]
    (folder / "journal.jsonl").write_bytes(kept)
    with pytest.raises(JournalChangedError):
        copy.advance()
    append(folder, lines(5))
    with pytest.raises(JournalChangedError):
        copy.advance()


def test_a_copy_does_not_begin_on_what_is_stored_but_not_here(url, folder, lines):
    place = run_place(url, folder)
    append(folder, lines(3))
    JournalCopy(place, folder).advance()
    (folder / "journal.jsonl").unlink()
    with pytest.raises(ConfigError, match="restore it first"):
        JournalCopy(place, folder)


def test_a_run_that_lost_its_lease_writes_no_more(url, folder, lines):
    place = run_place(url, folder)
    leases = [Lease(place.under("owner"), "same") for _ in range(2)]
    leases[0].acquire()
    copy = JournalCopy(place, folder, leases[0])
    append(folder, lines(1))
    copy.advance()
    leases[1].acquire()
    append(folder, lines(1))
    with pytest.raises(LeaseLostError):
        copy.advance()
    assert len(place.under("journal").names()) == 1


def test_the_thread_copies_while_the_run_goes_on(url, folder, lines):
    place = run_place(url, folder)
    backing = JournalBackup(url, folder, interval=0.01)
    backing.start()
    for _ in range(3):
        append(folder, lines(2))
        wait_for(lambda: reach(place) == len(journal(folder)))
    append(folder, lines(1))
    (folder / "trials.parquet").write_bytes(b"table")
    (folder / ".scores.parquet.partial").write_bytes(b"half")
    assert backing.stop()
    assert place.under("tables").names() == ["trials.parquet"]
    assert reach(place) == len(journal(folder))


def test_trouble_is_one_warning_and_made_up_for(tmp_path, folder, lines, caplog):
    store = tmp_path / "storage"
    url = f"file://{store}"
    backing = JournalBackup(url, folder, interval=0.01)
    store.mkdir(exist_ok=True)
    (store / "runs").write_text("in the way")
    backing.start()
    append(folder, lines(2))
    wait_for(lambda: caplog.records)
    time.sleep(0.1)
    assert len(caplog.records) == 1
    assert "it will be tried again" in caplog.text
    (store / "runs").unlink()
    assert backing.stop()
    assert len(caplog.records) == 1
    before = journal(folder)
    (folder / "journal.jsonl").unlink()
    restore(url, folder)
    assert journal(folder) == before


def test_an_incomplete_copy_is_said_at_the_end(tmp_path, folder, lines, caplog, monkeypatch):
    monkeypatch.setattr(backup, "_LAST_WAITS", (0.01,))
    store = tmp_path / "storage"
    backing = JournalBackup(f"file://{store}", folder, interval=60)
    store.write_text("in the way")
    backing.start()
    append(folder, lines(2))
    assert not backing.stop()
    assert "is incomplete: it has 0 bytes of" in caplog.records[-1].message


def test_stopping_does_not_wait_for_ever(tmp_path, folder, lines, caplog, monkeypatch):
    monkeypatch.setattr(backup, "_LAST_WAITS", (1.0,))
    store = tmp_path / "storage"
    backing = JournalBackup(f"file://{store}", folder)
    store.write_text("in the way")
    backing.start()
    append(folder, lines(2))
    assert not backing.stop(timeout=0.1)
    assert "is incomplete" in caplog.text
    store.unlink()
    backing._thread.join(20)
    assert reach(run_place(f"file://{store}", folder)) == len(journal(folder))


def test_a_takeover_is_one_warning(url, folder, lines, caplog):
    place = run_place(url, folder)
    leases = [Lease(place.under("owner"), "same") for _ in range(2)]
    leases[0].acquire()
    backing = JournalBackup(url, folder, interval=0.01, lease=leases[0])
    backing.start()
    leases[1].acquire()
    append(folder, lines(2))
    wait_for(lambda: caplog.records)
    assert not backing.stop()
    assert [("another run has taken" in r.message) for r in caplog.records] == [True]
    assert place.under("journal").names() == []
    leases[1].keep()


def test_tables_go_beside_the_journal(url, folder):
    for name in ("trials.parquet", "report.html", "journal.lock", "ray.log", ".hidden.json"):
        (folder / name).write_bytes(name.encode())
    assert copy_tables(url, folder) == ["report.html", "trials.parquet"]
    tables = run_place(url, folder).under("tables")
    assert tables.read("report.html") == b"report.html"
    (folder / "report.html").write_bytes(b"newer")
    copy_tables(url, folder)
    assert tables.read("report.html") == b"newer"


STEPS = st.lists(
    st.sampled_from(["append", "copy", "torn", "crash", "twice", "lost", "late"]), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_happens_what_was_copied_comes_back(tmp_path_factory, steps):
    """Play a run that is killed, loses its machine, and answers twice; hold it against a list."""
    folder = tmp_path_factory.mktemp("play") / "run"
    folder.mkdir()
    url = f"memory://{uuid.uuid4().hex}"
    place = run_place(url, folder)
    copy = JournalCopy(place, folder)
    everything = copied = b""
    for number, step in enumerate(steps):
        line = encode({"event": "units", "step": number})
        if step in {"append", "torn"}:
            whole = folder / "journal.jsonl"
            whole.write_bytes(everything)  # the journal cuts off a torn line before it writes
            everything += line if step == "append" else b""
            append(folder, line if step == "append" else line[:-5])
        elif step == "copy":
            copy.advance()
            copied = everything
        elif step == "twice":  # killed after the upload, before it knew of it
            other = JournalCopy(place, folder)
            other.advance()
            copied = everything
        elif step == "late":
            copy.advance()  # may stand behind what another one has copied
            copied = everything
        else:
            if step == "lost":
                for path in folder.iterdir():
                    path.unlink()
                everything = copied
            restore(url, folder)
            assert journal(folder) == everything
            copy = JournalCopy(place, folder)
    for path in folder.iterdir():
        path.unlink()
    assert restore(url, folder) == len(copied)
    assert journal(folder) == copied


def test_storage_that_does_not_answer_is_no_backup(tmp_path, folder):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((StorageError, ConfigError)):
        JournalBackup(f"file://{Path(tmp_path)}/file/x", folder)
