"""Trials as tasks of one event loop."""

import asyncio
import itertools
import threading
import time

import pytest

import raytuner
from raytuner.backends import asynchronous
from raytuner.component import ConfigError
from raytuner.journal import JournalFullError
from raytuner.prepare import prepare
from raytuner.results import Results
from raytuner.session import Session
from tests.raytuner.probes import Questions, Waiting, evaluations, recorded, study, table

FIELDS = {"backend": "async", "workers": 4}


@pytest.fixture(scope="module")
def expected():
    return table(raytuner.run(study(), in_memory=True))


def others():
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_arun_gives_the_table_of_any_backend(expected):
    for objective in (Questions(), Waiting()):
        results = await raytuner.arun(study(objective, **FIELDS), in_memory=True)
        assert table(results).equals(expected)
    assert others() == []


async def test_one_failing_sibling_cancels_nobody(tmp_path, expected):
    log = tmp_path / "log"
    objective = Waiting(log=log, faults={2: "raise", 3: "cancel"}, pause=0.01)
    results = await raytuner.arun(study(objective, **FIELDS), tmp_path)
    assert {t.params["x"] for t in results.failed} == {2, 3}
    good = [t for t in results.record.current if t.params["x"] in {1, 4}]
    assert {t.status for t in good} == {"complete"}
    means = expected.set_index("key").hit
    assert all(t.mean("hit") == means[t.key] for t in good)
    assert {t.failure.message for t in results.failed} == {
        "RuntimeError: out of luck (4 units)", "CancelledError (4 units)",
    }  # fmt: skip


async def test_cancelling_leaves_nothing_running_and_keeps_what_was_scored(tmp_path, expected):
    log = tmp_path / "log"
    made = study(Waiting(log=log, pause=0.03), **FIELDS)
    task = asyncio.create_task(raytuner.arun(made, tmp_path))
    while len(evaluations(log)) < 13:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert others() == []
    assert [unit for _, unit in evaluations(log)].count("cancelled") == 4
    known, before = recorded(tmp_path / "runs/t"), len(evaluations(log))
    assert known
    partial = Results.open(tmp_path / "runs/t")
    assert partial.stop_reason == "interrupted"
    assert {t.status for t in partial.record.current} <= {"complete", "stopped"}
    await asyncio.sleep(0.1)
    assert len(evaluations(log)) == before
    results = await raytuner.arun(study(Waiting(log=log), **FIELDS), tmp_path)
    assert known.isdisjoint(evaluations(log)[before:])
    assert table(results).equals(expected)


async def test_a_timeout_around_a_run_works(tmp_path):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await raytuner.arun(study(Waiting(pause=60), **FIELDS), tmp_path)
    assert others() == []
    await raytuner.arun(study(Waiting(), **FIELDS), tmp_path)


async def test_the_loop_is_free_while_trials_wait():
    ticks = []

    async def tick():
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    ticker = asyncio.create_task(tick())
    for objective in (Waiting(pause=0.05, units=2), Questions(pause=0.05, units=2)):
        ticks.clear()
        await raytuner.arun(study(objective, **FIELDS), in_memory=True)
        gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
        assert max(gaps) < 0.3
        assert len(ticks) > 10
    ticker.cancel()


def test_trials_overlap():
    objective = Waiting(pause=0.1, units=1)
    began = time.monotonic()
    raytuner.run(study(objective, backend="async", workers=12), in_memory=True)
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("workers", [16, 40])
def test_many_idle_workers_do_not_starve_the_working_ones(workers, expected):
    results = raytuner.run(
        study(Questions(pause=0.002), backend="async", workers=workers), in_memory=True
    )
    assert table(results).equals(expected)


async def test_two_runs_share_a_loop(tmp_path, expected):
    one, two = await asyncio.gather(
        raytuner.arun(study(Waiting(pause=0.001), **FIELDS), tmp_path / "one"),
        raytuner.arun(study(Waiting(pause=0.001), **FIELDS), tmp_path / "two"),
    )
    assert table(one).equals(expected)
    assert table(two).equals(expected)


async def test_a_full_disk_ends_all_tasks(tmp_path):
    (tmp_path / "runs/t").mkdir(parents=True)
    (tmp_path / "runs/t/journal.jsonl").symlink_to("/dev/full")
    with pytest.raises(JournalFullError, match="the disk is full"):
        await raytuner.arun(study(Waiting(), **FIELDS), tmp_path)
    assert others() == []


def test_a_disk_that_fills_up_under_way_ends_all_tasks(tmp_path, monkeypatch):
    from raytuner.journal import Journal

    append, calls = Journal.append, []

    def fill(self, *events, durable=True):
        calls.append(threading.current_thread().name)
        if len(calls) > 10:
            raise JournalFullError("the disk is full")
        append(self, *events, durable=durable)

    monkeypatch.setattr(Journal, "append", fill)
    with pytest.raises(JournalFullError):
        raytuner.run(study(Waiting(pause=0.001), **FIELDS), tmp_path)
    monkeypatch.undo()
    assert not Results.open(tmp_path / "runs/t").failed


async def test_functions_sync_and_async_side_by_side():
    async def later(params):
        await asyncio.sleep(0.001)
        return {"hit": 1.0 / params["x"]}

    for function in (later, lambda params: {"hit": 1.0 / params["x"]}):
        for results in (
            await raytuner.arun(study(function, **FIELDS), in_memory=True),
            raytuner.run(study(function, **FIELDS), in_memory=True),
            raytuner.run(study(function), in_memory=True),
        ):
            assert results.best.params["x"] == 1
            assert not results.failed


class Stuck(Waiting):
    """Waits for ever at its last question; also where it is cancelled once."""

    async def aevaluate(self, params, units, meter):
        async for batch in super().aevaluate(params, units, meter):
            yield batch
            if params["x"] == 2 and batch[0].unit == "q3":
                await asyncio.sleep(60)


async def test_a_trial_that_hangs_is_ended_and_the_others_stand(tmp_path):
    log = tmp_path / "log"
    made = study(Stuck(log=log), space={"x": [1, 2, 3]}, timeout=0.1, **FIELDS)
    prepared = prepare(made, tmp_path)
    with Session(prepared, None) as session:
        await asynchronous.arun(session.sweep, 3, made.timeout)
        trials = {trial.params["x"]: trial for trial in session.results().record.current}
    assert {x: trial.status for x, trial in trials.items()} == {
        1: "complete",
        2: "complete",
        3: "complete",
    }
    assert [unit for params, unit in evaluations(log) if dict(params)["x"] == 2].count("q3") == 1
    assert others() == []


async def test_what_hangs_for_good_is_a_failure_of_kind_timeout():
    made = study(Waiting(pause=60), space={"x": [1]}, timeout=0.05, **FIELDS)
    with Session(prepare(made, in_memory=True), None) as session:
        await asynchronous.arun(session.sweep, 1, made.timeout)
        trial = session.results().record.current[0]
    assert (trial.status, trial.failure.kind) == ("failed", "timeout")
    assert "timeout of 0.05 seconds" in trial.failure.message


def test_a_timeout_wants_something_that_can_be_ended():
    for objective in (Questions(), lambda params: 1.0):
        with pytest.raises(ConfigError, match="timeout: backend: async can end only objectives"):
            raytuner.run(study(objective, timeout=5, **FIELDS), in_memory=True)
    for backend in ("inprocess", "threads"):
        with pytest.raises(ConfigError, match=f"timeout: backend: {backend} cannot end a trial"):
            raytuner.run(study(backend=backend, timeout=5), in_memory=True)

    async def slow(params):
        await asyncio.sleep(0)
        return params["x"]

    made = study(slow, space={"x": [1, 2]}, timeout=5, **FIELDS)
    assert raytuner.run(made, in_memory=True).best.params == {"x": 2}
