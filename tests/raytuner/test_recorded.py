"""A run is opened by its folder from anywhere, its study's own modules beside it or not."""

import json
import subprocess
import sys

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.recorded import Recorded

STUDY = """\
name: own
objective: {kind: "recorded_own:score", config: {x: 1}}
space: {x: {int: [0, 3]}}
search: grid
"""


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "study.yaml").write_text(STUDY)
    (home / "recorded_own.py").write_text("def score(config):\n    return config['x']\n")
    return home


def called(folder, *arguments):
    command = [sys.executable, "-m", "raytuner", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_run_folder_is_enough(home, tmp_path):
    assert called(home, "run", "study.yaml").returncode == 0
    told = called(tmp_path, "export", home / "runs/own")
    assert (told.returncode, told.stderr) == (0, "")
    assert "x: 3" in told.stdout


def test_what_is_no_longer_there_is_told(tmp_path):
    config = json.loads(raytuner.Study.parse(
        {"objective": {"kind": "nowhere_at_all:score"}, "space": {"x": {"int": [0, 3]}}}
    ).model_dump_json())  # fmt: skip
    with pytest.raises(ConfigError, match="nowhere_at_all"):
        Recorded(config, str(tmp_path)).objective()
