"""How a job ends that is cut short: by recording, cancellation, or for want of money."""

import asyncio
import threading

import pytest

from raytuner.budget import Purse
from raytuner.journal import JournalFullError
from raytuner.meter import WorkMeter
from raytuner.objective import Cost, UnitScore
from raytuner.worker import Job, Patience, arun_job
from tests.raytuner.worker_probes import UNITS, Closing, Script, fails, good


@pytest.mark.parametrize("error", [JournalFullError("full"), OSError(5, "EIO"), TimeoutError("t")])
def test_errors_of_recording_are_not_the_objectives(play, error):
    objective = Closing(good)

    def emit(batch):
        raise error

    with pytest.raises(type(error)) as caught:
        play(objective, emit=emit)
    assert caught.value is error
    assert objective.asked == [UNITS]
    assert objective.closed


def test_cancellation_ends_after_the_batch(play):
    cancel = threading.Event()
    objective = Closing(good)
    kept = []

    def emit(batch):
        kept.extend(batch)
        cancel.set()

    ended, _, _ = play(objective, emit=emit, meter=WorkMeter(cancel=cancel))
    assert [score.unit for score in kept] == ["a"]
    assert (ended.status, ended.failure) == ("stopped", None)
    assert objective.closed


def test_nothing_begins_after_cancellation(play):
    cancel = threading.Event()
    cancel.set()
    objective = Closing(good)
    ended, _, _ = play(objective, meter=WorkMeter(cancel=cancel))
    assert (objective.asked, ended.status) == ([], "stopped")


def test_waiting_to_retry_ends_with_the_sweep(play):
    cancel = threading.Event()
    objective = Closing(fails("b"))
    timer = threading.Timer(0.1, cancel.set)
    timer.start()
    ended, batches, _ = play(objective, wait=60, meter=WorkMeter(cancel=cancel))
    assert objective.asked == [UNITS]
    assert ended.status == "stopped"
    assert all(failure is None for batch in batches for *_, failure in batch)


def test_no_room_in_the_budget_stops_without_a_failure(play):
    def attempt(units, meter):
        for unit in units:
            meter.reserve(0.4)
            meter.settle(0.4, Cost(0.4))
            yield [UnitScore(unit, {"hit": 1.0}, Cost(0.4))]

    ended, batches, _ = play(Closing(attempt), meter=WorkMeter(Purse(1.0)))
    assert len(batches) == 2
    assert (ended.status, ended.failure) == ("stopped", None)


def test_no_units_no_work(play):
    objective = Closing(good)
    ended, _, _ = play(objective, units=())
    assert (objective.asked, ended.status) == ([], "complete")


def test_counts_and_stages_are_handed_over(play):
    def attempt(units, meter):
        with meter.stage("work"):
            meter.count("texts", 3)
        yield from good(units, meter)

    ended, _, _ = play(Closing(attempt))
    assert ended.counts == {"texts": 3}
    assert set(ended.stages) == {"work"}


def test_sync_objectives_run_beside_the_loop():
    async def both():
        ticks = []

        async def tick():
            for _ in range(5):
                ticks.append(1)
                await asyncio.sleep(0.01)

        def attempt(units, meter):
            threading.Event().wait(0.2)
            return good(units, meter)

        job = Job("k", {}, UNITS)
        ended, _ = await asyncio.gather(
            arun_job(Script(attempt), job, lambda batch: None, WorkMeter()), tick()
        )
        return ended.status, len(ticks)

    assert asyncio.run(both()) == ("complete", 5)


async def test_being_cancelled_is_not_a_failure():
    class Endless(Script):
        async def aevaluate(self, params, units, meter):
            await asyncio.sleep(60)
            yield []

    task = asyncio.create_task(
        arun_job(Endless(), Job("k", {}, UNITS), lambda batch: None, WorkMeter())
    )
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_delays_double_and_are_capped():
    assert [Patience(9, 1.0, 10.0).delay(n) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert Patience(base=0).delay(50) == 0
