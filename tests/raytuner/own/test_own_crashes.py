"""Functions and programs of one's own: a killed driver repeats nothing that is on record."""

import json
import subprocess
import sys

import pytest

import raytuner
from raytuner.study import Study
from tests.raytuner.own.command_probes import ANSWERS, program
from tests.raytuner.own.own_probes import ROWS
from tests.raytuner.probes import ROOT, group_is_gone, recorded, table, wait_for

FIELDS = {"name": "t", "space": {"x": [1, 2, 3]}, "scheduler": "none", "seed": 1}
LOGS = 'open("log", "a").write(json.dumps([given["x"], row["unit"], 0]) + "\\n")\n'


def start(root, fields):
    """Run a study in another process, in a group of its own."""
    given = json.dumps([str(root), fields])
    code = (
        "import json, pathlib, raytuner\n"
        f"root, fields = json.loads({given!r})\n"
        "raytuner.run(raytuner.Study.parse(fields), pathlib.Path(root))"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)


def calls(log):
    lines = log.read_text().splitlines() if log.exists() else []
    return [((("x", x),), unit) for x, unit, _ in map(json.loads, lines)]


def objectives(folder, log):
    program(folder, ANSWERS.replace("    score =", f"    time.sleep(0.004); {LOGS}    score ="))
    own = {"kind": "tests.raytuner.own.own_probes:answer"}
    return {
        "function": {**own, "config": {"x": 1, "pause": 0.004, "log": str(log)}},
        "async function": {
            **own, "kind": "tests.raytuner.own.own_probes:ask",
            "config": {"x": 1, "pause": 0.01, "log": str(log)},
        },
        "program": {
            "kind": "command", "command": ["{python}", "-I", "-S", "program.py"], "items": ROWS,
            "config": {"x": 1},
        },
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["function", "async function", "program"])
@pytest.mark.parametrize(
    "backend", ["inprocess", pytest.param("processes", marks=pytest.mark.slow)]
)
def test_kill_9_repeats_nothing_that_is_on_record(tmp_path, kind, backend):
    log = tmp_path / "log"
    fields = {**FIELDS, "objective": objectives(tmp_path, log)[kind], "backend": backend}
    for moment in (20, 70):
        process = start(tmp_path, fields)
        wait_for(lambda moment=moment: len(calls(log)) >= moment)
        process.kill()
        process.communicate()
        wait_for(lambda process=process: group_is_gone(process))
        before, known = len(calls(log)), recorded(tmp_path / "runs/t")
    assert known
    results = raytuner.run(Study.parse({**fields, "backend": "inprocess"}), tmp_path)
    assert not known & set(calls(log)[before:])
    assert recorded(tmp_path / "runs/t") == set(calls(log))
    whole = raytuner.run(Study.parse({**fields, "backend": "inprocess"}), tmp_path, in_memory=True)
    assert table(results).equals(table(whole))
