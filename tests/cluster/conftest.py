"""A real cluster for the tests that need one, and studies to send to it."""

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from cluster.local import LocalCluster

SECRET = "sk-Xq7-must-not-be-seen"
OBJECTIVE = '''
"""Scores one number; slow or failing on demand."""
import os
import time

from beside import best


def score(params):
    time.sleep(float(os.environ.get("PROBE_PAUSE", "0")))
    if params.get("broken") and params["x"] == 1:
        raise RuntimeError("broken on purpose")
    if params.get("secret"):
        assert os.environ["PROBE_KEY"].startswith("sk-")
    with open(os.environ["PROBE_LOG"], "a") as log:
        log.write(f"{params['x']}\\n")
    return -float((params["x"] - best()) ** 2)
'''
STUDY = """
version: 1
name: toy
objective: {kind: "obj:score"}
space: {x: {int: [0, 5]}}
"""


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Site(NamedTuple):
    """A cluster, and a folder with a study of its own."""

    cluster: LocalCluster
    folder: Path
    log: Path

    def start(self, *arguments, **variables):
        return subprocess.Popen(
            [sys.executable, "-m", "raytuner", *map(str, arguments)],
            cwd=self.folder,
            env={**clean(), **self.cluster.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def raytuner(self, *arguments, timeout=120, **variables):
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=timeout)
        return Outcome(process.returncode, out, err)

    @property
    def name(self):
        return YAML(typ="safe").load(self.folder / "study.yaml")["name"]

    @property
    def run_folder(self):
        return self.folder / "runs" / self.name

    def change(self, **fields):
        study = YAML(typ="safe").load(self.folder / "study.yaml")
        with (self.folder / "study.yaml").open("w") as file:
            YAML().dump({**study, **fields}, file)

    def jobs(self):
        found = json.loads(self.raytuner("jobs", "--json").out)
        return [job for job in found if job["study"] == self.name]

    def evaluations(self):
        return sorted(self.log.read_text().split()) if self.log.exists() else []


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def clean():
    """This process's environment, without what belongs to a cluster."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def write_study(folder, study=STUDY):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "obj.py").write_text(OBJECTIVE)
    (folder / "beside.py").write_text("def best():\n    return 3\n")
    (folder / "study.yaml").write_text(textwrap.dedent(study))
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A cluster of two nodes, for all tests that break nothing."""
    home = tmp_path_factory.mktemp("probes")
    keys = home / "keys.env"
    keys.write_text(f"PROBE_KEY={SECRET}\n")
    keys.chmod(0o600)
    with LocalCluster(2, 1, environment={"PROBE_LOG": str(home / "log")}) as cluster:
        yield cluster, home


@pytest.fixture
def site(shared, tmp_path):
    cluster, home = shared
    (home / "log").unlink(missing_ok=True)
    # Every test has data of its own, and so a run folder of its own on the head.
    folder = write_study(tmp_path / "work", STUDY.replace("toy", f"toy-{tmp_path.name[:40]}"))
    return Site(cluster, folder, home / "log")
