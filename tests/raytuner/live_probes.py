"""A live server for tests, requests byte by byte, and a study that waits to be told."""

import contextlib
import http.client
import json
import re
import threading
import time

import pytest

from raytuner.ui import LiveServer

WAITING = '''
"""An objective whose trials wait for a file each."""
import time
from pathlib import Path

from raytuner.component import digest
from raytuner.objective import Objective, UnitScore


class Waiting(Objective):
    def __init__(self, gate):
        self.gate = gate

    def units(self):
        return [f"q{number}" for number in range(4)]

    def key(self, params):
        return digest(dict(params))

    def metrics(self):
        return ("hit",)

    def evaluate(self, params, units, meter):
        while not Path(self.gate, str(params["x"])).exists():
            time.sleep(0.01)
        yield [UnitScore(unit, {"hit": params["x"] / 10}) for unit in units]
'''
STUDY = """\
version: 1
name: waiting
objective: {{kind: "waiting_probe:Waiting", gate: "{gate}"}}
space: {{x: {{choice: [1, 2, 3]}}}}
search: grid
baseline: false
metric: hit
"""


def listed(results, shown):
    """A page that lists trials, tall enough to scroll."""
    items = "".join(
        f'<p id="trial-{trial.number}">trial {trial.number}: {results.score(trial)}</p>'
        for trial in results.ranked
    )
    padding = "<br>" * 200
    return (
        "<!doctype html><html><head><title>t</title></head><body>"
        f"{items}<details id=more><summary>more</summary>inside</details>{padding}"
        "<p id=end>end</p></body></html>"
    )


@contextlib.contextmanager
def serving(live):
    with LiveServer(live) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def ran(tiny, raytuner):
    assert raytuner("run", "study.yaml").code == 0
    return tiny.run_folder


class Reply:
    def __init__(self, answer, body):
        self.status, self.headers, self.body = answer.status, answer.headers, body

    @property
    def text(self):
        return self.body.decode()


def ask(server, path, method="GET", headers=None, body=None):
    """Send exactly this path; `Host` is right unless given, None leaves it out."""
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    given = {"Host": f"127.0.0.1:{port}", **(headers or {})}
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            for each in value if isinstance(value, list) else [value]:
                if each is not None:
                    connection.putheader(name, each)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer, answer.read())
    finally:
        connection.close()


def place(server, rest=""):
    return "/" + server.url.split("/", 3)[3] + rest


def state(server):
    return json.loads(ask(server, place(server, "state")).body)


def until(condition):
    """Wait for what another process does."""
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


@pytest.fixture
def waiting(tmp_path, monkeypatch, start):
    """Start a study whose trials end when told to."""
    gate = tmp_path / "gate"
    gate.mkdir()
    (tmp_path / "waiting_probe.py").write_text(WAITING)
    (tmp_path / "study.yaml").write_text(STUDY.format(gate=gate))
    monkeypatch.chdir(tmp_path)

    class Running:
        folder = tmp_path / "runs" / "waiting"
        process = start("run", "study.yaml")

        def let(self, x):
            (gate / str(x)).touch()

    return Running()


def started(process):
    """Give what a server said, and its address, once it is ready."""
    said = []
    while True:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said.append(line)
        if found := re.match(r"ready: (http://\S+);", line):
            return "".join(said), found[1]
