"""A tiny study in a folder of its own, and the command line to run it with, in process or real."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

DOCUMENTS = {
    "a.md": "# Apples\nApples grow on trees. A red one is sweet. Farmers pick apples in autumn.\n",
    "b.md": "# Bread\nBread is baked from flour and water. Sourdough needs a starter.\n",
    "c.md": "# Clouds\nClouds are made of water droplets. Cirrus clouds are high and thin.\n",
}
GOLDEN = """\
{"id": "q1", "question": "Where do apples grow?", "evidence": [{"quote": "Apples grow on trees."}]}
{"id": "q2", "question": "When are they picked?", "evidence": [{"quote": "pick apples in autumn"}]}
{"id": "q3", "question": "What is bread baked from?", "evidence": [{"quote": "flour and water"}]}
{"id": "q4", "question": "What does sourdough need?", "evidence": [{"quote": "needs a starter"}]}
{"id": "q5", "question": "What are clouds made of?", "evidence": [{"quote": "water droplets"}]}
{"id": "q6", "question": "Which are high?", "evidence": [{"quote": "Cirrus clouds are high"}]}
"""
STUDY = {
    "version": 1,
    "name": "tiny",
    "objective": {
        "kind": "rag",
        "documents": "docs",
        "golden": "golden.jsonl",
        "metrics": ["recall", "precision"],
        "pipeline": {
            "chunker": {"kind": "fixed", "size": 64, "overlap": 0},
            "retriever": {"kind": "bm25", "top_k": 1},
        },
    },
    "space": {"chunker.size": {"choice": [8, 16]}, "retriever.top_k": {"choice": [1, 2]}},
    "metric": "recall",
    "search": "grid",
}
MISSING = object()
"""Given for a field: leave it out."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Share tests out (`-n`): files stay whole, and all that start Ray stay on one worker."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = Path(nodeid.partition("::")[0])
            on_ray = "ray" in path.stem or path.stem.startswith("test_faults")
            return "ray" if on_ray or "cluster" in path.parts else str(path)

    return Files(config, log)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Tiny:
    """A study of three documents and six questions that needs no model."""

    MISSING = MISSING

    def __init__(self, folder):
        self.folder = folder
        self.run_folder = folder / "runs" / "tiny"

    def write(self, **changes):
        """Write study.yaml; `objective__golden=...` changes a nested field."""
        study = copy.deepcopy(STUDY)
        for path, value in changes.items():
            node = study
            *parents, last = path.split("__")
            for parent in parents:
                node = node.setdefault(parent, {})
            if value is MISSING:
                node.pop(last, None)
            else:
                node[last] = value
        with (self.folder / "study.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(study, file)
        return self

    def file(self, name, content):
        """Write any file; bytes as they are."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def files(self):
        """Every file and its content, the cache aside."""
        return {p: p.read_bytes() for p in sorted(self.folder.rglob("*")) if p.is_file()}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    study = Tiny(folder)
    for name, text in DOCUMENTS.items():
        study.file(f"docs/{name}", text)
    study.file("golden.jsonl", GOLDEN)
    study.write()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the command line adds the study's folder
    return study


@pytest.fixture(scope="module")
def benchmarks():
    """Make the modules of the benchmarks importable by their own names."""
    folder = str(Path(__file__).parents[1] / "benchmarks")
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


@pytest.fixture
def raytuner(capsys, monkeypatch):
    """Run the command line in this process."""
    from raytuner.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["raytuner", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Outcome(ended.value.code, printed.out, printed.err)

    return call


@pytest.fixture
def start():
    """Start the real command line; what still runs at the end is killed."""
    started = []

    def call(*arguments, prelude="", **more):
        code = f"{prelude}\nfrom raytuner.cli import main\nmain()"
        program = ["-c", code] if prelude else ["-m", "raytuner"]
        process = subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **more},
        )
        started.append(process)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def finish():
    """Wait for a started process."""

    def call(process):
        out, err = process.communicate(timeout=60)
        return Outcome(process.returncode, out, err)

    return call
