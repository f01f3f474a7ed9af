"""How a job ends that is cut short: by recording, cancellation, or for want of money."""

import asyncio
import threading

import pytest

from raytuner.budget import Purse
from raytuner.journal import JournalFullError
from raytuner.meter import WorkMeter
from raytuner.objective import Cost, Failure, Objective, UnitScore
from raytuner.worker import Job, Patience, arun_job, run_job

UNITS = ("a", "b", "c", "d")


class Script(Objective):
    """Plays one function per attempt; each gives batches from (units, meter)."""

    def __init__(self, *attempts):
        self.attempts = list(attempts)
        self.asked = []

    def units(self):
        return UNITS

    def key(self, params):
        return "k"

    def evaluate(self, params, units, meter):
        self.asked.append(tuple(units))
        return iter(self.attempts[min(len(self.asked), len(self.attempts)) - 1](units, meter))


class Closing(Script):
    """Gives its batches as a generator and notes that it was closed."""

    closed = False

    def evaluate(self, params, units, meter):
        try:
            yield from super().evaluate(params, units, meter)
        finally:
            self.closed = True

    async def aevaluate(self, params, units, meter):
        try:
            for batch in super().evaluate(params, units, meter):
                await asyncio.sleep(0)
                yield batch
        finally:
            self.closed = True


def good(units, meter):
    return [[UnitScore(unit, {"hit": 1.0})] for unit in units]


def fails(*bad, kind="rate_limit", retryable=True):
    def attempt(units, meter):
        failure = Failure(kind, "no", retryable)
        for unit in units:
            if unit in bad:
                yield [UnitScore(unit, {}, Cost(0.25, calls=1), 1.0, failure)]
            else:
                yield [UnitScore(unit, {"hit": 1.0}, Cost(0.5, calls=1))]

    return attempt


def raises(error, after=0):
    def attempt(units, meter):
        yield from good(units[:after], meter)
        raise error

    return attempt


@pytest.fixture(params=["sync", "async"])
def play(request):
    """Run a job on either boundary; give its end and the batches that were emitted."""

    def run(objective, *, retries=2, wait=0.0, meter=None, emit=None, units=UNITS):
        batches = []

        def keep(batch):
            assert batch, "nothing is emitted in vain"
            batches.append([(s.unit, s.scores.get("hit"), s.failure) for s in batch])
            scores.extend(batch)

        scores = []
        job = Job("k", {}, units, Patience(retries, wait))
        arguments = (objective, job, emit or keep, meter or WorkMeter())
        if request.param == "sync":
            ended = run_job(*arguments)
        else:
            ended = asyncio.run(arun_job(*arguments))
        return ended, batches, scores

    return run


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
