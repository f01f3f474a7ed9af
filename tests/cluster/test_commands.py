"""What the commands refuse before anything is sent: one sentence, exit code 2, within seconds."""

import http.server
import socket
import threading
import time

import pytest

from cluster import commands, server
from cluster.attend import exit_code
from cluster.server import JobFacts
from tests.cluster.conftest import write_study


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(write_study(tmp_path / "work"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


COMMANDS = (["submit"], ["jobs"], ["stop", "j"], ["fetch", "j"])


def refused(outcome, *words):
    assert outcome.code == 2, outcome
    assert len(outcome.err.splitlines()) == 1
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_address_is_wanted(raytuner, command):
    refused(raytuner(*command), "--address", "http://127.0.0.1:8265")
    refused(raytuner(*command, "--address", "ray://head:10001"), "is no job server")


@pytest.mark.parametrize("command", COMMANDS)
def test_where_nobody_answers_is_said_at_once(raytuner, command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    refused(raytuner(*command, "--address", address), "no Ray job server answers", "refused")


def test_an_unknown_host_and_one_that_is_silent_are_given_up(raytuner, monkeypatch):
    assert server._CONNECT + server._ANSWER <= 15
    monkeypatch.setattr(server, "_ANSWER", 0.5)
    unknown = raytuner("jobs", "--address", "http://no-such-host.invalid:8265")
    refused(unknown, "no Ray job server answers at http://no-such-host.invalid:8265")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        refused(raytuner("jobs", "--address", address), "no answer in time")
        assert time.monotonic() - began < 5


@pytest.fixture
def stranger():
    """A web server that is no job server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_another_kind_of_server_is_told_apart(raytuner, stranger):
    refused(raytuner("submit", "--address", stranger), "is no Ray job server")


def test_values_of_secrets_are_refused_and_not_repeated(raytuner, stranger):
    for wrong in ("OPENAI_API_KEY=sk-hidden", "sk-hidden", "=sk-hidden"):
        outcome = raytuner("submit", "--env", wrong, "--address", stranger)
        refused(outcome, "--env")
        assert "hidden" not in outcome.err + outcome.out


def test_a_backend_that_is_unknown_is_named(raytuner, stranger):
    refused(raytuner("submit", "--backend", "moon", "--address", stranger), "--backend", "moon")


def test_there_is_no_cluster_to_stop(raytuner, tmp_path):
    refused(raytuner("cluster", "stop", "--dir", tmp_path / "none"), "no cluster was started")
    (tmp_path / "cluster.json").write_text("{broken")
    refused(raytuner("cluster", "stop", "--dir", tmp_path), "cannot be read")


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [("SUCCEEDED", 0, 0), ("FAILED", 3, 3), ("FAILED", 4, 4), ("FAILED", -9, 1),
     ("FAILED", None, 1), ("STOPPED", None, 130), ("STOPPED", 130, 130)],
)  # fmt: skip
def test_the_exit_code_of_a_job_is_its_studys(status, code, ours):
    job = JobFacts("j", status, "", 1.0, 2.0, code, "n", None, None, {})
    assert job.over
    assert exit_code(job) == ours


def test_a_listed_job_is_one_line_wherever_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    name = "raytuner-" + "a" * 60 + "-1122-113107-9489ac"
    metadata = {"study": "a" * 60, "key": "k"}
    job = JobFacts(name, "SUCCEEDED", "", 1.0, 2.0, 0, "node", "01", None, metadata)
    commands._print_table([job, job])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[0] == name
