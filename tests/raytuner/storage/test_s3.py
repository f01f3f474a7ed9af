"""The same, over a real S3 interface: a server on loopback that checks signatures."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.storage import StorageExchange, backed_up, check_storage, lease, restore
from raytuner.storage.backup import run_place
from raytuner.storage.lease import Lease
from raytuner.storage.place import _file_system, place_at
from raytuner.storage.segments import stored_segments
from tests.raytuner.probes import Questions, evaluations, same, study, table
from tests.raytuner.storage.test_session import elsewhere, kill_in_the_middle, work

pytestmark = pytest.mark.slow
pytest.importorskip("s3fs")
pytest.importorskip("moto")

KEY = "0123456789abcdef" * 2


def test_objects_come_back_and_go(s3):
    check_storage(s3)
    place = place_at(s3)
    assert place.names() == [], "the probe is gone"
    assert place.read("x") is None
    assert place.modified("x") is None
    assert place.create("x", b"one")
    assert not place.create("x", b"two")
    assert place.read("x") == b"one"
    place.write("x", b"three")
    assert place.names() == ["x"]
    assert abs(place.modified("x") - time.time()) < 60
    assert place.read_all(["x", "y"]) == [b"three", None]
    place.remove("x")
    place.remove("x")
    assert place.names() == []


def refused(url):
    with pytest.raises(ConfigError) as caught:
        check_storage(url)
    assert caught.value.field == ("storage",)
    return str(caught.value)


def test_wrong_bucket_and_wrong_credentials_are_one_sentence(s3, monkeypatch):
    assert "there is no bucket 'nowhere'" in refused("s3://nowhere/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-wrong-wrong")
    _file_system.cache_clear()
    said = refused(s3)
    assert "access is refused with the credentials in the environment" in said
    assert "wrong-wrong" not in said
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
    _file_system.cache_clear()
    assert "access is refused" in refused(s3)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    _file_system.cache_clear()
    assert "no credentials were found" in refused(s3)


def test_artifacts_are_built_once_and_large_ones_come_back(s3):
    big = np.random.default_rng(0).random((4_000, 400), dtype=np.float32)
    found = [
        StorageExchange(s3).obtain(KEY, build)["x"]
        for build in (lambda: {"x": big}, lambda: pytest.fail("built twice"))
    ]
    np.testing.assert_array_equal(found[1], big)


def test_of_many_that_start_at_once_one_wins(s3):
    place = place_at(s3).under("owner")
    meeting = threading.Barrier(5)
    won = []

    def start(identity):
        one = Lease(place, str(identity))
        meeting.wait()
        try:
            one.acquire()
        except ConfigError:
            return
        won.append(one)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    won[0].keep()


def test_a_run_killed_with_its_machine_goes_on_elsewhere(s3, tmp_path, expected, monkeypatch):
    log = tmp_path / "log"
    here, there = tmp_path / "here", tmp_path / "there"
    kill_in_the_middle(s3, here, log, segments=3)
    shutil.rmtree(here)
    with pytest.raises(ConfigError, match="in use by process"), backed_up(s3, there / "runs" / "t"):
        raise AssertionError
    monkeypatch.setattr(lease, "STALE", 2.0)
    time.sleep(3.1)  # the server's clock is that of this machine, in whole seconds
    place = run_place(s3, there / "runs" / "t").under("journal")
    stored = [place.read(segment.name) for segment in stored_segments(place)]
    units = [
        len(event["rows"])
        for event in map(json.loads, b"".join(stored).splitlines())
        if event["event"] == "units"
    ]
    asked = len(evaluations(log))
    with backed_up(s3, there / "runs" / "t"):
        results = raytuner.run(study(Questions(log)), there)
    same(table(results), expected)
    assert sum(units) > 0
    assert len(evaluations(log)) - asked == 12 * 6 - sum(units)


def test_many_segments_come_back_in_order(s3, tmp_path):
    folder = tmp_path / "here" / "t"
    for number in range(80):
        work(folder, number)
        with (folder / "journal.jsonl").open("rb") as file:
            whole = file.read()
    from raytuner.storage.segments import Digest, Segment

    place, digest = run_place(s3, folder).under("journal"), Digest()
    for line in whole.splitlines(keepends=True):
        start = digest.offset
        place.write(Segment(start, start + len(line), digest.add(line)).name, line)
    assert restore(s3, elsewhere(folder)) == len(whole)
    assert (elsewhere(folder) / "journal.jsonl").read_bytes() == whole


def test_a_server_that_goes_away_in_the_middle(s3_server, s3, tmp_path, caplog):
    """Stop the server's process for a while: the run goes on, and the copy is completed."""
    del s3_server
    folder = tmp_path / "here" / "t"
    relay = subprocess.Popen([sys.executable, "-c", RELAY, os.environ["AWS_ENDPOINT_URL"]],
                             stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        os.environ["AWS_ENDPOINT_URL"] = relay.stdout.readline().strip()
        _file_system.cache_clear()
        with backed_up(s3, folder):
            relay.send_signal(signal.SIGKILL)
            relay.wait(timeout=10)
            started = time.monotonic()
            work(folder, *range(50))
            assert time.monotonic() - started < 5
        assert "is incomplete" in caplog.text
    finally:
        relay.kill()
        relay.wait(timeout=10)
        relay.stdout.close()


RELAY = """
import socket, sys, threading
host, port = sys.argv[1].removeprefix("http://").split(":")
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        s.close()
server = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
while True:
    client, _ = server.accept()
    there = socket.create_connection((host, int(port)))
    for pair in ((client, there), (there, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""
