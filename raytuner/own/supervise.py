"""Runs one program, and leaves nothing of it behind. A script; imports nothing of raytuner.

It is the program's parent. The program gets a session of its own and a limit on memory. Once the
program has ended, or the lifeline is closed (its owner wants the end, or was killed), everything
that descends from the program is ended: with SIGTERM, and after a grace with SIGKILL. On Linux
that includes what has left its session, because orphans become children of this process.

    supervise.py LIFELINE MEMORY GRACE COMMAND...

LIFELINE: a file descriptor to read from; MEMORY: bytes of address space of each process, 0: no
limit; GRACE: seconds. Ends with the exit code, or by the signal, that ended the program; 127 if it
could not be started. Where this process is killed itself, the program is killed with it (on Linux;
what that has started in turn is left).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""
_PARENT_DEATH = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
_LINUX = sys.platform == "linux"


def main() -> None:
    """Run it."""
    lifeline, memory = int(sys.argv[1]), int(sys.argv[2])
    grace, command = float(sys.argv[3]), sys.argv[4:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the owner decides, by the lifeline
    child = _started(command, memory)
    _let_go()
    status = None
    while status is None:
        ready = select.select([lifeline, wake], [], [], 1.0)[0]
        if wake in ready:
            os.read(wake, 4096)
        if lifeline in ready:
            break
        status = _reaped(child)
    status = _ended(child, status, grace)
    if os.WIFSIGNALED(status):
        ended_by = os.WTERMSIG(status)
        if ended_by != signal.SIGKILL:
            signal.signal(ended_by, signal.SIG_DFL)
        os.kill(os.getpid(), ended_by)
    os._exit(os.waitstatus_to_exitcode(status))


def _started(command: list[str], memory: int) -> int:
    supervisor = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        if _LINUX:  # whoever ends the supervisor, for want of memory say, ends it too
            ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != supervisor:
                os._exit(127)
        signal.set_wakeup_fd(-1)
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGCHLD,
            signal.SIGPIPE,
        ):
            signal.signal(number, signal.SIG_DFL)
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        os.execvp(command[0], command)  # noqa: S606
    except BaseException as error:  # noqa: BLE001 - this is the child: it must not go on
        os.write(2, f"{command[0]} could not be started: {error}\n".encode(errors="replace"))
    os._exit(127)


def _let_go() -> None:
    """Close what only the program is to hold, so that its readers learn when it is gone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


def _reaped(child: int) -> int | None:
    """Bury whoever has died; give the status of the program if it was among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            if pid == child:
                found = status
    return found


def _ended(child: int, status: int | None, grace: float) -> int:
    """End all that is left of the program; give its status."""
    asked, began = False, time.monotonic()
    while True:
        late = status is None and time.monotonic() - began > grace
        found = _reaped(child)
        status = found if status is None else status
        living = _descendants(child, status)
        if not living and status is not None:
            return status
        if late or status is not None:
            _signal(living, signal.SIGKILL)
        elif not asked:
            _signal(living, signal.SIGTERM)
            asked = True
        time.sleep(0.005)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid < 0:
                os.killpg(-pid, number)
            else:
                os.kill(pid, number)


def _descendants(child: int, status: int | None) -> list[int]:
    """List the living processes below this one; elsewhere than on Linux, the program's group."""
    if not _LINUX:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, 0)
            return [-child]
        return [] if status is not None else [child]
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError):
                text = (entry / "stat").read_text(errors="replace")
                state, parent = text.rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents.setdefault(int(parent), []).append(int(entry.name))
    found: list[int] = []
    row = [os.getpid()]
    while row:
        row = [pid for parent in row for pid in parents.get(parent, [])]
        found += row
    return found


if __name__ == "__main__":
    main()
