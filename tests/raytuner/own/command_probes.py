"""Small programs, as a user would write them, that behave and misbehave."""

import os
import textwrap
from pathlib import Path

from raytuner.objective import Tally
from raytuner.own.command import CommandObjective

PREFACE = """
import json, os, signal, subprocess, sys, time
def say(text):
    os.write(1, text if isinstance(text, bytes) else (text + "\\n").encode())
def config():
    return json.loads(sys.stdin.readline())
"""

ANSWERS = """
given = config()
for line in sys.stdin:
    row = json.loads(line)
    score = row["item"]["n"] * given["x"]
    say(json.dumps({"unit": row["unit"], "score": score, "said": "x" * 3}))
"""
"""Answers every item."""


def program(folder, body, name="program.py"):
    """Write a program; give the command that starts it."""
    (Path(folder) / name).write_text(PREFACE + textwrap.dedent(body))
    return ["{python}", "-I", "-S", name]


def made(folder, body, **settings):
    command = program(folder, body)
    return CommandObjective.build({"command": command, **settings}, root=Path(folder), seed=0)


def scores(objective, params=None, units=None, meter=None):
    batches = objective.evaluate(params or {"x": 2}, units or objective.units(), meter or Tally())
    return {score.unit: score for batch in batches for score in batch}


def alive(pid):
    """Tell whether a process is there and not a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def children():
    """List the living supervisors that this process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            own = int(parent) == os.getpid() and state != "Z"
            if own and b"supervise" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
