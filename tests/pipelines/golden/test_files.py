import json
import os

import pytest

from pipelines.golden.files import (
    append_records,
    check_target,
    dropped_file,
    read_records,
    write_records,
)
from raytuner.component import ConfigError

ONE, TWO = {"id": "a", "question": "Why é?"}, {"id": "b", "question": "How?"}


def test_lines_that_are_there_stay_byte_for_byte(tmp_path):
    path = tmp_path / "g.jsonl"
    path.write_bytes(b'{"id":   "a", "question": "Why?"}')
    append_records(path, [TWO])
    assert path.read_bytes() == (
        b'{"id":   "a", "question": "Why?"}\n' + json.dumps(TWO).encode() + b"\n"
    )
    assert [record["id"] for record in read_records(path)] == ["a", "b"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_and_rights_stay(tmp_path):
    real = tmp_path / "real.jsonl"
    write_records(real, [ONE])
    real.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(real)
    append_records(link, [TWO])
    assert link.is_symlink()
    assert read_records(real) == [ONE, TWO]
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "g.jsonl"
    write_records(path, [ONE])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        append_records(path, [TWO])
    assert read_records(path) == [ONE]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a"}', "line 1: the field 'question'"),
        ('{"id": "a", "question": "x"}\n{"id": "a", "question": "y"}', "line 2.*stands in line 1"),
        ("[1]", "line 1"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "g.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_records(path)


def test_targets_are_checked_before_any_work(tmp_path):
    check_target(tmp_path / "g.jsonl")
    for bad in ("g.csv", "absent/g.jsonl"):
        with pytest.raises(ConfigError):
            check_target(tmp_path / bad)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(ConfigError, match="folder"):
        check_target(tmp_path / "folder.jsonl")


def test_dropped_ones_lie_beside(tmp_path):
    assert dropped_file(tmp_path / "g.v2.jsonl").name == "g.v2.dropped.jsonl"
