"""Whole studies on a real local Ray cluster: equal tables, lost workers, hanging trials."""

import os
import re
import signal
import threading
import time

import numpy as np
import pytest
import ray

import raytuner
from raytuner.backends import Setting, choose
from raytuner.component import ConfigError
from raytuner.objective import UnitScore
from raytuner.prepare import prepare
from raytuner.session import Session
from tests.raytuner.backends.faults import check_cost_of_lost_workers
from tests.raytuner.backends.local_ray import local_ray
from tests.raytuner.probes import Questions, evaluations, study, table, wait_for

FIELDS = {"backend": "ray", "address": "local", "workers": 2}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with local_ray():
        yield


class Odd(Questions):
    """Also hangs, leaves the process, and waits for the end of the sweep."""

    def evaluate(self, params, units, meter):
        fault = self.faults.get(params["x"], "")
        kind = fault.removesuffix("_once")
        plain = Questions(self.log) if kind in {"hang", "leave", "wait"} else super()
        for batch in plain.evaluate(params, units, meter):
            yield batch
            if kind == "hang" and self.due(fault, params):
                time.sleep(60)
            if kind == "leave":
                os._exit(7)
            while kind == "wait" and not meter.cancelled:
                time.sleep(0.01)


def pids(log):
    lines = log.read_text().splitlines()
    return {int(line.rsplit(", ", 1)[1].strip("]")) for line in lines}


SMALL = {"space": {"x": [1, 2], "y": ["a", "b"]}, **FIELDS}


def test_the_table_of_any_backend_and_reused_workers(tmp_path, expected, capfd):
    log = tmp_path / "log"
    results = raytuner.run(study(Questions(log=log), **{**FIELDS, "workers": 3}), tmp_path)
    assert table(results).equals(expected)
    assert len(pids(log)) <= 2
    assert os.getpid() not in pids(log)
    assert len(evaluations(log)) == 12 * 6
    said = capfd.readouterr()
    assert said.out == ""
    notes = said.err.splitlines()
    assert len(notes) == 3
    assert notes[0] == "note: workers: 3 are asked for, 2 fit; the others wait for room"
    assert notes[1].endswith(f"3 workers; logs of Ray and the workers: {tmp_path / 'runs/t/logs'}")
    assert re.search(r"12 jobs on [12] workers, [0-9.]+ ms of overhead each; ready", notes[2])
    assert ray.is_initialized(), "a connection that was there before stays"


def test_lost_and_hanging_workers_cost_their_batch_only(tmp_path, capfd):
    trials = check_cost_of_lost_workers(Odd, FIELDS, tmp_path)
    assert "the Ray worker died (killed" in trials[1].failure.message
    assert "died" not in capfd.readouterr().err
    assert "died" in (tmp_path / "runs/t/logs/ray.log").read_text()


class Panic(BaseException):
    """What extension modules raise: no `Exception`."""


class Panics(Questions):
    def evaluate(self, params, units, meter):
        if params["x"] == 1:
            raise self.error("unreachable code")
        yield from super().evaluate(params, units, meter)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [(Panic, "objective", "unreachable code"), (KeyboardInterrupt, "lost_worker", "broke off")],
)
def test_what_no_objective_should_raise_costs_its_trial_only(tmp_path, error, kind, message):
    objective = Panics()
    objective.error = error
    fields = {**FIELDS, "space": {"x": [1, 2]}, "retry": {"times": 1, "wait": 0}}
    results = raytuner.run(study(objective, **fields), tmp_path)
    trials = {trial.params["x"]: trial for trial in results.record.current}
    assert trials[1].failure.kind == kind
    assert message in trials[1].failure.message
    assert trials[2].status == "complete"


def test_what_is_on_record_needs_no_ray(tmp_path, expected, capfd):
    raytuner.run(study(), tmp_path)
    again = raytuner.run(study(**FIELDS), tmp_path)
    assert table(again).equals(expected)
    assert "Ray" not in capfd.readouterr().err


def test_a_cancelled_sweep_reaches_a_running_batch(tmp_path):
    log = tmp_path / "log"
    objective = Odd(log=log, faults={1: "wait", 2: "wait"})
    with Session(prepare(study(objective, **SMALL), in_memory=True), None) as session:

        def end():
            wait_for(lambda: len(evaluations(log)) >= 2)
            session.sweep.cancel("enough")

        threading.Thread(target=end).start()
        backend = choose(Setting(backend="ray", address="local", workers=1))
        began = time.monotonic()
        backend(session.sweep)
        assert time.monotonic() - began < 30, "it did not wait for the grace to run out"
        trials = session.results().record.current
    assert {trial.status for trial in trials} == {"stopped"}
    assert backend.stats.jobs == 1
    assert 0 < backend.stats.inside < backend.stats.busy
    assert 0 < backend.stats.overhead < 1


@pytest.mark.slow
def test_a_free_worker_takes_over_where_a_lost_one_cannot_be_replaced(tmp_path):
    log = tmp_path / "log"
    objective = Questions(log=log, pause=0.1)
    made = study(objective, **{**FIELDS, "space": {"x": [1]}, "baseline": False})
    blockers = []

    def steal_the_place():
        wait_for(lambda: len(evaluations(log)) >= 1)
        wait_for(lambda: ray.available_resources().get("CPU", 0) == 0)
        blockers.append(ray.remote(Blocker).options(num_cpus=1).remote())
        time.sleep(0.2)
        os.kill(min(pids(log)), signal.SIGKILL)

    threading.Thread(target=steal_the_place).start()
    results = raytuner.run(made, tmp_path)
    assert [trial.status for trial in results.record.current] == ["complete"]
    assert len(pids(log)) == 2
    assert ray.get(blockers[0].here.remote()), "the place was taken"
    ray.kill(blockers[0])


class Blocker:
    def here(self):
        return True


class Arrays(Questions):
    def __init__(self, **fields):
        super().__init__(**fields)
        self.table = np.arange(500_000, dtype=np.float64)

    def evaluate(self, params, units, meter):
        shared = not self.table.flags.owndata and not self.table.flags.writeable
        print("I am", dict(params))
        yield [UnitScore(unit, {"hit": float(shared), "loss": self.table[-1]}) for unit in units]


def test_large_arrays_are_shared_by_the_workers_which_log_to_the_run_folder(tmp_path):
    results = raytuner.run(study(Arrays(), **SMALL), tmp_path)
    assert {trial.mean("hit") for trial in results.record.current} == {1.0}
    assert {trial.mean("loss") for trial in results.record.current} == {499_999.0}
    logs = list((tmp_path / "runs/t/logs").glob("worker-*.log"))
    said = [line for path in logs for line in path.read_text().splitlines()]
    assert sorted(said) == sorted(f"I am {dict(t.params)}" for t in results.record.current)


def test_closures_travel_and_what_cannot_is_named():
    factor = 3
    made = {"space": {"x": [1, 2]}, **FIELDS}
    results = raytuner.run(study(lambda params: params["x"] * factor, **made), in_memory=True)
    assert results.best.mean("score") == 6
    broken = Questions()
    broken.clients = {"main": threading.Lock()}
    with pytest.raises(ConfigError, match=r"objective: objective\.clients\['main'\] is a lock"):
        raytuner.run(study(broken, **FIELDS), in_memory=True)
    lock = threading.Lock()
    with pytest.raises(ConfigError, match=r"objective\.function uses lock, which is a lock"):
        raytuner.run(study(lambda p: lock and 1.0, **made), in_memory=True)


def test_a_plugin_that_workers_cannot_import_is_named(tmp_path, monkeypatch):
    (tmp_path / "only_in_the_driver.py").write_text(
        f"import os\nif os.getpid() != {os.getpid()}:\n    raise ImportError('no GPU here')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = study(plugins=["only_in_the_driver"], **FIELDS)
    with pytest.raises(ConfigError, match=r"plugin 'only_in_the_driver' .* no GPU here \(on the"):
        raytuner.run(made, in_memory=True)


@pytest.mark.slow
def test_an_objective_that_workers_cannot_load_is_named(tmp_path, monkeypatch):
    module = tmp_path / "fragile_objective.py"
    module.write_text(
        "from tests.raytuner.probes import Questions\n"
        "class Fragile(Questions):\n"
        "    def __setstate__(self, state):\n        raise RuntimeError('not here')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from fragile_objective import Fragile

    with pytest.raises(ConfigError, match="objective: a Ray worker cannot load it: RuntimeError"):
        raytuner.run(study(Fragile(), **FIELDS), in_memory=True)


def test_too_much_for_any_node_is_said_at_once():
    began = time.monotonic()
    for resources, wanted in (
        ({"cpu": 64}, "resources.cpu: a trial asks for 64, the largest node of the cluster has 2"),
        ({"gpu": 1}, "resources.gpu: a trial asks for 1, the largest node of the cluster has 0"),
        ({"custom": {"tpu": 1}}, "resources.custom.tpu: a trial asks for 1, .* has 0"),
    ):
        with pytest.raises(ConfigError, match=wanted):
            raytuner.run(study(resources=resources, **FIELDS), in_memory=True)
    assert time.monotonic() - began < 5
