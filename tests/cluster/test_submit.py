"""Studies go to a real head and come home; what they may not do is refused; all offline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from cluster.submit import Submission, _entrypoint
from tests.cluster.conftest import SECRET, clean, write_study

pytestmark = pytest.mark.slow
LOCAL = ("--backend", "inprocess")


def test_a_study_runs_over_there_and_its_results_come_home(site):
    sent = site.raytuner("submit", "study.yaml")
    assert sent.code == 0, sent.out + sent.err
    assert "--backend ray" in sent.out
    assert "Best: score 0.0000" in sent.out
    assert site.evaluations() == ["0", "1", "2", "3", "4", "5"]
    home = site.run_folder
    assert {"journal.jsonl", "trials.parquet", "scores.parquet"} <= {p.name for p in home.iterdir()}
    log = next(home.glob("raytuner-*.log")).read_text()
    assert log == sent.out
    here = site.raytuner("results", "study.yaml", "--json")
    assert json.loads(here.out)["trials"][0]["x"] == 3


@pytest.mark.parametrize(
    ("backend", "there"), [("ray", True), ("ray-tune", True), ("inprocess", False)]
)
def test_what_runs_on_ray_runs_on_the_cluster_it_was_sent_to(backend, there):
    facts = {"key": "toy-1", "study": "toy"}
    command = _entrypoint(Submission(Path("study.yaml"), backend), "job", facts)
    assert command.endswith("--address auto") is there


def test_a_second_submission_resumes_also_where_only_this_machine_remembers(site):
    assert site.raytuner("submit", "study.yaml", *LOCAL).code == 0
    site.change(space={"x": {"int": [0, 6]}})
    again = site.raytuner("submit", "study.yaml", *LOCAL)
    assert again.code == 0, again.err
    assert site.evaluations() == ["0", "1", "2", "3", "4", "5", "6"]
    for folder in (site.cluster.folder / "runs").glob(f"{site.name}-*"):
        subprocess.run(["rm", "-r", str(folder)], check=True)  # a cluster that knows nothing
    site.change(space={"x": {"int": [0, 7]}})
    assert site.raytuner("submit", "study.yaml", *LOCAL).code == 0
    assert site.evaluations() == ["0", "1", "2", "3", "4", "5", "6", "7"]


def test_what_is_lost_here_is_fetched_and_never_overwritten(site, tmp_path):
    assert site.raytuner("submit", "study.yaml", *LOCAL).code == 0
    (job,) = site.jobs()
    fetched = site.raytuner("fetch", job["job"], "-o", tmp_path / "elsewhere")
    assert fetched.code == 0, fetched.err
    theirs = (tmp_path / "elsewhere" / "journal.jsonl").read_bytes()
    journal = site.run_folder / "journal.jsonl"
    assert theirs == journal.read_bytes()
    journal.write_bytes(theirs + b'{"mine": 1}\n')
    refused = site.raytuner("fetch", job["job"])
    assert refused.code == 2
    assert "nothing was overwritten" in refused.err
    assert journal.read_bytes().endswith(b'{"mine": 1}\n')


def test_the_exit_code_is_the_studys_own(site):
    site.change(objective={"kind": "obj:score", "broken": True}, retry={"times": 0})
    assert site.raytuner("submit", "study.yaml", *LOCAL).code == 3
    (job,) = site.jobs()
    assert (job["status"], job["exit_code"]) == ("FAILED", 3)


def test_plain_ray_job_submit_works_as_it_is(site):
    ray = Path(sys.executable).with_name("ray")
    done = subprocess.run(
        [ray, "job", "submit", "--address", site.cluster.dashboard, "--working-dir", ".", "--",
         "raytuner", "run", "study.yaml", "--backend", "ray"],
        cwd=site.folder, env={**clean(), **site.cluster.environment},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Best: score 0.0000" in done.stdout


def everything_shown(site):
    """All that the job server, the dashboard's state API and the logs tell."""
    token = site.cluster.token_path.read_text()
    shown = []
    for path in (
        "/api/jobs/", "/api/v0/jobs", "/api/v0/actors?detail=true", "/api/v0/workers?detail=true",
        "/api/v0/tasks?detail=true", "/api/v0/nodes?detail=true",
        "/api/v0/runtime_envs?detail=true", "/nodes?view=summary", "/logical/actors",
        "/api/cluster_status",
    ):  # fmt: skip
        answer = requests.get(
            site.cluster.dashboard + path,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 200, (path, answer.text)
        shown.append(answer.text)
    files = (path for path in (site.cluster.folder / "ray").rglob("*") if path.is_file())
    return [*shown, *(file.read_bytes().decode("latin-1") for file in files)]


def test_a_secret_reaches_the_objective_and_is_shown_nowhere(site):
    keys = site.log.with_name("keys.env")
    site.change(objective={"kind": "obj:score", "secret": True})
    sent = site.raytuner("submit", "study.yaml", "--env", "PROBE_KEY", "--secrets", keys)
    assert sent.code == 0, sent.out + sent.err
    files = [path for path in site.run_folder.rglob("*") if path.is_file()]
    home = [path.read_bytes().decode("latin-1") for path in files]
    shown = [sent.out, sent.err, *home, *everything_shown(site)]
    assert any("cluster.job run" in text for text in shown), "the search looks at nothing"
    assert not [text[:200] for text in shown if SECRET in text]
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert SECRET not in lines


def test_a_secret_that_the_cluster_lacks_is_named_before_anything_runs(site):
    sent = site.raytuner("submit", "study.yaml", *LOCAL, "--env", "PROBE_KEY")
    assert sent.code == 2
    assert "PROBE_KEY is not set on the cluster's head node" in sent.out
    assert "error" not in sent.err, "that there is nothing to fetch is no news then"
    assert site.evaluations() == []
    loose = site.log.with_name("loose.env")
    loose.write_text("PROBE_KEY=1\n")
    loose.chmod(0o644)
    sent = site.raytuner("submit", "study.yaml", *LOCAL, "--secrets", loose)
    assert sent.code == 2
    assert "chmod 600" in sent.out


@pytest.mark.parametrize("token", [None, "0" * 64])
def test_without_the_token_nothing_is_taken(site, tmp_path, token):
    variables = {"HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": ""}
    if token:
        (tmp_path / "token").write_text(token)
        variables["RAY_AUTH_TOKEN_PATH"] = str(tmp_path / "token")
    for command in (["submit", "study.yaml"], ["jobs"], ["stop", "x"], ["fetch", "x"]):
        refused = site.raytuner(*command, **variables)
        assert refused.code == 2, command
        assert len(refused.err.strip().splitlines()) == 1
        wanted = "does not accept this token" if token else "wants a token"
        assert wanted in refused.err
        assert "RAY_AUTH_TOKEN_PATH" in refused.err


def test_a_job_that_is_unknown_or_not_ours_is_refused(site):
    refused = site.raytuner("fetch", "raysubmit_nope")
    assert (refused.code, "knows no job" in refused.err) == (2, True)
    assert site.raytuner("stop", "../../x").code == 2


def test_missing_pieces_are_found_before_anything_is_sent(site):
    (site.folder / "inner").mkdir()
    (site.folder / "inner" / "deep.py").write_text("def best():\n    return 3\n")
    (site.folder / "beside.py").write_text("from inner.deep import best\n")
    refused = site.raytuner("submit", "study.yaml", *LOCAL)
    assert refused.code == 2
    assert "--include" in refused.err
    assert site.jobs() == []
    assert site.raytuner("submit", "study.yaml", *LOCAL, "--include", "inner").code == 0


def test_a_clean_folder_is_left_as_it_was(site):
    before = {
        p.relative_to(site.folder) for p in site.folder.rglob("*") if "__pycache__" not in p.parts
    }
    assert site.raytuner("submit", "study.yaml", *LOCAL).code == 0
    after = {
        p.relative_to(site.folder) for p in site.folder.rglob("*") if "__pycache__" not in p.parts
    }
    assert {path.parts[0] for path in after - before} == {"runs"}


def test_documents_and_questions_travel(site, tmp_path):
    folder = write_study(tmp_path / "rag")
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text("Apples grow on trees. They are picked in autumn.\n")
    (folder / "golden.jsonl").write_text(
        '{"id": "q1", "question": "Where do apples grow?", '
        '"evidence": [{"quote": "Apples grow on trees."}]}\n'
    )
    (folder / ".gitignore").write_text("docs\n")  # Ray's own packing would leave them out
    (folder / "study.yaml").write_text(
        f"name: rag-{os.getpid()}\n"
        "objective:\n  kind: rag\n  documents: docs\n  golden: golden.jsonl\n  metrics: [recall]\n"
        "  pipeline:\n    chunker: {kind: fixed, size: 16, overlap: 0}\n"
        "    retriever: {kind: bm25, top_k: 1}\n"
        "space: {chunker.size: {choice: [8, 16]}}\n"
    )
    sent = site._replace(folder=folder).raytuner("submit", "study.yaml", *LOCAL)
    assert sent.code == 0, sent.out + sent.err
