"""Trials in worker processes, which may die."""

import os
import subprocess
import sys
import time

import pytest

import raytuner
from raytuner.backends.feeder import WorkerStartError
from raytuner.component import ConfigError
from raytuner.objective import Objective
from tests.raytuner.probes import (
    ROOT,
    Questions,
    evaluations,
    group_is_gone,
    recorded,
    start,
    study,
    table,
    wait_for,
)

FIELDS = {"backend": "processes", "workers": 2}


@pytest.fixture(scope="module")
def expected():
    return table(raytuner.run(study(), in_memory=True))


def test_a_worker_that_dies_once_is_replaced(tmp_path, expected):
    log = tmp_path / "log"
    objective = Questions(log=log, faults={2: "kill_once"})
    results = raytuner.run(study(objective, **FIELDS), tmp_path)
    assert table(results).equals(expected)
    again = [pair for pair in evaluations(log) if evaluations(log).count(pair) > 1]
    assert {unit for _, unit in again} == {"q2"}  # the batch it died in, nothing before


def test_a_trial_that_always_kills_is_lost_and_the_others_stand(tmp_path, expected):
    objective = Questions(log=tmp_path / "log", faults={2: "kill"})
    fields = {"space": {"x": [1, 2], "y": ["a", "b"]}, **FIELDS}
    results = raytuner.run(study(objective, **fields), tmp_path)
    lost = [trial for trial in results.record.current if trial.params["x"] == 2]
    assert {trial.failure.kind for trial in lost} == {"lost_worker"}
    assert {"SIGKILL" in trial.failure.message for trial in lost} == {True}
    assert {trial.status for trial in lost} == {"failed"}
    assert [trial.missing()[0] for trial in lost] == ["q2", "q2"]
    tries = [pair for pair in evaluations(tmp_path / "log") if pair[1] == "q2"]
    assert len(tries) == 2 + 2 * 3
    good = [trial for trial in results.record.current if trial.params["x"] == 1]
    assert {trial.status for trial in good} == {"complete"}


def test_other_failures_are_those_of_any_backend(tmp_path):
    faults = {1: "raise", 2: "exit", 3: "rate_limit_once"}
    objective = Questions(log=tmp_path / "log", faults=faults)
    results = raytuner.run(study(objective, **FIELDS), tmp_path)
    kinds = {trial.params["x"]: trial.failure and trial.failure.kind
             for trial in results.record.current}  # fmt: skip
    assert kinds == {1: "objective", 2: "objective", 3: None, 4: None}
    assert results.record.cost.usd == 1.5


def test_workers_are_kept_and_end_with_the_run(tmp_path):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log), **FIELDS), tmp_path)
    pids = {int(line.rsplit(", ", 1)[1].strip("]")) for line in log.read_text().splitlines()}
    assert len(pids) <= 2
    assert os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_driver_that_is_killed_leaves_no_orphans(tmp_path):
    log = tmp_path / "log"
    process = start(tmp_path, {"log": str(log), "pause": 0.02}, **FIELDS)
    wait_for(lambda: len(evaluations(log)) > 10)
    process.kill()
    _, err = process.communicate()
    wait_for(lambda: group_is_gone(process), 5)
    assert "Traceback" not in err
    assert recorded(tmp_path / "runs/t")


def test_a_slow_batch_does_not_hold_up_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("raytuner.backends.feeder._GRACE", 0.3)
    made = study(Questions(pause=60), budget={"seconds": 1.5}, **FIELDS)
    began = time.monotonic()
    results = raytuner.run(made, tmp_path)
    assert time.monotonic() - began < 10
    assert "seconds" in results.stop_reason
    assert {trial.status for trial in results.record.current} == {"stopped"}


class HangsOnce(Questions):
    def evaluate(self, params, units, meter):
        for batch in super().evaluate(params, units, meter):
            yield batch
            if params["x"] == 2 and self.due("hang_once", params):
                time.sleep(60)


def test_a_worker_that_hangs_is_ended_and_its_trial_tried_again(tmp_path):
    log, fields = tmp_path / "log", {"space": {"x": [1, 2, 3]}, **FIELDS}
    results = raytuner.run(study(HangsOnce(log=log), timeout=1, **fields), tmp_path)
    undisturbed = raytuner.run(study(space=fields["space"]), in_memory=True)
    assert table(results).equals(table(undisturbed))
    assert len(evaluations(log)) == 3 * 6  # what was on record is not asked again


class Unsendable(Questions):
    def __init__(self):
        super().__init__()
        self.function = lambda: 1


class Unloadable(Questions):
    def __setstate__(self, state):
        raise RuntimeError("not here")


def test_objectives_that_cannot_travel_are_refused(tmp_path):
    for objective in (Unsendable(), lambda p: 1.0):
        with pytest.raises(ConfigError, match=r"backend: processes cannot send the objective"):
            raytuner.run(study(objective, **FIELDS), tmp_path)


def test_workers_that_cannot_start_end_the_run(tmp_path, capfd):
    began = time.monotonic()
    with pytest.raises(WorkerStartError, match=r"could not start .* `if __name__ == '__main__':`"):
        raytuner.run(study(Unloadable(), **FIELDS), tmp_path)
    assert time.monotonic() - began < 20
    assert "not here" in capfd.readouterr().err
    assert table(raytuner.run(study(), tmp_path)).status.eq("complete").all()


SCRIPT = """
import sys
import raytuner
from raytuner.objective import Objective, UnitScore

class Mine(Objective):
    def units(self): return ("a",)
    def key(self, params): return repr(sorted(params.items()))
    def evaluate(self, params, units, meter):
        yield [UnitScore("a", {"hit": params["x"]})]

def score(params):
    return params["x"]

def main():
    for objective in (Mine(), score):
        study = raytuner.Study(objective=objective, space={"x": [1, 2, 3]}, backend="processes")
        print(raytuner.run(study, in_memory=True).best.params)
GUARD
"""


def test_scripts_with_and_without_a_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("GUARD", "if __name__ == '__main__':\n    main()"))
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert ran.stdout == "{'x': 3}\n{'x': 3}\n", ran.stderr
    script.write_text(SCRIPT.replace("GUARD", "main()"))
    ran = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert "must run the study under `if __name__ == '__main__':`" in ran.stderr
    assert ran.stdout == ""


def test_plugins_are_imported_by_workers(tmp_path, monkeypatch):
    (tmp_path / "plug_in_for_workers.py").write_text(
        "import os\nfrom pathlib import Path\n"
        "(Path(__file__).parent / f'seen.{os.getpid()}').touch()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    raytuner.run(study(plugins=["plug_in_for_workers"], **FIELDS), tmp_path)
    assert list(tmp_path.glob("seen.*"))


def test_objectives_are_small_to_send():
    assert issubclass(Questions, Objective)
