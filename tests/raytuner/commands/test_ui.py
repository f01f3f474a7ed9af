"""`raytuner ui` as a command."""

import http.client
import json
import re
import signal
import socket

import pytest

from raytuner.commands.flags import run_folder
from raytuner.component import ConfigError
from tests.raytuner.live_probes import ran

__all__ = ["ran"]


def test_what_is_named_must_be_there(tiny):
    assert run_folder(tiny.folder / "study.yaml") == tiny.run_folder
    with pytest.raises(ConfigError, match="no such study file or run folder"):
        run_folder(tiny.folder / "other.yaml")


def test_the_command_serves_until_it_is_interrupted(ran, tiny, start):
    process = start("ui", "study.yaml", "--no-open")
    url = process.stdout.readline().strip()
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/[\w-]{43}/)", url)
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=60)
    connection.request("GET", found[2] + "state")
    assert json.loads(connection.getresponse().read())["event"] == "closed"
    connection.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert "Traceback" not in process.stderr.read()


def test_a_port_that_is_taken_is_one_sentence(ran, raytuner):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = raytuner("ui", "study.yaml", "--no-open", "--port", port)
    assert found.code == 2
    assert found.err.startswith(f"error: --port {port}: ")
