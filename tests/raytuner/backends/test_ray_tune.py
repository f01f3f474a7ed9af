"""Whole studies under Ray Tune's own controller: equal tables, callbacks, rules, lost workers."""

import os
import threading
import time
from pathlib import Path

import pytest
from ray import tune

import raytuner
from raytuner.backends import Setting, choose
from raytuner.backends.ray_tune import ray_tune_backend
from raytuner.component import ConfigError
from raytuner.objective import UnitScore
from raytuner.prepare import prepare
from raytuner.results import Results
from raytuner.session import Session
from tests.raytuner.backends.faults import check_cost_of_lost_workers
from tests.raytuner.backends.local_ray import local_ray
from tests.raytuner.probes import Questions, evaluations, start, study, table, wait_for

FIELDS = {"backend": "ray-tune", "address": "local", "workers": 2}
SETTING = Setting(backend="ray-tune", address="local", workers=2)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with local_ray():
        yield


class Odd(Questions):
    """Also hangs, leaves the process, and tells what a worker has in its environment."""

    def evaluate(self, params, units, meter):
        fault = self.faults.get(params["x"], "")
        kind = fault.removesuffix("_once")
        plain = Questions(self.log) if kind in {"hang", "leave"} else super()
        for batch in plain.evaluate(params, units, meter):
            yield batch
            if kind == "hang" and self.due(fault, params):
                time.sleep(60)
            if kind == "leave":
                os._exit(7)


class Environment(Questions):
    def evaluate(self, params, units, meter):
        here = {"AWS_SECRET_ACCESS_KEY" in os.environ, "tune" in str(Path.cwd())}
        yield [UnitScore(unit, {"hit": float(here == {False}), "loss": 0.0}) for unit in units]


class Watching(tune.Callback):
    """What a logger of Tune gets to see."""

    def __init__(self):
        self.configs = []
        self.results = []

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.configs.append({name: str(value) for name, value in trial.config.items()})
        self.results.append((trial.trial_id, dict(result)))


class Enough(tune.Stopper):
    def __call__(self, trial_id, result):
        return False

    def stop_all(self):
        return True


def pids(log):
    lines = log.read_text().splitlines()
    return {int(line.rsplit(", ", 1)[1].strip("]")) for line in lines}


def run(made, run_config, folder=None):
    """Run a study with a run config, which no study file has."""
    prepared = prepare(made, folder, in_memory=folder is None)
    with Session(prepared, None) as session:
        ray_tune_backend(SETTING, run_config)(session.sweep)
        return session.results()


def test_the_table_of_any_backend_and_reused_workers(tmp_path, expected, capfd):
    log = tmp_path / "log"
    results = raytuner.run(study(Questions(log=log), **FIELDS), tmp_path)
    assert table(results).equals(expected)
    assert len(pids(log)) <= 3, "12 trials, some two workers"
    assert os.getpid() not in pids(log)
    assert len(evaluations(log)) == 12 * 6
    assert capfd.readouterr().out == "", "Tune's tables are not ours"
    assert table(Results.open(tmp_path / "runs/t")).equals(expected)
    assert list((tmp_path / "runs/t/ray_tune").iterdir()), "Tune's own files"


def test_a_scheduler_pays_for_new_questions_only_and_callbacks_see_running_means(tmp_path):
    log, watching = tmp_path / "log", Watching()
    scheduler = {"kind": "asha", "grace": 2, "reduction": 2}
    made = study(Questions(log=log), scheduler=scheduler, space={"x": [1, 2, 3, 4]})
    results = run(made, {"callbacks": [watching]})
    assert {trial.status for trial in results.record.current} == {"complete", "pruned"}
    asked = evaluations(log)
    assert len(asked) == len(set(asked)) < 4 * 6
    best = results.best
    mine = [
        result
        for config, (_, result) in zip(watching.configs, watching.results, strict=True)
        if config["x"] == str(best.params["x"])
    ]
    assert [result["questions"] for result in mine] == [2, 4, 6]
    assert [result["hit"] for result in mine] == [
        pytest.approx(best.mean("hit", first)) for first in (2, 4, 6)
    ]
    assert len({name for name, _ in watching.results}) > 4, "a promotion is a trial of its own"
    assert {"2 units after 0", "2 units after 2"} <= {c["raytuner.job"] for c in watching.configs}


@pytest.mark.slow
def test_lost_and_hanging_workers_cost_their_batch_only(tmp_path):
    check_cost_of_lost_workers(Odd, FIELDS, tmp_path)


@pytest.mark.parametrize(
    "stop",
    [
        {"questions": 4},
        pytest.param(lambda trial, result: result["questions"] >= 4, marks=pytest.mark.slow),
    ],
)
def test_a_stop_rule_ends_single_trials_and_their_workers_go_on(tmp_path, stop):
    log = tmp_path / "log"
    made = study(Questions(log=log), space={"x": [1, 2, 3]})
    results = run(made, {"stop": stop})
    trials = results.record.current
    assert {trial.status for trial in trials} == {"failed"}
    assert {trial.failure.message for trial in trials} == {
        "ended by `stop` of the run config after 4 of 6 units"
    }
    assert len(evaluations(log)) == 3 * 4, "the next batch was not begun"


@pytest.mark.slow
def test_a_stopper_ends_the_run_which_can_be_resumed(tmp_path, expected):
    made = study(Questions(pause=0.05))
    results = run(made, {"stop": Enough()}, tmp_path)
    assert results.stop_reason == "`stop` of the run config has ended the run"
    resumed = raytuner.run(study(Questions(), **FIELDS), tmp_path)
    assert table(resumed).equals(expected)


@pytest.mark.slow
def test_what_a_callback_raises_ends_the_run_and_nothing_is_lost(tmp_path):
    class Broken(tune.Callback):
        def on_trial_result(self, iteration, trials, trial, result, **info):
            raise OSError("no more quota")

    with pytest.raises(tune.TuneError, match="no more quota"):
        run(study(space={"x": [1, 2]}), {"callbacks": [Broken()]}, tmp_path)
    left = Results.open(tmp_path / "runs/t").record
    missing = [trial.missing() for trial in left.current]
    assert ["q2", "q3", "q4", "q5"] in missing, "of the one that reported first, whichever it was"


@pytest.mark.slow
def test_workers_get_no_credentials_of_the_driver_and_keep_their_folder(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    made = study(Environment(), space={"x": [1]}, **FIELDS)
    results = raytuner.run(made, in_memory=True)
    assert results.best.mean("hit") == 1.0
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "hidden"
    assert "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS" not in os.environ


@pytest.mark.slow
def test_a_cancelled_sweep_ends_between_two_batches(tmp_path):
    log = tmp_path / "log"
    made = study(Questions(log=log, pause=0.05, units=40), space={"x": [1, 2, 3]})
    with Session(prepare(made, in_memory=True), None) as session:

        def end():
            wait_for(lambda: len(evaluations(log)) >= 2)
            session.sweep.cancel("enough")

        threading.Thread(target=end).start()
        choose(SETTING)(session.sweep)
        results = session.results()
    assert {trial.status for trial in results.record.current} == {"stopped"}
    assert results.stop_reason == "enough"
    scored = sum(len(t.units) - len(t.missing()) for t in results.record.current)
    assert 0 < scored < 80


@pytest.mark.parametrize(
    ("setting", "run_config", "message"),
    [
        (Setting(address="ray://host:10001"), {}, "cannot run over ray://host:10001; submit"),
        (SETTING, {"stpo": {}}, "run_config: it has no field 'stpo'.* Did you mean 'stop'"),
        (SETTING, {"failure_config": None}, "no field 'failure_config'"),
        (Setting(address="nowhere"), {}, "address: 'nowhere' is no address"),
    ],
)
def test_what_cannot_work_is_said_before(setting, run_config, message):
    with pytest.raises(ConfigError, match=message):
        ray_tune_backend(setting, run_config)


def test_a_stop_rule_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"run_config\.stop: give a dict of limits"):
        run(study(space={"x": [1]}), {"stop": 3})


@pytest.mark.slow
def test_a_plugin_that_workers_cannot_import_is_named(tmp_path, monkeypatch):
    (tmp_path / "driver_only_too.py").write_text(
        f"import os\nif os.getpid() != {os.getpid()}:\n    raise ImportError('no GPU here')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    made = study(plugins=["driver_only_too"], space={"x": [1]}, **FIELDS)
    with pytest.raises(ConfigError, match=r"plugin 'driver_only_too' .* no GPU here"):
        raytuner.run(made, in_memory=True)


@pytest.mark.slow
def test_ctrl_c_ends_in_order_and_the_study_resumes(tmp_path, expected):
    log = tmp_path / "log"
    process = start(tmp_path, {"log": str(log), "pause": 0.1}, **FIELDS)
    wait_for(lambda: len(evaluations(log)) >= 10, seconds=90)
    os.kill(process.pid, 2)
    out, err = process.communicate(timeout=60)
    assert "interrupted" in out, err
    before = len(evaluations(log))
    assert before < 72
    resumed = raytuner.run(study(Questions(log=log), **FIELDS), tmp_path)
    assert table(resumed).equals(expected)
    assert len(evaluations(log)) <= 72 + 2 * 2, "at most the batches that were running"
