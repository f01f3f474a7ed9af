"""Queries wait their turn: together where that is cheaper, alone after a crash, never too many."""

import asyncio

import pytest

from raytuner.answering import Query
from raytuner.component import ConfigError
from raytuner.desk import MOST_TOGETHER, BusyError, Desk, RefusedError
from raytuner.objective import ObjectiveFailure
from tests.raytuner.serving.probes import Echo


@pytest.fixture
def echo():
    answerer = Echo()
    yield answerer
    answerer.release.set()


def desk_of(answerer, concurrency=64, waiting=64):
    return Desk(answerer, concurrency=concurrency, waiting=waiting)


async def outcomes(desk, texts):
    return await asyncio.gather(*(desk.ask(Query(t)) for t in texts), return_exceptions=True)


async def test_queries_that_come_together_are_searched_for_together(echo):
    texts = [str(n) for n in range(2 * MOST_TOGETHER)]
    found = await outcomes(desk_of(echo), texts)
    assert [one.answer for one in found] == [f"echo {text}" for text in texts]
    assert [len(batch) for batch in echo.batches] == [1, MOST_TOGETHER, MOST_TOGETHER - 1]


async def test_while_models_are_awaited_others_are_searched_for(echo):
    desk = desk_of(echo)
    held = asyncio.create_task(desk.ask(Query("HOLD")))
    await asyncio.sleep(0)
    assert (await desk.ask(Query("b"))).answer == "echo b"
    assert not held.done()
    echo.release.set()
    assert (await held).answer == "echo HOLD"


async def test_those_that_were_with_one_that_breaks_are_tried_alone(echo):
    desk = desk_of(echo)
    found = await outcomes(desk, ["a", "b", "BREAK", "DOWN", "LOST", "c"])
    assert [getattr(one, "answer", type(one)) for one in found] == [
        "echo a", "echo b", ZeroDivisionError, ObjectiveFailure, ObjectiveFailure, "echo c",
    ]  # fmt: skip
    assert [len(batch) for batch in echo.batches] == [1, 5, 1, 1, 1, 1, 1]
    assert (await outcomes(desk, ["d"]))[0].answer == "echo d"


async def test_no_more_are_taken_than_it_can_bear(echo):
    desk = desk_of(echo, concurrency=2, waiting=3)
    tasks = [asyncio.create_task(desk.ask(Query(f"HOLD {n}"))) for n in range(7)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    busy = [task for task in tasks if task.done()]
    assert len(busy) == 2
    assert all(isinstance(task.exception(), BusyError) for task in busy)
    echo.release.set()
    kept = await asyncio.gather(*(task for task in tasks if task not in busy))
    assert [one.answer for one in kept] == [f"echo HOLD {n}" for n in range(5)]
    assert max(map(len, echo.batches)) <= 2


async def test_who_leaves_the_queue_is_not_worked_for(echo):
    desk = desk_of(echo, concurrency=1, waiting=5)
    held = asyncio.create_task(desk.ask(Query("HOLD")))
    left = asyncio.create_task(desk.ask(Query("gone")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    echo.release.set()
    await held
    assert (await desk.ask(Query("next"))).answer == "echo next"
    assert echo.batches == [["HOLD"], ["next"]]


async def test_a_query_that_cannot_be_answered_takes_no_place(echo):
    with pytest.raises(RefusedError, match="REFUSE") as caught:
        await desk_of(echo, concurrency=1, waiting=0).ask(Query("REFUSE"))
    assert caught.value.field == ("question",)
    assert echo.batches == []


async def test_a_configuration_that_cannot_be_used_is_no_fault_of_the_query(echo):
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        await desk_of(echo).ask(Query("CONFIG"))
    assert not isinstance(caught.value, RefusedError)


async def test_an_answerer_that_forgets_a_query_is_found_out(echo):
    class Forgetful(Echo):
        def answers(self, queries):
            yield ()

    with pytest.raises(RuntimeError, match="no answer was given"):
        await desk_of(Forgetful()).ask(Query("a"))
