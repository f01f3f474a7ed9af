"""The journal on disks that are full, broken, or not there."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from raytuner import journal as module
from raytuner.component import ConfigError
from raytuner.journal import (
    Journal,
    JournalError,
    JournalFullError,
    make_folder,
    read,
)


def test_full_device(tmp_path):
    (tmp_path / "journal.jsonl").symlink_to("/dev/full")
    journal = Journal(tmp_path)  # and does not read the device, which has no end
    with pytest.raises(JournalFullError, match=r"journal\.jsonl: the disk is full \(No space"):
        journal.append({"event": "a"})
    journal.close()


def test_limit_keeps_what_was_recorded_and_half_a_line_of_nothing(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from raytuner.journal import *\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "journal.append({'event': 'a'})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))\n"
        "try: journal.append({'event': 'b', 'text': 'x' * 1000})\n"
        "except JournalFullError as error: print(error)\n"
        "journal.append({'event': 'c'})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "journal.append({'event': 'd', 'text': 'x' * 1000})\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "the disk is full (File too large); what is recorded stands: free some" in ran.stdout
    assert [e["event"] for e in read(tmp_path / "journal.jsonl")[0]] == ["a", "c", "d"]


def test_a_tail_that_cannot_be_cut_ends_the_writing(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.append({"event": "a"})

    def broken(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module.os, "fsync", broken)
    monkeypatch.setattr(module, "_truncate", broken)
    with pytest.raises(OSError, match="Input/output"):
        journal.append({"event": "b"})
    monkeypatch.undo()
    with pytest.raises(JournalError, match="closed"):
        journal.append({"event": "c"})
    journal.close()


def test_ctrl_c_while_waiting_for_the_disk_keeps_what_is_written(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    journal.append({"event": "a"})
    sync = os.fsync

    def interrupted(handle):
        sync(handle)
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.append({"event": "b"})
    monkeypatch.undo()
    write = module._write_all
    monkeypatch.setattr(
        module, "_write_all", lambda file, data: write(file, data[:9]) or interrupt()
    )

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.append({"event": "half"})
    monkeypatch.undo()
    journal.append({"event": "c"})
    journal.close()
    assert [event["event"] for event in read(journal.path)[0]] == ["a", "b", "c"]


def test_folders_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=r"run folder .*file/run cannot be created: Not a direc"):
        make_folder(file / "run")
    (tmp_path / "a/journal.lock").mkdir(parents=True)
    with pytest.raises(JournalError, match=r"journal\.lock cannot be written: Is a directory"):
        Journal(tmp_path / "a")
    (tmp_path / "b/journal.jsonl").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(JournalError, match=r"journal\.jsonl cannot be written: Is a directory"):
            Journal(tmp_path / "b")


def test_file_systems_without_locks_are_named(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with pytest.raises(JournalError, match=r"without locks \(No locks available\); give the study"):
        Journal(tmp_path)


def test_lock_outlives_nothing(tmp_path):
    code = (
        "import sys, os; from pathlib import Path; from raytuner.journal import Journal\n"
        "j = Journal(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert "process" in (tmp_path / "journal.lock").read_text()
    Journal(Path(tmp_path)).close()
