import asyncio
import sqlite3

from pipelines.cache.responses import ResponseCache
from pipelines.llm.asking import Shelf


class Disk(ResponseCache):
    """Notes how it is written to, and fails if told."""

    def __init__(self):
        super().__init__(None)
        self.writes = []
        self.full = False

    def add(self, rows):
        self.writes.append(len(rows))
        if self.full:
            raise sqlite3.OperationalError("disk is full")
        super().add(rows)


def rows(*numbers):
    return {f"{number:032x}": b"x" for number in numbers}


async def test_answers_of_many_calls_are_written_together():
    disk = Disk()
    shelf = Shelf(disk)
    await asyncio.gather(*(shelf.put(rows(number)) for number in range(50)))
    assert sum(disk.writes) == 50
    assert len(disk.writes) <= 3
    assert len(shelf.lookup(list(rows(*range(50))))) == 50


async def test_who_waits_for_a_write_that_fails_is_told_and_the_next_one_works():
    disk = Disk()
    shelf = Shelf(disk)
    disk.full = True
    ended = await asyncio.gather(
        *(shelf.put(rows(number)) for number in range(3)), return_exceptions=True
    )
    assert [type(one) for one in ended] == [sqlite3.OperationalError] * 3
    disk.full = False
    await shelf.put(rows(9))
    assert shelf.lookup(list(rows(9))) == rows(9)


async def test_a_put_that_is_cancelled_is_written_all_the_same():
    shelf = Shelf(Disk())
    task = asyncio.create_task(shelf.put(rows(1)))
    await asyncio.sleep(0)
    task.cancel()
    await shelf.put(rows(2))
    assert shelf.lookup(list(rows(1, 2))) == rows(1, 2)
