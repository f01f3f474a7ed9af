"""Trials in a loop and in threads."""

import threading
import time
from typing import ClassVar

import pytest

import raytuner
from raytuner.objective import UnitScore
from tests.raytuner.probes import Questions, evaluations, study, table

FIELDS = {"inprocess": {"workers": 1}, "threads": {"backend": "threads", "workers": 3}}


@pytest.mark.parametrize("backend", FIELDS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("nan", "objective"), ("inf", "objective"), ("none", "objective"), ("text", "objective"),
        ("huge", "objective"), ("empty", "objective"), ("null", "objective"),
        ("raise", "objective"), ("exit", "objective"), ("cancel", "objective"),
        ("config", "config"), ("memory", "out_of_memory"), ("timeout", "timeout"),
        ("provider", "provider"), ("rate_limit", "rate_limit"),
    ],
)  # fmt: skip
def test_failures_are_data_of_their_kind(tmp_path, backend, fault, kind):
    log = tmp_path / "log"
    objective = Questions(log=log, faults={2: fault})
    results = raytuner.run(study(objective, **FIELDS[backend]), tmp_path)
    assert {trial.failure.kind for trial in results.failed} == {kind}
    assert len(results.failed) == 3
    for trial in results.record.current:
        bad = trial.params["x"] == 2
        assert trial.status == ("failed" if bad else "complete")
        assert ("q2" in trial.missing()) == bad
        assert (trial.mean("hit") is None) == bad
    retryable = kind in {"timeout", "provider", "rate_limit"}
    tries = [pair for pair in evaluations(log) if pair == ((("x", 2), ("y", "a")), "q2")]
    assert len(tries) == (3 if retryable else 1)


@pytest.mark.parametrize("backend", FIELDS)
def test_passing_failures_are_retried_and_leave_no_trace(tmp_path, backend):
    log = tmp_path / "log"
    objective = Questions(log=log, faults={2: "rate_limit_once", 3: "timeout_once"})
    results = raytuner.run(study(objective, **FIELDS[backend]), in_memory=True)
    clean = table(raytuner.run(study(), in_memory=True))
    assert table(results).drop(columns="usd").equals(clean.drop(columns="usd"))
    assert results.record.cost.usd == 3 * 0.5  # what the failed calls cost
    assert results.work["units retried"] > 0


def test_threads_work_at_the_same_time_and_the_loop_in_the_calling_thread():
    class Where(Questions):
        seen: ClassVar = []
        gate = threading.Barrier(3, timeout=10)

        def evaluate(self, params, units, meter):
            if threading.current_thread() is not threading.main_thread():
                self.gate.wait()
            self.seen.append(threading.current_thread())
            yield from super().evaluate(params, units, meter)

    raytuner.run(study(Where(), **FIELDS["threads"]), in_memory=True)
    assert len(set(Where.seen)) == 3
    Where.seen.clear()
    raytuner.run(study(Where()), in_memory=True)
    assert set(Where.seen) == {threading.current_thread()}
    workers = [t for t in threading.enumerate() if t.name.startswith("raytuner-")]
    kept = {"raytuner-calls", "raytuner-functions"}  # the process has them for good
    workers = [t for t in workers if t.name not in kept]
    assert not [t for t in workers if not t.join(1) and t.is_alive()]


@pytest.mark.parametrize("backend", FIELDS)
def test_an_error_that_is_no_exception_ends_the_run_in_order(tmp_path, backend):
    class Stops(Questions):
        def evaluate(self, params, units, meter):
            if params == {"x": 2, "y": "a"}:
                raise KeyboardInterrupt
            yield from super().evaluate(params, units, meter)

    with pytest.raises(KeyboardInterrupt):
        raytuner.run(study(Stops(), **FIELDS[backend]), tmp_path)
    results = raytuner.results.Results.open(tmp_path / "runs/t")
    assert results.stop_reason == "interrupted"
    assert {trial.status for trial in results.record.current} <= {"complete", "stopped"}
    raytuner.run(study(), tmp_path)


def test_workers_without_a_job_wait_without_spinning():
    class Slow(Questions):
        def evaluate(self, params, units, meter):
            time.sleep(0.6)
            yield [UnitScore(unit, {"hit": 1.0, "loss": 0.0}) for unit in units]

    began = time.process_time()
    fields = {"backend": "threads", "workers": 8, "space": {"x": [1], "y": ["a"]}}
    raytuner.run(study(Slow(), **fields), in_memory=True)
    assert time.process_time() - began < 0.3


def test_generators_are_closed_when_a_run_is_cut(tmp_path):
    closed = []

    class Closes(Questions):
        def evaluate(self, params, units, meter):
            try:
                yield from super().evaluate(params, units, meter)
            finally:
                closed.append(dict(params))

    made = study(Closes(pause=0.05, units=20), budget={"seconds": 0.2}, **FIELDS["threads"])
    results = raytuner.run(made, in_memory=True)
    assert "seconds" in results.stop_reason
    assert len(closed) == 3
