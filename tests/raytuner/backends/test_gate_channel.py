"""What a worker and the driver's gate say to each other, without anything that carries it."""

import asyncio

import pytest

from raytuner.backends.gate_channel import Ask, Close, GateServer, RemoteGate
from raytuner.budget import BudgetExhaustedError, Purse, SweepEndingError
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.paying.turnstile import LocalGate
from raytuner.ports.gate import Demand, Limits, Report

KEY = "0" * 32


class Joined:
    """A gate, and workers that reach it within the same loop."""

    def __init__(self, limit=1.0, **more):
        self.purse = Purse(limit)
        self.gate = LocalGate(self.purse, **more)
        self.servers = []

    def worker(self):
        loop = asyncio.get_running_loop()
        remote = RemoteGate(lambda request: loop.call_soon(server.take, [request]))
        server = GateServer(self.gate, lambda answer: loop.call_soon(remote.receive, [answer]))
        self.servers.append(server)
        return remote


def demand(usd=0.1, key="", concurrency=4, **more):
    return Demand("lane", Limits(concurrency=concurrency), usd, 10, key, **more)


async def settled(times=20):
    for _ in range(times):
        await asyncio.sleep(0)


async def test_calls_are_paid_out_of_the_drivers_purse():
    joined = Joined()
    worker = joined.worker()
    permit = await worker.admit(demand())
    assert joined.purse.held[0] == pytest.approx(0.1)
    worker.settle(permit, Report(Cost(0.04)))
    await settled()
    assert joined.purse.spent == pytest.approx(0.04)
    assert joined.purse.held[0] == pytest.approx(0)


async def test_equal_calls_of_two_workers_are_made_once():
    joined = Joined()
    one, other = joined.worker(), joined.worker()
    permit = await one.admit(demand(key=KEY))
    waiting = asyncio.create_task(other.admit(demand(key=KEY)))
    await settled()
    assert not waiting.done()
    one.settle(permit, Report(Cost(0.1), b"answer"))
    assert (await waiting).answer == b"answer"
    other.settle(await waiting, Report())  # an answer needs no settling, and does no harm
    await settled()
    assert joined.purse.spent == pytest.approx(0.1)


async def test_refusals_travel_as_what_they_are():
    joined = Joined(limit=0.05)
    with pytest.raises(BudgetExhaustedError, match=r"the budget of \$0.05 has no room"):
        await joined.worker().admit(demand())
    ending = Joined(cancelled=lambda: True)
    with pytest.raises(SweepEndingError):
        await ending.worker().admit(demand())

    def broken(key):
        raise OSError("the disk is gone")

    with pytest.raises(ObjectiveFailure, match="OSError: the disk is gone") as caught:
        await Joined(recall=broken).worker().admit(demand(key=KEY))
    assert caught.value.failure.kind == "objective"


async def test_a_lost_worker_pays_for_what_it_had_begun_and_holds_nobody_up():
    joined = Joined()
    lost, other = joined.worker(), joined.worker()
    await lost.admit(demand(key=KEY, concurrency=1))
    waiting = asyncio.create_task(lost.admit(demand(concurrency=1)))
    same = asyncio.create_task(other.admit(demand(key=KEY, concurrency=1)))
    await settled()
    joined.servers[0].lose()
    permit = await same
    assert permit.answer is None
    assert joined.purse.spent == pytest.approx(0.1)
    assert joined.purse.held[0] == pytest.approx(0.1)
    joined.servers[0].take([Close(1, Report(Cost(0.0)))])  # too late
    joined.servers[0].take([Ask(3, demand())])
    await settled()
    assert joined.purse.spent == pytest.approx(0.1)
    assert not waiting.done()
    waiting.cancel()


async def test_a_gate_that_is_lost_fails_who_waits_and_who_comes():
    joined = Joined()
    worker = joined.worker()
    await worker.admit(demand(concurrency=1))
    waiting = asyncio.create_task(worker.admit(demand(concurrency=1)))
    await settled()
    worker.lose("gone for a moment", ever=False)
    with pytest.raises(ObjectiveFailure, match="gone for a moment") as caught:
        await waiting
    assert (caught.value.failure.kind, caught.value.failure.retryable) == ("lost_worker", True)
    worker.lose("gone")
    with pytest.raises(ObjectiveFailure, match="gone"):
        await worker.admit(demand())


@pytest.mark.parametrize("ticks", range(8))
async def test_a_call_given_up_costs_nothing_whenever_that_is(ticks):
    joined = Joined()
    worker = joined.worker()
    asking = asyncio.create_task(worker.admit(demand(key=KEY, concurrency=1)))
    await settled(ticks)
    if not asking.done():
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await settled()
        assert joined.purse.held[0] == pytest.approx(0)
        assert joined.purse.spent == 0
    else:
        worker.settle(await asking, Report(Cost(0.0)))
    permit = await asyncio.wait_for(worker.admit(demand(key=KEY, concurrency=1)), 5)
    assert permit.answer is None


async def test_asking_and_giving_up_in_one_message_blocks_nobody():
    joined = Joined()
    answers = []
    server = GateServer(joined.gate, answers.append)
    for number in range(50):
        server.take([Ask(number, demand()), Close(number, Report(Cost(0.0)))])
    server.take([Ask(99, demand())])
    await settled()
    assert [answer.number for answer in answers] == [99]
    assert joined.purse.held[0] == pytest.approx(0.1)


async def test_a_worker_with_many_calls_leaves_room_for_the_others():
    joined = Joined(limit=None)
    first, second = joined.worker(), joined.worker()
    order = []

    async def call(worker, name):
        permit = await worker.admit(demand(concurrency=16))
        order.append(name)
        await asyncio.sleep(0.001)
        worker.settle(permit, Report())

    many = [asyncio.create_task(call(first, "first")) for _ in range(200)]
    await settled(3)
    late = [asyncio.create_task(call(second, "second")) for _ in range(40)]
    await asyncio.gather(*many, *late)
    assert len(order) == 240
    assert order[:120].count("second") == 40
