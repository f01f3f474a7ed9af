"""Finds and ends the processes of one node of a local cluster, and no others.

A node's processes are those of the session it was started in, those that carry its mark in their
environment (a job's driver opens a session of its own), and all their descendants. As a program
it waits for the end of its standard input, then ends the nodes that were named there and removes
the folder named by its argument: so nothing is left behind when the owner of a cluster is killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

MARK = "RAYTUNER_CLUSTER_NODE"
"""Environment variable that every process of a node inherits."""

_PROC = Path("/proc")


class Group(NamedTuple):
    """How the processes of one node are recognised: their session, and the value of `MARK`."""

    session: int
    mark: str


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int


def members(group: Group) -> set[int]:
    """List the living processes of a node."""
    table = _table()
    found = {p.pid for p in table if _belongs(p, group)}
    while grown := {p.pid for p in table if p.parent in found} - found:
        found |= grown
    return found - {os.getpid()}


def end(group: Group, *, grace: float = 0.0) -> None:
    """End the processes of a node: politely if `grace` seconds are given, then with SIGKILL."""
    if grace:
        _signal(members(group), signal.SIGTERM)
        _wait_gone(group, grace)
    deadline = time.monotonic() + 10
    known: set[int] = set()
    while time.monotonic() < deadline:
        known = {pid for pid in known if _alive(pid)} | members(group)
        if not known:
            return
        _signal(known, signal.SIGKILL)
        time.sleep(0.02)


def _wait_gone(group: Group, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.05)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _alive(pid: int) -> bool:
    return any(process.pid == pid for process in _table())


def _belongs(process: _Process, group: Group) -> bool:
    """Tell whether a process is a node's; a session number alone may have been given anew."""
    if not (_PROC / str(process.pid)).exists():  # a system without /proc: the session must do
        return process.session == group.session
    mark = f"{MARK}={group.mark}".encode()
    with contextlib.suppress(OSError):
        if mark in (_PROC / str(process.pid) / "environ").read_bytes().split(b"\0"):
            return True
    # Ray's workers write their title over their environment.
    with contextlib.suppress(OSError):
        title = (_PROC / str(process.pid) / "cmdline").read_bytes()
        return process.session == group.session and title.startswith(b"ray::")
    return False


def _table() -> list[_Process]:
    """List every process that is not a zombie."""
    if _PROC.joinpath("self/stat").exists():
        numbers = [entry.name for entry in _PROC.iterdir() if entry.name.isdecimal()]
        return [found for number in numbers if (found := _from_proc(number))]
    listed = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [
        _Process(int(pid), int(parent), _session(int(pid)))
        for pid, parent, state in rows
        if not state.startswith("Z")
    ]


def _from_proc(number: str) -> _Process | None:
    try:
        text = (_PROC / number / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, parent, _, session = text.rpartition(")")[2].split()[:4]
    return None if state == "Z" else _Process(int(number), int(parent), int(session))


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _watch() -> None:
    """Read one node per line until the owner is gone, then end them all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who then closes
    groups = []
    for line in sys.stdin:
        session, _, mark = line.strip().partition(" ")
        if session == "done":
            return
        groups.append(Group(int(session), mark))
    for group in reversed(groups):
        end(group)
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _watch()
