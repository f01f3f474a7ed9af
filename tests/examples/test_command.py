"""The example of a program in another language that trains."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from raytuner.results import Results

EXAMPLE = Path(__file__).parents[2] / "examples" / "command"


@pytest.fixture
def example(tmp_path):
    shutil.copytree(EXAMPLE, tmp_path / "command")
    return tmp_path / "command"


def raytuner(folder, *words):
    command = [sys.executable, "-m", "raytuner", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_study_runs_from_the_command_line(example):
    assert len((example / "study.yaml").read_text().splitlines()) < 60
    ran = raytuner(example, "run", "study.yaml")
    assert ran.returncode == 0, ran.stderr
    results = Results.open(example / "runs/flowers")
    assert len(results.trials) == 28
    done = results.trials["answered"]
    assert (done == 1).sum() > 10
    assert (done == 27).sum() >= 2
    baseline = results.record.current[0]
    assert baseline.params["rate"] == 0.1
    assert results.best.values("loss")[-1] < baseline.values("loss")[-1]
    exported = raytuner(example, "export", "study.yaml").stdout
    assert f"rate: {results.best.params['rate']}" in exported


@pytest.mark.slow
def test_a_program_that_changes_is_another_one(example):
    raytuner(example, "run", "study.yaml")
    script = example / "train.awk"
    script.write_text(script.read_text().replace("rate / (1 +", "rate / (1.5 +"))
    ran = raytuner(example, "run", "study.yaml")
    assert ran.returncode == 0, ran.stderr
    assert "steps trained" in ran.stdout
    assert "steps trained" not in raytuner(example, "run", "study.yaml").stdout


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_it_is_the_same_in_several_processes(example, backend):
    tables = []
    for words in ([], ["--backend", backend, "--workers", "2"]):
        ran = raytuner(example, "run", "study.yaml", *words)
        assert ran.returncode == 0, ran.stderr
        trials = Results.open(example / "runs/flowers").trials
        tables.append(trials[trials["status"] == "complete"][["rate", "loss"]])
        shutil.rmtree(example / "runs")
    assert tables[0].sort_values("rate").to_numpy().tolist() == (
        tables[1].sort_values("rate").to_numpy().tolist()
    )
