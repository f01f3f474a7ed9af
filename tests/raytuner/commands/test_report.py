"""`raytuner report` from the command line."""

import json
import subprocess
import sys

import pytest

import raytuner
from tests.raytuner.probes import ROOT, Questions, study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("command")
    return raytuner.run(study(Questions(), run_dir=str(root))).folder


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "raytuner", "report", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_report_lies_in_the_run_folder_if_nothing_else_is_said(folder):
    code, out, err = command(folder)
    assert (code, err) == (0, "")
    assert out == f"wrote {folder / 'report.html'}\n"
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_report_is_written_where_it_is_wanted(folder, tmp_path):
    code, _, _ = command(folder, "-o", tmp_path / "mine.html", "--no-texts")
    assert code == 0
    assert "Scores only: they were left out on demand." in (tmp_path / "mine.html").read_text()


@pytest.mark.parametrize("content", [None, b"", b"nonsense\n", b'{"event":"opened"}\nx\n'])
def test_a_folder_without_a_sound_run_is_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "journal.jsonl").write_bytes(content)
    code, out, err = command(tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "journal" in err
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("output", ["report.txt", "."])
def test_only_html_is_written(folder, tmp_path, output):
    code, _, err = command(folder, "-o", tmp_path / output)
    assert code == 2
    assert "-o" in err
    assert err.count("\n") == 1


def test_a_journal_of_the_future_is_refused(folder, tmp_path):
    from raytuner.journal import decode, encode

    first = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)[0]
    event = {**decode(first), "schema": 99}
    json.dumps(event)
    (tmp_path / "journal.jsonl").write_bytes(encode(event))
    code, _, err = command(tmp_path)
    assert code == 2
    assert "newer raytuner" in err
