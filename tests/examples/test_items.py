"""The example of a function that is called for every item: in one process, in several, on Ray."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from raytuner.results import Results
from tests.raytuner.probes import same, table

EXAMPLE = Path(__file__).parents[2] / "examples" / "items"


@pytest.fixture
def example(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "items")
    return tmp_path / "items"


def raytuner(folder, *words):
    command = [sys.executable, "-m", "raytuner", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def cut(folder):
    """Leave two parameters in the study."""
    study = folder / "study.yaml"
    lines = study.read_text().splitlines(keepends=True)
    study.write_text("".join(x for x in lines if "cost.doubled" not in x and "cost.vowel" not in x))


def test_the_function_is_still_a_function():
    spec = importlib.util.spec_from_file_location("spelling", EXAMPLE / "spelling.py")
    spelling = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spelling)
    cost = {"cost.extra": 1, "cost.missing": 1, "cost.doubled": 0.5, "cost.swapped": 0.7}
    config = {**cost, "cost.vowel": 1, "cost.other": 2}
    assert spelling.distance("recieve", "receive", config) == 0.7
    assert spelling.distance("untill", "until", config) == 0.5
    assert spelling.distance("calender", "calendar", config) == 1
    found = spelling.correct({"typed": "recieve", "meant": "receive"}, config)
    assert found == {"right": True, "rank": 1, "guess": "receive"}


@pytest.mark.slow
def test_the_study_runs_from_the_command_line(example):
    assert len((example / "study.yaml").read_text().splitlines()) < 60
    cut(example)
    ran = raytuner(example, "run", "study.yaml")
    assert ran.returncode == 0, ran.stderr
    results = Results.open(example / "runs/spelling")
    assert len(results.trials) == 6
    assert results.best.mean("right") > results.trials.set_index("trial").loc[0, "right"]
    assert (example / "runs/spelling/report.html").exists()


@pytest.mark.slow
def test_it_is_proven_and_the_same_in_processes_and_on_ray(example):
    assert "items: 90" in raytuner(example, "check", "study.yaml").stdout
    assert "PROVEN" in raytuner(example, "run", "study.yaml").stdout
    expected = table(example / "runs/spelling")
    assert len(expected) == 24
    assert "PROVEN" in raytuner(example, "run", "study.yaml").stdout
    same(table(example / "runs/spelling"), expected)
    for backend in ("processes", "ray"):
        (example / "runs").rename(example / f"before {backend}")
        ran = raytuner(example, "run", "study.yaml", "--backend", backend)
        assert "PROVEN" in ran.stdout, ran.stderr
        same(table(example / "runs/spelling"), expected)
