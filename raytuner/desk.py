"""Where queries wait their turn: so many at work, so many in the queue, and no more.

Queries that wait while others are searched for are taken together: one search for many is
cheaper than many searches. While answers of models are awaited, the next ones are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from raytuner.answering import Answerer, Part, Query, Served
from raytuner.component import ConfigError, RaytunerError
from raytuner.objective import Failure, ObjectiveFailure

MOST_TOGETHER = 32
"""Queries that are searched for together: what the last of them may have to wait for."""


class BusyError(RaytunerError):
    """The queue is full. The query has cost nothing and may be asked again."""


class RefusedError(ConfigError):
    """A query that the configuration cannot answer: its asker's mistake."""


@dataclass(eq=False)
class _Job:
    query: Query
    future: asyncio.Future[Served]
    alone: bool = False
    """Whether it was with others when their work broke, so that it is tried by itself."""

    def settle(self, found: Served | Failure | BaseException) -> None:
        if self.future.done():  # whoever asked has left
            return
        if isinstance(found, Failure):
            found = ObjectiveFailure(found.kind, found.message, retryable=found.retryable)
        if isinstance(found, BaseException):
            self.future.set_exception(found)
        else:
            self.future.set_result(found)


@dataclass(eq=False)
class _Batch:
    jobs: list[_Job]
    left: set[int] = field(init=False)
    searched: bool = False

    def __post_init__(self) -> None:
        self.left = set(range(len(self.jobs)))


class Desk:
    """Gives queries to an answerer. Belongs to one event loop; the work is done in threads.

    Args:
        answerer: does it.
        concurrency: queries at work, at most; those whose asker has left count until they end.
        waiting: queries in the queue, at most.
        searches: batches that are searched for at the same time.
    """

    def __init__(
        self, answerer: Answerer, *, concurrency: int, waiting: int, searches: int = 1
    ) -> None:
        self._answerer = answerer
        self._concurrency, self._most_waiting, self._searches = concurrency, waiting, searches
        self._pool = ThreadPoolExecutor(concurrency, "raytuner-desk")
        self._waiting: deque[_Job] = deque()
        self._at_work = self._searching = 0

    async def prepare(self) -> None:
        """Load what queries need; raises as the answerer does."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._answerer.prepare)

    async def ask(self, query: Query) -> Served:
        """Answer a query when its turn comes. Cancelled, it leaves the queue.

        Raises:
            BusyError: the queue is full.
            RefusedError: the query cannot be answered.
            ConfigError: the configuration cannot be used: a key that is refused, say.
            ObjectiveFailure: there is no answer.
        """
        try:
            self._answerer.check(query)
        except ConfigError as error:
            raise RefusedError(error.message, error.field) from None
        if self._at_work + len(self._waiting) >= self._concurrency + self._most_waiting:
            raise BusyError("too many queries are waiting")
        job = _Job(query, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._begin()
        try:
            return await job.future
        finally:
            if not job.future.done():
                job.future.cancel()
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)

    def close(self) -> None:
        """Begin no more; what is at work ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while self._waiting and self._searching < self._searches:
            room = min(self._concurrency - self._at_work, MOST_TOGETHER)
            if room <= 0:
                return
            jobs = [self._waiting.popleft()]
            while self._waiting and not jobs[0].alone and len(jobs) < room:
                if self._waiting[0].alone:
                    break
                jobs.append(self._waiting.popleft())
            self._at_work += len(jobs)
            self._searching += 1
            loop = asyncio.get_running_loop()
            self._pool.submit(self._work, loop, _Batch(jobs))

    def _work(self, loop: asyncio.AbstractEventLoop, batch: _Batch) -> None:
        """Answer a batch, in a thread."""
        error: BaseException | None = None
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            try:
                for part in self._answerer.answers([job.query for job in batch.jobs]):
                    loop.call_soon_threadsafe(self._came, batch, part)
            except Exception as raised:  # noqa: BLE001 - raised where the answer is waited for
                error = raised
            loop.call_soon_threadsafe(self._ended, batch, error)

    def _came(self, batch: _Batch, part: Part) -> None:
        self._settle(batch, part)
        self._move_on(batch)

    def _ended(self, batch: _Batch, error: BaseException | None) -> None:
        """Account for what is left: if others may be to blame, each is tried by itself."""
        left = [batch.jobs[number] for number in sorted(batch.left)]
        self._at_work -= len(left)
        if error is not None and len(batch.jobs) > 1:
            for job in left:
                job.alone = True
            self._waiting.extendleft(job for job in reversed(left) if not job.future.done())
        else:
            for job in left:
                job.settle(error or RuntimeError("no answer was given"))
        self._move_on(batch)

    def _settle(self, batch: _Batch, part: Sequence[tuple[int, Served | Failure]]) -> None:
        for number, found in part:
            batch.left.discard(number)
            batch.jobs[number].settle(found)
        self._at_work -= len(part)

    def _move_on(self, batch: _Batch) -> None:
        if not batch.searched:
            batch.searched = True
            self._searching -= 1
        self._begin()
