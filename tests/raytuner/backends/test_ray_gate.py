"""The driver's gate for Ray workers, through an actor that may be lost too."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import ray

import raytuner
from raytuner.backends import ray_gate
from raytuner.component import RaytunerError
from tests.raytuner.backends.gate_probes import (
    WORST,
    Calls,
    calls,
    check_equal_calls,
    check_killed_driver,
    check_lost_worker,
    check_race,
    ledgers,
)
from tests.raytuner.backends.local_ray import local_ray
from tests.raytuner.probes import Questions, study, wait_for

FIELDS = {"backend": "ray", "address": "local", "workers": 4}
TUNE = {**FIELDS, "backend": "ray-tune", "workers": 2}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with local_ray(cpus=4):
        yield


def test_workers_that_race_to_a_limit_never_overshoot(tmp_path):
    check_race(FIELDS, tmp_path)


def test_equal_calls_of_workers_are_made_once(tmp_path):
    check_equal_calls(FIELDS, tmp_path)


def test_calls_of_a_worker_that_dies_count_and_hold_nobody_up(tmp_path):
    check_lost_worker({**FIELDS, "workers": 2}, tmp_path)


@pytest.mark.slow
def test_trials_of_tune_share_the_gate(tmp_path):
    check_race(TUNE, tmp_path, limit=0.3)


def run_and_kill(objective, folder, monkeypatch, *, restart):
    """Run a study whose mailbox is killed once some calls are under way."""
    mailboxes = []

    class Watched(ray_gate._Pump):
        def __init__(self, sweep, mailbox):
            super().__init__(sweep, mailbox)
            mailboxes.append(mailbox)

    def kill():
        wait_for(lambda: len(calls(objective.log)) > 20)
        ray.kill(mailboxes[0], no_restart=not restart)

    monkeypatch.setattr(ray_gate, "_Pump", Watched)
    fields = {"space": {"x": list(range(12))}, "budget": {"usd": 5.0}, **FIELDS}
    with ThreadPoolExecutor() as pool:
        killed = pool.submit(kill)
        results = raytuner.run(study(objective, **fields), folder)
        killed.result()
    return results


@pytest.mark.slow
def test_a_lost_mailbox_costs_what_was_under_way(tmp_path, monkeypatch):
    log = tmp_path / "log"
    results = run_and_kill(Calls(log, seconds=0.3), tmp_path, monkeypatch, restart=True)
    assert set(results.trials.status) == {"complete"}
    over = ledgers(tmp_path)[0] / WORST - len(calls(log)) * 0.6
    assert 0.39 <= over <= 16.01  # calls of which nobody could tell whether they were made


@pytest.mark.slow
def test_a_mailbox_that_stays_away_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_gate, "_PAUSES", (0.1, 0.1))
    objective = Calls(tmp_path / "log", seconds=0.3)
    with pytest.raises(RaytunerError, match="could not be started again"):
        run_and_kill(objective, tmp_path, monkeypatch, restart=False)
    assert "could not be started again" in raytuner.Results.open(tmp_path / "runs/t").stop_reason


def test_studies_without_paid_calls_start_no_mailbox(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_gate, "Mailbox", None)
    results = raytuner.run(study(Questions(), space={"x": [1, 2]}, **FIELDS), tmp_path)
    assert set(results.trials.status) == {"complete"}


@pytest.mark.slow
def test_what_was_under_way_when_the_driver_was_killed_counts(tmp_path):
    check_killed_driver({**FIELDS, "workers": 2}, tmp_path)
