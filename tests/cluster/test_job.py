"""What runs on the head node: checks, the folder that stays, the archive that goes home."""

import argparse
import hashlib
import json
import zipfile

import pytest

from cluster import job
from raytuner.component import ConfigError
from raytuner.study import load_study
from tests.cluster.conftest import STUDY, write_study


def given(**fields):
    return argparse.Namespace(
        **{"job": "raytuner-toy-1", "key": "toy-abc", "name": "toy", **fields}
    )


def test_another_version_of_raytuner_is_refused():
    with pytest.raises(ConfigError, match=r"submitted with 9\.9"):
        job.check_version("9.9")


def test_missing_variables_are_named(monkeypatch):
    monkeypatch.setenv("PRESENT", "1")
    monkeypatch.setenv("EMPTY", "")
    job.check_variables(["PRESENT"])
    with pytest.raises(ConfigError, match="EMPTY, ABSENT is not set"):
        job.check_variables(["PRESENT", "EMPTY", "ABSENT"])


def test_results_go_where_they_stay_and_nothing_else_changes(tmp_path, monkeypatch):
    folder = write_study(tmp_path / "job")
    monkeypatch.syspath_prepend(str(folder))
    before = load_study(folder / "study.yaml")
    job.keep_results_in(folder / "study.yaml", tmp_path / "stays")
    after = load_study(folder / "study.yaml")
    assert after.folder(folder) == tmp_path / "stays" / "toy"
    assert after.model_copy(update={"run_dir": before.run_dir}) == before
    job.keep_results_in(folder / "study.yaml", tmp_path / "stays")
    assert load_study(folder / "study.yaml") == after


@pytest.mark.parametrize(
    ("here", "theirs", "kept"),
    [
        (None, b"a\nb\n", b"a\nb\n"),
        (b"a\n", b"a\nb\n", b"a\nb\n"),
        (b"a\nhal", b"a\nb\n", b"a\nb\n"),
        (b"a\nb\n", b"a\n", b"a\nb\n"),
        (b"a\nc\n", b"a\nb\nc\n", b"a\nc\n"),
        (b"a\n", None, b"a\n"),
    ],
)
def test_the_head_begins_with_what_is_known_and_forgets_nothing(tmp_path, here, theirs, kept):
    target = tmp_path / "toy" / "journal.jsonl"
    if here is not None:
        target.parent.mkdir()
        target.write_bytes(here)
    if theirs is not None:
        (tmp_path / "seed").write_bytes(theirs)
    job.seed(tmp_path / "seed", target)
    assert target.read_bytes() == kept


def test_the_session_is_found_by_this_jobs_own_log(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "none"))
    here = tmp_path / "session_1" / "runtime_resources" / "working_dir_files" / "pkg"
    here.mkdir(parents=True)
    logs = tmp_path / "session_1" / "logs"
    logs.mkdir()
    with pytest.raises(ConfigError, match="not inside a Ray session"):
        job.logs_folder("j1", here)
    (logs / "job-driver-j1.log").touch()
    assert job.logs_folder("j1", here) == logs


def test_the_archive_holds_whole_lines_and_says_its_checksum(tmp_path):
    folder, logs = tmp_path / "toy", tmp_path / "logs"
    logs.mkdir()
    (folder / "logs").mkdir(parents=True)
    (folder / "journal.jsonl").write_bytes(b'{"a": 1}\n{"half')
    (folder / "journal.lock").touch()
    (folder / "logs" / "ray.log").write_text("x")
    (folder / "link").symlink_to("/etc/hostname")
    job.put_out(folder, given(), logs)
    facts = json.loads((logs / "raytuner" / "toy-abc.json").read_text())
    archive = logs / "raytuner" / facts["archive"]
    content = archive.read_bytes()
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert (facts["bytes"], facts["files"], facts["job"]) == (len(content), 2, "raytuner-toy-1")
    with zipfile.ZipFile(archive) as opened:
        assert sorted(opened.namelist()) == ["journal.jsonl", "logs/ray.log"]
        assert opened.read("journal.jsonl") == b'{"a": 1}\n'
    (folder / "journal.jsonl").write_bytes(b'{"a": 1}\n{"b": 2}\n')
    job.put_out(folder, given(), logs)
    assert len(list((logs / "raytuner").glob("*.zip"))) == 1, "the older one is gone"
    job.put_out(tmp_path / "nothing", given(key="other"), logs)
    assert not (logs / "raytuner" / "other.json").exists()


def test_a_run_folder_that_is_too_large_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "LIMIT", 10)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "trials.parquet").write_bytes(b"x" * 11)
    with pytest.raises(ConfigError, match="it stays here"):
        job.put_out(tmp_path / "toy", given(), tmp_path)


def test_problems_are_one_sentence_and_an_exit_code(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYTUNER_RUNS", str(tmp_path / "runs"))
    common = ["--job", "j", "--key", "k", "--name", "toy"]
    run = ["run", *common, "--study", "s.yaml", "--raytuner", "9.9", "--python", "3"]
    for arguments, words in ((run, "submitted with 9.9"), (["pack", *common], "no results")):
        with pytest.raises(SystemExit) as ended:
            job.main(arguments)
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert words in error
        assert len(error.splitlines()) == 1


def test_a_study_is_described_by_its_data(tmp_path, capsys, monkeypatch):
    only_on_ray = "timeout: 60\nworkers: 2\naddress: 127.0.0.1:1\n"
    folder = write_study(tmp_path / "job", STUDY + only_on_ray)
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(SystemExit) as ended:
        job.main(["describe", "--study", str(folder / "study.yaml"), "--backend", "ray"])
    assert ended.value.code == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["units"] == 1
    assert len(facts["scope"]) == 32
