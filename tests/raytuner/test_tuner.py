"""Whole runs: crashes, interrupts, budgets, growth, baselines, and equal tables everywhere."""

import json
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.journal import Journal, JournalError, JournalFullError, read
from raytuner.results import Results
from raytuner.tuner import prepare
from tests.raytuner.probes import (
    SPACE,
    Questions,
    Waiting,
    evaluations,
    group_is_gone,
    recorded,
    start,
    study,
    table,
    wait_for,
)

BACKENDS = {
    "inprocess": {"backend": "inprocess"},
    "threads": {"backend": "threads", "workers": 3},
    "processes": {"backend": "processes", "workers": 2},
    "async": {"backend": "async", "workers": 3},
}
SIZE = 12 * 6


@pytest.fixture(scope="module")
def expected():
    return table(raytuner.run(study(), in_memory=True))


def same(left, right):
    pd.testing.assert_frame_equal(left, right, check_exact=True)


# ---- crashes


@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_repeats_nothing_and_changes_nothing(tmp_path, backend, expected):
    log = tmp_path / "log"
    objective = {"log": str(log), "pause": 0.004}
    for moment in (1, 20, 45):
        process = start(tmp_path, objective, **BACKENDS[backend])
        wait_for(lambda moment=moment: len(evaluations(log)) >= moment)
        process.kill()
        process.communicate()
        wait_for(lambda process=process: group_is_gone(process))  # workers end their batch
        known = recorded(tmp_path / "runs/t")
        before = len(evaluations(log))
        if moment == 45:
            assert known
        results = None
        if moment == 45:
            done = study(Questions(log=log), **BACKENDS["inprocess"])
            results = raytuner.run(done, tmp_path)
            assert not known & set(evaluations(log)[before:])
            same(table(results), expected)
    assert recorded(tmp_path / "runs/t") == set(evaluations(log))
    assert len(evaluations(log)) < SIZE + 3 * 3 * 2 + 1  # what was in flight, three times


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_kill_9_at_many_moments(tmp_path, backend, expected):
    log = tmp_path / "log"
    for _ in range(40):
        before, known = len(evaluations(log)), set()
        if (tmp_path / "runs/t/journal.jsonl").exists():
            known = recorded(tmp_path / "runs/t")
        process = start(tmp_path, {"log": str(log), "pause": 0.002}, **BACKENDS[backend])
        wait_for(lambda b=before, p=process: len(evaluations(log)) > b + 3 or p.poll() is not None)
        ended = process.poll() is not None
        process.kill()
        process.communicate()
        wait_for(lambda p=process: group_is_gone(p))
        assert not known & set(evaluations(log)[before:])
        if ended:
            break
    else:
        pytest.fail("it never ended")
    same(table(tmp_path / "runs/t"), expected)


def test_finished_run_is_not_run_again(tmp_path, expected):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log)), tmp_path)
    size = (tmp_path / "runs/t/journal.jsonl").stat().st_size
    again = raytuner.run(study(Questions(log=log)), tmp_path)
    assert len(evaluations(log)) == SIZE
    same(table(again), expected)
    same(table(tmp_path / "runs/t"), expected)
    assert (tmp_path / "runs/t/journal.jsonl").stat().st_size < size + 1500  # two lines more
    assert again.work == {}


def test_torn_journal_is_completed(tmp_path, expected):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log)), tmp_path)
    path = tmp_path / "runs/t/journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    known = recorded(path.parent)
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert not known & set(evaluations(log)[SIZE:])
    same(table(results), expected)
    same(table(path.parent), expected)


# ---- interrupts


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_ends_in_order(tmp_path, backend, expected):
    log = tmp_path / "log"
    objective = {"log": str(log), "pause": 0.02}
    process = start(tmp_path, objective, **BACKENDS[backend])
    wait_for(lambda: len(evaluations(log)) >= 12)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert out == "interrupted\n", err
    assert "Traceback" not in err
    wait_for(lambda: group_is_gone(process), 5)
    assert read(tmp_path / "runs/t/journal.jsonl")[0][-1]["reason"] == "interrupted"
    partial = Results.open(tmp_path / "runs/t")
    assert partial.stop_reason == "interrupted"
    assert {t.status for t in partial.record.current} <= {"complete", "stopped"}
    known, before = recorded(tmp_path / "runs/t"), len(evaluations(log))
    assert known
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert not known & set(evaluations(log)[before:])
    same(table(results), expected)


def test_ctrl_c_loses_no_batch_where_workers_can_end_it(tmp_path):
    for backend in ("threads", "processes"):
        root = tmp_path / backend
        root.mkdir()
        process = start(root, {"log": str(root / "log"), "pause": 0.05}, **BACKENDS[backend])
        wait_for(lambda root=root: len(evaluations(root / "log")) >= 9)
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=20)[0] == "interrupted\n"
        assert set(evaluations(root / "log")) == recorded(root / "runs/t")


def test_ctrl_c_cancels_coroutines_at_once(tmp_path):
    log = tmp_path / "log"
    objective = {"log": str(log), "pause": 60, "class": "waiting"}
    process = start(tmp_path, objective, backend="async", workers=3)
    wait_for(lambda: len(evaluations(log)) == 3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=5)[0] == "interrupted\n"
    assert [unit for _, unit in evaluations(log)[3:]] == ["cancelled"] * 3


# ---- one table everywhere


@pytest.mark.parametrize("backend", ["threads", "processes", "async"])
def test_backends_give_equal_tables(backend, expected):
    results = raytuner.run(study(**BACKENDS[backend]), in_memory=True)
    same(table(results), expected)
    assert results.work["questions"] == SIZE
    order = ["trial", "unit", "metric"]
    one = raytuner.run(study(), in_memory=True).scores.sort_values(order, ignore_index=True)
    same(results.scores.sort_values(order, ignore_index=True), one)


def test_equal_tables_with_a_random_search(tmp_path):
    fields = {"space": {"x": {"int": [1, 50]}, "y": {"float": [0.0, 1.0]}},
              "search": {"kind": "random", "samples": 10}, "seed": 3}  # fmt: skip
    one = table(raytuner.run(study(**fields), in_memory=True))
    two = table(raytuner.run(study(**fields, **BACKENDS["threads"]), in_memory=True))
    three = table(raytuner.run(study(**{**fields, "seed": 4}), in_memory=True))
    same(one, two)
    assert set(one.key).isdisjoint(three.key)
    assert sorted(one.trial) == list(range(10))


@pytest.mark.parametrize("backend", BACKENDS)
async def test_run_inside_a_running_event_loop(backend, expected):
    same(table(raytuner.run(study(**BACKENDS[backend]), in_memory=True)), expected)


async def test_arun(expected):
    results = await raytuner.arun(study(Waiting(), workers=4), in_memory=True)
    same(table(results), expected)


# ---- failures


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_failing_trial_leaves_the_others(tmp_path, backend, expected):
    objective = Questions(log=tmp_path / "log", faults={2: "raise"})
    results = raytuner.run(study(objective, **BACKENDS[backend]), tmp_path)
    frame = table(results)
    failed = frame[frame.x == 2]
    assert set(failed.status) == {"failed"}
    assert failed.hit.isna().all()
    assert set(failed.failure) == {"objective: RuntimeError: out of luck (4 units)"}
    assert set(failed.answered) == {2}
    stand = frame[frame.x != 2].drop(columns="failure").reset_index(drop=True)
    same(stand, expected[expected.x != 2].drop(columns="failure").reset_index(drop=True))
    assert len(results.failed) == 3
    same(table(tmp_path / "runs/t"), frame)


def test_failed_units_are_tried_again_by_the_next_run_and_scores_stand(tmp_path, expected):
    log = tmp_path / "log"
    raytuner.run(study(Questions(log=log, faults={2: "raise"})), tmp_path)
    known, before = recorded(tmp_path / "runs/t"), len(evaluations(log))
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert set(evaluations(log)[before:]).isdisjoint(known)
    same(table(results), expected)


def test_all_trials_failing_is_a_result():
    faults = dict.fromkeys(SPACE["x"], "nan")
    results = raytuner.run(study(Questions(faults=faults)), in_memory=True)
    assert results.best is None
    assert results.ranked[0].status == "failed"
    assert results.contenders() == []
    assert results.trials.hit.isna().all()


# ---- one driver


def test_second_driver_is_refused_naming_the_first(tmp_path):
    process = start(tmp_path, {"log": str(tmp_path / "log"), "pause": 0.5})
    wait_for(lambda: evaluations(tmp_path / "log"))
    with pytest.raises(JournalError, match=rf"t is in use by process {process.pid} on "):
        raytuner.run(study(), tmp_path)
    assert Results.open(tmp_path / "runs/t").best is None  # readers are welcome
    process.kill()
    process.communicate()
    with Opened(tmp_path / "runs/t"), pytest.raises(JournalError, match=f"process {os.getpid()} "):
        raytuner.run(study(), tmp_path)


class Opened:
    def __init__(self, folder):
        self.journal = Journal(folder)

    def __enter__(self):
        return self.journal

    def __exit__(self, *error):
        self.journal.close()


# ---- disks


@pytest.mark.parametrize("backend", BACKENDS)
def test_full_disk_from_the_start(tmp_path, backend):
    (tmp_path / "runs/t").mkdir(parents=True)
    (tmp_path / "runs/t/journal.jsonl").symlink_to("/dev/full")
    for _ in range(2):  # the lock is given back
        with pytest.raises(JournalFullError, match="the disk is full .* what is recorded stands"):
            raytuner.run(study(**BACKENDS[backend]), tmp_path)


FULL = """
import json, resource, sys
from tests.raytuner.probes import drive
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
drive(*json.loads(sys.argv[1]))
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_disk_that_fills_up(tmp_path, backend, expected):
    import subprocess
    import sys

    log = tmp_path / "log"
    log.symlink_to("/dev/null")
    fields = {"budget": {"trials": 1000}, **BACKENDS[backend]}
    given = json.dumps([str(tmp_path), {"pause": 0.001}, fields])
    ran = subprocess.run(
        [sys.executable, "-c", FULL, given],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.stdout.startswith("JournalFullError"), (ran.stdout, ran.stderr)
    assert "free some space and run the same command again" in ran.stdout
    events, _ = read(tmp_path / "runs/t/journal.jsonl")
    assert not [e for e in events if e["event"] == "ended" and e["failure"]]
    assert [e for e in events if e["event"] == "units"]
    known = recorded(tmp_path / "runs/t")
    log = tmp_path / "log2"
    results = raytuner.run(study(Questions(log=log)), tmp_path)
    assert known.isdisjoint(evaluations(log))
    same(table(results), expected)


# ---- budgets


@pytest.mark.parametrize("backend", BACKENDS)
def test_budget_of_trials_stops_in_order_and_a_larger_one_goes_on(tmp_path, backend, expected):
    log = tmp_path / "log"
    where = BACKENDS[backend]
    first = study(Questions(log=log), budget={"trials": 5}, **where)
    results = raytuner.run(first, tmp_path)
    assert results.stop_reason == "the budget of 5 trials is used"
    assert Results.open(tmp_path / "runs/t").stop_reason == results.stop_reason
    assert [t.status for t in results.record.current] == ["complete"] * 5
    again = raytuner.run(first, tmp_path)
    assert again.stop_reason == results.stop_reason
    assert len(evaluations(log)) == 5 * 6
    results = raytuner.run(study(Questions(log=log), budget={"trials": 12}, **where), tmp_path)
    assert results.stop_reason is None  # exactly the grid: nothing was left
    assert len(evaluations(log)) == SIZE
    same(table(results), expected)


def test_budget_of_the_grid_is_enough_with_duplicates_and_baseline():
    base = {"x": 4, "y": "c"}  # the last point of the grid
    results = raytuner.run(study(Questions(base=base), budget={"trials": 11}), in_memory=True)
    assert results.stop_reason is None
    assert len(results.trials) == 12
    same_key = Merged(base=None)
    results = raytuner.run(study(same_key, budget={"trials": 4}), in_memory=True)
    assert results.stop_reason is None
    assert len(results.trials) == 4


class Merged(Questions):
    """Does not look at y."""

    def key(self, params):
        return super().key({"x": params["x"]})


def test_duplicate_keys_are_evaluated_once(tmp_path):
    log = tmp_path / "log"
    for backend in ("inprocess", "threads"):
        log.unlink(missing_ok=True)
        results = raytuner.run(study(Merged(log=log), **BACKENDS[backend]), in_memory=True)
        assert len(evaluations(log)) == 4 * 6
        assert list(results.trials.sort_values("trial").trial) == [0, 1, 2, 3]
        assert set(results.trials.y) == {"a"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_budget_of_seconds_stops_within_a_trial(tmp_path, backend, expected):
    objective = Questions(pause=0.05, units=200)
    began = time.monotonic()
    fields = {"budget": {"seconds": 0.6}, **BACKENDS[backend]}
    results = raytuner.run(study(objective, **fields), tmp_path)
    assert time.monotonic() - began < 8
    assert results.stop_reason == "the budget of 0.6 seconds is used"
    assert set(results.trials.status) == {"stopped"}
    answered = results.trials.answered.sum()
    again = raytuner.run(study(objective, **fields), tmp_path)
    assert again.stop_reason == results.stop_reason
    assert again.trials.answered.sum() == answered  # all sessions count
    fields["budget"] = {"seconds": 1.5 + results.record.seconds}
    more = raytuner.run(study(objective, **fields), tmp_path)
    assert more.trials.answered.sum() > answered


def test_seconds_that_suffice_stop_nothing():
    results = raytuner.run(study(budget={"seconds": 60}), in_memory=True)
    assert results.stop_reason is None


class Paying(Questions):
    def evaluate(self, params, units, meter):
        for unit in units:
            meter.reserve(0.01)
            cost = raytuner.objective.Cost(usd=0.01, calls=1)
            meter.settle(0.01, cost)
            score = raytuner.UnitScore(unit, {"hit": 1.0, "loss": 0.0}, cost)
            yield [score]


@pytest.mark.parametrize("backend", ["inprocess", "threads", "async"])
def test_budget_of_dollars_is_never_overshot_and_ends_the_sweep(tmp_path, backend):
    fields = {"budget": {"usd": 0.2}, **BACKENDS[backend]}
    results = raytuner.run(study(Paying(), **fields), tmp_path)
    assert "budget" in results.stop_reason
    assert results.record.cost.usd == pytest.approx(0.2)
    assert not results.failed
    assert (results.trials.status == "complete").any() or backend != "inprocess"
    again = raytuner.run(study(Paying(), **fields), tmp_path)
    assert again.record.cost.usd == pytest.approx(0.2)
    fields["budget"] = {"usd": 0.73}
    done = raytuner.run(study(Paying(), **fields), tmp_path)
    assert done.stop_reason is None
    assert done.record.cost.usd == pytest.approx(0.72)


# ---- growth and baseline


def test_widened_grid_reuses_what_stands(tmp_path, expected):
    log = tmp_path / "log"
    narrow = {"x": [2, 3], "y": ["b"]}
    raytuner.run(study(Questions(log=log), space=narrow), tmp_path)
    assert len(evaluations(log)) == 12
    wide = raytuner.run(study(Questions(log=log)), tmp_path)
    assert len(evaluations(log)) == SIZE
    same(table(wide), expected)
    back = raytuner.run(study(Questions(log=log), space=narrow), tmp_path)
    assert len(evaluations(log)) == SIZE
    assert sorted(back.trials.trial) == [0, 1]
    other = raytuner.run(study(Questions(log=log, scope="other data")), tmp_path)
    assert len(evaluations(log)) == 2 * SIZE
    assert len(other.trials) == 12


def test_baseline_is_trial_0_outside_and_inside_the_grid(tmp_path):
    log = tmp_path / "log"
    outside = {"x": 9, "y": "z"}
    results = raytuner.run(study(Questions(log=log, base=outside)), tmp_path)
    assert results.baseline.number == 0
    assert results.baseline.params == outside
    assert len(results.trials) == 13
    inside = study(Questions(log=log, base={"y": "b", "x": 3}), name="u")
    assert not prepare(inside, tmp_path).extra_baseline
    results = raytuner.run(inside, tmp_path)
    assert results.baseline.params == {"x": 3, "y": "b"}
    assert results.baseline.number == 0
    assert sorted(results.trials.trial) == list(range(12))
    assert results.trials.baseline.sum() == 1
    assert len(evaluations(log)) == 13 * 6 + SIZE
    without = raytuner.run(study(Questions(base=outside), baseline=False), in_memory=True)
    assert without.baseline is None
    assert len(without.trials) == 12


def test_baseline_with_inactive_parameters_merges():
    space = {"x": [1, 2], "y": {"choice": ["a", "b"], "when": {"x": 1}}}
    base = {"x": 2, "y": "a"}
    results = raytuner.run(study(Questions(base=base), space=space), in_memory=True)
    assert len(results.trials) == 3
    assert results.baseline.params == {"x": 2}


def test_baseline_that_cannot_run_is_a_failure():
    objective = Questions(base={"x": 9, "y": "a"}, faults={9: "refuse"})
    results = raytuner.run(study(objective, budget={"trials": 12}), in_memory=True)
    assert results.baseline.failure.kind == "config"
    assert results.baseline.number == 0
    assert (results.trials.status == "complete").sum() == 12
    assert results.stop_reason is None


# ---- checks before work


def test_metric_that_nothing_measures_is_said_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"metric: 'hits' is not .* hit, loss\. Did you mean 'hi"):
        prepare(study(metric="hits"))

    calls = []

    def function(params):
        calls.append(params)
        return {"recall": 0.5}

    with pytest.raises(ConfigError, match=r"'recal' is not measured; .* recall\. Did you mean"):
        raytuner.run(study(function, metric="recal"), tmp_path)
    assert len(calls) == 1
    results = raytuner.run(study(function, metric="recall"), tmp_path)
    assert results.best is not None
    assert not (tmp_path / "runs/t/journal.lock").read_text() == ""


def test_minimised_metric():
    results = raytuner.run(study(metric="loss"), in_memory=True)
    assert results.best.mean("loss") == results.trials.loss.min()
    assert list(results.trials.loss) == sorted(results.trials.loss)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"space": {"x": [1], "status": [1, 2]}}, "space: status: the trial table has a column"),
        ({"space": {"x": {"float": [0, 1]}}, "search": "random"}, "budget: this search never ends"),
        ({"backend": "processes", "budget": {"usd": 1}}, "backend: processes cannot share"),
        ({"objective": Questions(units=0)}, "objective: there is nothing to score"),
        ({"objective": Questions(faults={3: "refuse"})}, "space: x: 3 is too much"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(tmp_path, fields, message):
    given = {"objective": Questions(), **fields}
    with pytest.raises(ConfigError, match=message):
        prepare(study(**given), tmp_path)
    assert not (tmp_path / "runs").exists()


def test_run_folder_that_cannot_be(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(ConfigError, match=r"run folder .*runs/t cannot be created: Not a dir"):
        raytuner.run(study(), tmp_path)


def test_journal_tells_what_ran(tmp_path):
    raytuner.run(study(), tmp_path)
    opened = read(tmp_path / "runs/t/journal.jsonl")[0][0]
    assert opened["schema"] == 1
    assert opened["config"]["space"] == SPACE
    assert opened["parameters"] == ["x", "y"]
    assert opened["raytuner"] == raytuner.__version__


def test_thousands_of_tiny_trials_stay_small():
    import tracemalloc

    space = {"x": {"int": [1, 3000]}}
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    results = raytuner.run(study(lambda p: 1.0 / p["x"], space=space), in_memory=True)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert results.best.params == {"x": 1}
    assert grown < 3000 * 8_000
