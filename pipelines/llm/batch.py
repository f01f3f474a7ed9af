"""Dialogues under way on the background loop, as the thread of a trial sees them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import queue
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pipelines.llm.accounts import Account, Counts, merged
from pipelines.llm.asking import Shelf, ask, every_key
from pipelines.llm.models import LanguageModel
from pipelines.llm.types import ChatRequest, Reply
from raytuner.component import RaytunerError
from raytuner.objective import Cost
from raytuner.ports.gate import Demand, Gate, Permit, Report, background

_Result = TypeVar("_Result")
_GRACE = 10.0
"""Seconds that calls under way have to end once nobody wants to begin more."""
_WIDTH = 256
"""Dialogues led at the same time, at least. More than calls that may be under way: somebody is
always at hand. Not thousands: whatever they hold, the garbage collector stops all to look at."""


class Ask(NamedTuple):
    """Who is asked what."""

    model: LanguageModel
    request: ChatRequest


Dialogue = Generator[Sequence[Ask], list[Reply], _Result]
"""Yields asks, is sent their replies, returns its result."""


def single(ask: Ask) -> Dialogue[Reply]:
    """Ask once; the reply is the result."""
    (reply,) = yield [ask]
    return reply


Begun = tuple[Dialogue[_Result], Sequence[Ask]]
"""A dialogue and what it asks first."""


class Converse(Protocol):
    """Leads dialogues: a client, bound to what its calls are accounted to."""

    def __call__(
        self, dialogues: Sequence[Dialogue[_Result]], stage: str
    ) -> Iterator[tuple[int, _Result]]:
        """Give what each dialogue returns, with its number, when it ends."""


@dataclass
class Done(Generic[_Result]):
    """A dialogue that has ended: with a result, or with an error; and what it took."""

    number: int
    result: Any = None
    error: BaseException | None = None
    counts: Counts = field(default_factory=dict)
    paid: Cost = field(default_factory=Cost)


class Batch(Generic[_Result]):
    """Dialogues led together.

    Args:
        begun: dialogues by number, with what each asks first.
        gate: gives leave.
        shelf: keeps what comes.
        known: answers to first asks that are there already, by key.
    """

    def __init__(
        self,
        begun: Mapping[int, Begun[_Result]],
        gate: Gate,
        shelf: Shelf,
        known: Mapping[str, bytes],
    ) -> None:
        self._begun = begun
        self._gate = _Watch(gate)
        self._shelf = shelf
        self._known = known
        self._done: queue.SimpleQueue[Done[_Result]] = queue.SimpleQueue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = background()
        self._all: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(
            self._run(), self._loop
        )

    def ready(self) -> list[Done[_Result]]:
        """Wait until a dialogue has ended; give all that have."""
        found = [self._done.get()]
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._done.get_nowait())
        return found

    def stop(self) -> None:
        """Begin no more calls."""
        self._loop.call_soon_threadsafe(self._gate.stop, self._tasks)

    def close(self) -> None:
        """Wait for the calls under way: they are paid for, and their answers will be kept.

        But not for long: what has not come by then counts as spent.
        """
        if self._all.done():
            return
        self.stop()
        try:
            self._all.result(_GRACE)
        except TimeoutError:
            self._loop.call_soon_threadsafe(self._give_up)
            self._all.result()

    def _give_up(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _run(self) -> None:
        waiting = iter(self._begun)

        async def lead() -> None:
            for number in waiting:
                await self._lead(number)

        width = max(_WIDTH, 2 * _most_calls(self._begun.values()))
        leading = (lead() for _ in range(min(width, len(self._begun))))
        await asyncio.gather(*leading, return_exceptions=True)

    async def _lead(self, number: int) -> None:
        """Lead one dialogue to its end."""
        done: Done[_Result] = Done(number)
        (dialogue, asks), known = self._begun[number], self._known
        try:
            while True:
                replies = await self._ask_all(asks, known, done)
                try:
                    asks = dialogue.send(replies)
                except StopIteration as end:
                    done.result = end.value
                    break
                keys = [key for one in asks for key in every_key(*one)]
                known = await asyncio.to_thread(self._shelf.lookup, keys)
        except BaseException as error:  # noqa: BLE001 - raised again in the trial's thread
            done.error = error
            if isinstance(error, RaytunerError):  # the others would only hear the same
                self._gate.stop(self._tasks)
        self._done.put(done)

    async def _ask_all(
        self, asks: Sequence[Ask], known: Mapping[str, bytes], done: Done[_Result]
    ) -> list[Reply]:
        """Ask everything at once; note what it took, also of those beside one that breaks."""
        accounts = [Account() for _ in asks]
        tasks = [
            asyncio.create_task(ask(*one, self._gate, self._shelf, known, account))
            for one, account in zip(asks, accounts, strict=True)
        ]
        self._tasks.update(tasks)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.difference_update(tasks)
        done.counts = merged([done.counts, *(account.counts for account in accounts)])
        for account in accounts:
            done.paid = done.paid.plus(account.paid)
        replies = []
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome
            replies.append(outcome)
        return replies


def _most_calls(begun: Iterable[Begun[Any]]) -> int:
    """Give how many calls all models that are asked first may have under way together."""
    models = {id(one.model): one.model for _, asks in begun for one in asks}
    members = {m.fingerprint(): m for model in models.values() for m in model.members()}
    return sum(member.limits().concurrency for member in members.values())


class _Watch:
    """A gate that knows which tasks hold something paid for: a call, or an answer not yet kept."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._busy: dict[asyncio.Task[Any], int] = {}
        self._stopped = False

    async def admit(self, demand: Demand) -> Permit:
        """Ask for leave; whoever comes after `stop` is cancelled."""
        task: asyncio.Task[Any] | None = asyncio.current_task()
        if task is not None:
            self._busy.pop(task, None)
        if self._stopped:
            raise asyncio.CancelledError
        permit = await self._gate.admit(demand)
        if task is not None:
            self._busy[task] = permit.ticket
            task.add_done_callback(self._forget)
        return permit

    def settle(self, permit: Permit, report: Report) -> None:
        """Give a permit back; a task with an answer stays busy until it is kept."""
        if report.answer is None:
            self._busy = {task: own for task, own in self._busy.items() if own != permit.ticket}
        self._gate.settle(permit, report)

    def stop(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Cancel every task but those that are busy."""
        self._stopped = True
        for task in tasks:
            if task not in self._busy:
                task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._busy.pop(task, None)
