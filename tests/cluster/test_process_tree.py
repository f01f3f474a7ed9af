"""Only the processes of one node are found and ended."""

import os
import signal
import subprocess
import sys

import pytest

from cluster import process_tree
from cluster.process_tree import MARK, Group
from tests.cluster.conftest import wait_for

SLEEP = "import time; time.sleep(60)"
CHILD = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True, env={{}})
time.sleep(60)
"""
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def node():
    """A process with a child that has left session and environment behind; and a stranger."""
    started = []

    def start(mark, code=CHILD):
        process = subprocess.Popen(
            [sys.executable, "-c", code], start_new_session=True, env={**os.environ, MARK: mark}
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process_tree.end(Group(process.pid, process.args[-1]))
        process.kill()
        process.wait()


def test_a_node_with_its_descendants_is_ended_and_its_neighbour_is_not(node):
    mine, other = node("a/0"), node("a/1", SLEEP)
    group = Group(mine.pid, "a/0")
    wait_for(lambda: len(process_tree.members(group)) == 2)
    assert other.pid not in process_tree.members(group)
    process_tree.end(group)
    wait_for(lambda: mine.poll() is not None)
    assert process_tree.members(group) == set()
    assert other.poll() is None
    process_tree.end(group)


def test_a_session_number_that_was_given_anew_is_not_touched(node):
    stranger = node("somebody else", SLEEP)
    assert process_tree.members(Group(stranger.pid, "mine/0")) == set()


def test_processes_may_end_politely_first(node):
    process = subprocess.Popen(
        [sys.executable, "-c", POLITE], start_new_session=True,
        env={**os.environ, MARK: "p/0"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "up\n"
    process_tree.end(Group(process.pid, "p/0"), grace=10)
    assert process.wait() == 7
    process.stdout.close()


@pytest.mark.parametrize(("farewell", "ended"), [("", True), ("done 0\n", False)])
def test_the_watchdog_ends_what_a_lost_owner_leaves(node, tmp_path, farewell, ended):
    mine = node("w/0", SLEEP)
    (tmp_path / "folder").mkdir()
    subprocess.run(
        [sys.executable, "-m", "cluster.process_tree", str(tmp_path / "folder")],
        input=f"{mine.pid} w/0\n{farewell}", text=True, check=True, timeout=30,
    )  # fmt: skip
    if ended:
        wait_for(lambda: mine.poll() is not None)
    assert mine.poll() == (-signal.SIGKILL if ended else None)
    assert (tmp_path / "folder").exists() is not ended
