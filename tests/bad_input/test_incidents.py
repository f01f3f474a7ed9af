"""What happens to a run from outside: Ctrl-C, a full disk, a second driver, damaged files."""

import json
import signal
import time

import pytest

from raytuner.journal import encode

SLOW = """\
import time
from pipelines.chunkers import Fixed

class Slow(Fixed, kind="slow"):
    def split(self, text):
        time.sleep(0.07)
        return super().split(text)
"""
SLOW_STUDY = {
    "plugins": ["slow_chunker"],
    "objective__pipeline__chunker": {"kind": "slow", "size": 64},
    "space": {"chunker.size": {"int": [8, 27]}},
}
LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


VARYING = {"seconds", "trial", "latency_p50", "latency_p95"}


def trials(raytuner, *arguments):
    """The trial table without what differs from run to run."""
    rows = json.loads(raytuner("results", "--json", *arguments).out)["trials"]
    return sorted(
        ({k: v for k, v in row.items() if k not in VARYING} for row in rows),
        key=lambda row: row["key"],
    )


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def ended(journal):
    return journal.read_bytes().count(b'"event":"ended"') if journal.exists() else 0


@pytest.fixture
def slow(tiny):
    """A study that takes a few seconds."""
    tiny.file("slow_chunker.py", SLOW)
    return tiny.write(**SLOW_STUDY)


def test_ctrl_c_loses_nothing_and_the_same_command_goes_on(slow, start, finish, raytuner):
    journal = slow.run_folder / "journal.jsonl"
    process = start("run")
    wait_for(lambda: ended(journal) >= 3)
    process.send_signal(signal.SIGINT)
    interrupted = finish(process)
    recorded = journal.read_bytes()

    assert interrupted.code == 130
    assert interrupted.out == ""
    last = interrupted.err.splitlines()[-1]
    assert last == "interrupted; everything is on record. Resume: raytuner run study.yaml"
    assert 3 <= ended(journal) < 21
    assert "state: stopped: interrupted" in raytuner("status").out

    resumed = raytuner("run")

    assert resumed.code == 0
    assert "known before" in resumed.err
    assert journal.read_bytes().startswith(recorded)
    slow.write(name="fresh", **SLOW_STUDY)
    assert raytuner("run").code == 0
    assert trials(raytuner, "runs/tiny") == trials(raytuner, "runs/fresh")
    assert "kind: slow" in finish(start("export")).out  # a new process knows the plugin, too


def test_a_second_driver_is_refused_and_named_the_first(slow, start, refused, raytuner):
    process = start("run")
    wait_for(lambda: ended(slow.run_folder / "journal.jsonl") >= 1)

    status = raytuner("status")
    outcome = raytuner("run")

    assert f"state: running (process {process.pid} on " in status.out
    assert "planned: 21" in status.out
    assert outcome.code == 2
    error = [line for line in outcome.err.splitlines() if not line.startswith("note: ")]
    assert len(error) == 1
    assert error[0].startswith("error: ")
    assert f"is in use by process {process.pid} on " in error[0]
    assert "wait for it, stop it, or give this study another `name`" in error[0]
    assert process.poll() is None
    process.send_signal(signal.SIGINT)


def test_a_full_disk_ends_the_run_and_what_was_recorded_stands(tiny, start, finish, raytuner):
    full = finish(start("run", prelude=LIMITED.format(3500)))
    journal = (tiny.run_folder / "journal.jsonl").read_bytes()

    assert full.code == 1
    last = full.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "journal.jsonl: the disk is full" in last
    assert "what is recorded stands: free some space and run the same command again" in last
    assert "Traceback" not in full.err
    assert journal.endswith(b"\n")
    assert ended(tiny.run_folder / "journal.jsonl") >= 1

    again = raytuner("run")

    assert again.code == 0
    assert "known before" in again.err
    assert (tiny.run_folder / "journal.jsonl").read_bytes().startswith(journal)


def test_a_table_that_cannot_be_written_loses_nothing(tiny, raytuner):
    (tiny.run_folder / ".trials.parquet.partial").mkdir(parents=True)

    outcome = raytuner("run")

    assert outcome.code == 1
    last = outcome.err.splitlines()[-1]
    assert last.startswith("error: the trial table in ")
    assert "everything is on record: free some space and run the same command again" in last
    assert "Best: recall" in outcome.out


@pytest.mark.parametrize("line", [1, 3])
def test_a_damaged_journal_is_refused_by_line(tiny, raytuner, line):
    assert raytuner("run").code == 0
    journal = tiny.run_folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b"e", b"f", 1)
    journal.write_bytes(b"".join(lines))
    before = {p: d for p, d in tiny.files().items() if p.name != "journal.lock"}

    for command in ("run", "results", "status", "export"):
        outcome = raytuner(command)
        assert outcome.code == 2
        error = outcome.err.splitlines()[-1]
        assert error.startswith("error: ")
        assert f"journal.jsonl, line {line}: the checksum does not fit" in error
        assert "restore it from a copy, or move the run folder away" in error

    assert {p: d for p, d in tiny.files().items() if p.name != "journal.lock"} == before


def test_lines_in_the_wrong_order_are_refused_by_line(tiny, raytuner):
    assert raytuner("run").code == 0
    journal = tiny.run_folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b'"event":"units"' in line)
    lines[at - 1], lines[at] = lines[at], lines[at - 1]
    journal.write_bytes(b"".join(lines))

    for command in ("run", "results", "status", "export"):
        outcome = raytuner(command)
        assert outcome.code == 2
        error = outcome.err.splitlines()[-1]
        assert error.startswith("error: ")
        assert f"journal.jsonl, line {at}: 'units' is of " in error
        assert "which no line before it proposes, the journal is damaged; restore it" in error


@pytest.mark.parametrize("command", ["run", "results", "status", "export"])
def test_a_sound_line_that_is_no_event_is_refused_by_line(tiny, raytuner, command):
    assert raytuner("run").code == 0
    journal = tiny.run_folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + encode({"t": 1.0}))

    outcome = raytuner(command)

    assert outcome.code == 2
    number = whole.count(b"\n") + 1
    assert f"journal.jsonl, line {number}: it does not say what has happened" in outcome.err


def test_a_torn_last_line_is_dropped(tiny, raytuner):
    assert raytuner("run").code == 0
    journal = tiny.run_folder / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"crc":"00000000","event":"uni')

    outcome = raytuner("run")

    assert outcome.code == 0
    assert "Work done: none" in outcome.out
    assert journal.read_bytes().startswith(whole)
    assert b"00000000" not in journal.read_bytes()


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied"])
def test_a_damaged_cache_entry_is_built_again(tiny, start, finish, raytuner, tmp_path, damage):
    assert raytuner("run").code == 0
    before = trials(raytuner)
    (tiny.run_folder / "journal.jsonl").unlink()
    entries = [p for p in (tmp_path / "cache" / "artifacts").rglob("*") if p.suffix == ".npy"]
    assert entries
    for entry in entries:
        data = bytearray(entry.read_bytes())
        data[-1] ^= 0xFF
        entry.chmod(0o644)
        entry.write_bytes({"flipped": data, "cut": data[:-8], "emptied": b""}[damage])

    outcome = finish(start("run"))

    assert outcome.code == 0
    assert "is made anew" in outcome.err
    assert trials(raytuner) == before


def test_a_cache_that_is_a_file_is_refused(tiny, refused, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "file"))

    assert "is a file; name a directory" in refused()


def test_a_run_folder_that_cannot_be_made_is_refused(tiny, raytuner):
    tiny.file("runs", "a file")

    outcome = raytuner("run")

    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("error: run folder ")
    assert "runs/tiny cannot be created: Not a directory" in outcome.err
    assert (tiny.folder / "runs").read_text() == "a file"
