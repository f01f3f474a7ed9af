"""Real processes, and a small deterministic embedder that leaves a trace of its work."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from pipelines.roles import Embedded, Embedder

TRACER = """
import os, sys, time, threading, logging
from pathlib import Path
import numpy as np
from pipelines.cache import Cache, VectorCache
from pipelines.roles import Embedded, Embedder
from raytuner.objective import Tally

root = Path(sys.argv[1])
KEY = "0123456789abcdef" * 2

def trace(line, name="trace"):
    with open(root.parent / name, "a") as file:
        file.write(line + "\\n")

def wait_for(name, seconds=60):
    until = time.monotonic() + seconds
    while not (root.parent / name).exists():
        assert time.monotonic() < until, name
        time.sleep(0.005)

class Traced(Embedder):
    def fingerprint(self):
        return "traced"

    def embed(self, texts, *, query, meter):
        for text in texts:
            trace(text)
        time.sleep(0.02)
        rows = [np.random.default_rng(len(text) + sum(map(ord, text))).random(8) for text in texts]
        meter.count("texts embedded", len(texts))
        return Embedded(np.array(rows, np.float32), np.array([len(t) % 3 for t in texts]))
"""


class Plain(Embedder):
    """Vectors from the characters; counts and remembers what it was asked."""

    def fingerprint(self):
        return "plain"

    def embed(self, texts, *, query, meter):
        type(self).asked.append((list(texts), query))
        meter.count("texts embedded", len(texts))
        rows = [[len(text), sum(map(ord, text)) % 997, query, 1.0] for text in texts]
        return Embedded(np.array(rows, np.float32), np.array([len(text) for text in texts]))


class Shared(Plain):
    """The same, but able to do several calls at once."""

    exclusive = False


@pytest.fixture
def plain():
    Plain.asked = []
    return Plain()


@pytest.fixture
def shared():
    Shared.asked = []
    return Shared()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def start(root):
    """Start a process that runs a script; the tracer's names are there."""
    started = []

    def start(script):
        code = TRACER + textwrap.dedent(script)
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(root)],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def finish():
    """Wait for processes and give what they printed."""

    def finish(*processes):
        printed = []
        for process in processes:
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
            printed.append(out.strip())
        return printed

    return finish


@pytest.fixture
def until():
    """Wait for a condition that another process brings about."""

    def until(condition, seconds=60.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    return until
