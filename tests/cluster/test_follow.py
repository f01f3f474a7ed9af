"""Jobs are followed through lost connections, left, found again, and stopped; on a real head."""

import contextlib
import signal
import socket
import threading
import time

import pytest

from tests.cluster.conftest import wait_for

pytestmark = pytest.mark.slow
LOCAL = ("--backend", "inprocess")


class Wire:
    """A connection to the job server that can be cut in the middle of an answer."""

    def __init__(self, target):
        host, port = target.removeprefix("http://").split(":")
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.open = True
        self.pairs = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                client.close()
                continue
            server = socket.create_connection(self.target)
            self.pairs += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        self.open = False
        for end in self.pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.pairs = []

    def mend(self):
        self.open = True


def test_following_survives_lost_connections(site):
    (site.folder / "chatty.py").write_text(
        "import time\n\n\ndef score(params):\n    time.sleep(0.4)\n"
        "    print(f\"scored {params['x']}\", flush=True)\n    return params['x']\n"
    )
    site.change(objective={"kind": "chatty:score"}, space={"x": {"int": [0, 29]}})
    wire = Wire(site.cluster.dashboard)
    sent = site.start("submit", "study.yaml", *LOCAL, "--address", wire.address)
    for _ in range(2):
        wait_for(lambda: any(job["status"] == "RUNNING" for job in site.jobs()))
        time.sleep(1)
        wire.cut()
        time.sleep(3)
        wire.mend()
        time.sleep(2)
    out, err = sent.communicate(timeout=60)
    assert sent.returncode == 0, err
    assert err.count("trying again") >= 2
    assert err.count("connected again") == err.count("trying again")
    told = [line for line in out.splitlines() if line.startswith("scored ")]
    assert told == [f"scored {x}" for x in range(30)], "each line once, in order"
    assert out == next(site.run_folder.glob("raytuner-*.log")).read_text()


def test_a_slow_study_is_left_followed_again_looked_at_and_stopped(site):
    slow = (
        "import time\nfrom obj import score as quick\n\n\ndef score(params):\n"
        "    time.sleep(1.5)\n    return quick(params)\n"
    )
    (site.folder / "slow.py").write_text(slow)
    site.change(objective={"kind": "slow:score"}, space={"x": {"int": [0, 40]}})
    sent = site.start("submit", "study.yaml")
    wait_for(lambda: len(site.evaluations()) >= 2)
    sent.send_signal(signal.SIGINT)
    _, err = sent.communicate(timeout=30)
    assert sent.returncode == 130
    assert "detached; the job goes on" in err
    (job,) = site.jobs()
    assert job["status"] == "RUNNING"

    fetched = site.raytuner("fetch", job["job"])
    assert fetched.code == 0, fetched.err
    assert len((site.run_folder / "journal.jsonl").read_text().splitlines()) > 4

    other = site.raytuner("submit", "study.yaml", *LOCAL, "--seed", "1", "--no-wait")
    assert (other.code, other.out.strip()) == (0, job["job"])
    site.change(space={"x": {"int": [0, 41]}})
    refused = site.raytuner("submit", "study.yaml", *LOCAL)
    assert refused.code == 2
    assert f"raytuner stop {job['job']}" in refused.err

    assert site.raytuner("stop", job["job"]).code == 0
    (job,) = site.jobs()
    assert job["status"] == "STOPPED"
    before = len(site.evaluations())
    time.sleep(2)
    assert len(site.evaluations()) == before, "something still runs"
    assert "ended already" in site.raytuner("stop", job["job"]).out
    assert site.raytuner("fetch", job["job"]).code == 0
