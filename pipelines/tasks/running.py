"""Runs the user's code on items side by side, and answers what it asks of language models.

Every item has a thread of its own, waits there for its answers, and goes on when they come: a
slow item holds up no other. Threads are daemons: Python cannot end one, so code that hangs is
left behind when its time is over, and can ask no more.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pipelines.cache.responses import ResponseCache
from pipelines.llm.batch import Ask, Dialogue
from pipelines.llm.client import Client
from pipelines.llm.kept import recall
from pipelines.llm.types import Reply
from raytuner.component import RaytunerError
from raytuner.gate import Gate
from raytuner.objective import Cost, Failure, Meter

MOST_THREADS = 64
STAGE = "answer"
_GRACE = 10.0
"""Seconds that calls under way have to end once nobody wants to begin more."""
_LOOK = 0.05
"""Seconds, at least, between looks at who has used up its time."""
_Result = TypeVar("_Result")

Lead = Callable[[Ask], Reply]
"""Asks a model; waits for the reply."""


class ItemOverError(RaytunerError):
    """An item asks that has used up its time, or whose trial has ended."""


class ItemTimeoutError(RaytunerError):
    """An item's own code took longer than it may."""


class Line:
    """How the code of one item asks language models. Callable, from any thread: `line(ask)`.

    Args:
        lead: asks.
        broken: told of what breaks the whole trial.

    Attributes:
        usage: of all answers so far, at list price, nothing being cached.
        paid: what was really spent on them.
        calls: answers so far.
        labels: what was wrong with answers, counted.
        failure: of the first call that brought no answer, whatever the code made of it.
        cut: whether something could not be asked, so that nothing counts that came of it.
    """

    def __init__(self, lead: Lead, broken: Callable[[BaseException], None]) -> None:
        self._lead = lead
        self._broken = broken
        self._lock = threading.Lock()
        self._open = 0
        self._over = False
        self._own = 0.0
        self._since = time.perf_counter()
        self._answered = 0.0
        self.usage = Cost()
        self.paid = Cost()
        self.calls = 0
        self.labels: Counter[str] = Counter()
        self.failure: Failure | None = None
        self.cut = False

    def __call__(self, ask: Ask) -> Reply:
        """Ask, and wait in this thread.

        Raises:
            ItemOverError: the item's time, or the trial, is over.
            RaytunerError: the budget is used up, or the endpoint refuses key or model.
        """
        began = self._begin()
        reply = None
        try:
            reply = self._lead(ask)
        except BaseException as error:
            self.cut = True
            self._broken(error)
            raise
        finally:
            self._end(began, reply)
        return reply

    def _begin(self) -> float:
        with self._lock:
            if self._over:
                self.cut = True
                raise ItemOverError("nothing can be asked any more: time or trial is over")
            if not self._open:
                self._own += time.perf_counter() - self._since
            self._open += 1
            return self._answered

    def _end(self, began: float, reply: Reply | None) -> None:
        with self._lock:
            self._open -= 1
            self._since = time.perf_counter()
            if reply is None:
                return
            self._answered = max(self._answered, began + reply.seconds)
            self.usage, self.paid = self.usage.plus(reply.usage), self.paid.plus(reply.paid)
            self.calls += reply.failure is None
            self.failure = self.failure or reply.failure
            self.labels.update(one.label for one in reply.samples if one.label is not None)

    @property
    def waiting(self) -> bool:
        """Whether it waits for an answer."""
        return self._open > 0

    def own_seconds(self) -> float:
        """Give how long the item's own code has run: time in which nothing was asked."""
        with self._lock:
            return self._own + (0.0 if self._open else time.perf_counter() - self._since)

    def waited_seconds(self) -> float:
        """Give how long a user would have waited for the answers of models.

        An ask counts from the last answer that was there when it was made, for as long as its
        calls took when they were really made.
        """
        return self._answered

    def close(self) -> None:
        """Let nothing more be asked."""
        with self._lock:
            self._over = True


@dataclass
class Ended(Generic[_Result]):
    """An item that has ended: with a result, or with what its code raised."""

    number: int
    line: Line
    own_seconds: float
    result: _Result | None = None
    error: BaseException | None = None


@dataclass
class Running(Generic[_Result]):
    """Items under way.

    Args:
        works: each gives the result of one item.
        lead: asks models.
        timeout: seconds that the own code of an item may take.
    """

    works: Sequence[Callable[[Line], _Result]]
    lead: Lead
    timeout: float
    _lines: dict[int, Line] = field(default_factory=dict)
    _ended: queue.SimpleQueue[Ended[_Result]] = field(default_factory=queue.SimpleQueue)
    _error: BaseException | None = None

    def parts(self) -> Iterator[list[Ended[_Result]]]:
        """Run everything; give together what has ended since the last look.

        What has ended is given before anything is raised. Closing the iterator early begins no
        more items and lets calls under way end.

        Raises:
            RaytunerError: what broke the trial: the budget is used up, say.
        """
        left = iter(range(len(self.works)))
        try:
            while self._error is None:
                self._begin(left)
                if not self._lines:
                    return
                if good := self._ready():
                    yield good
            error = self._error
        finally:
            self._close()
        if good := self._taken(self._drained()):
            yield good
        raise error

    def _begin(self, left: Iterator[int]) -> None:
        while len(self._lines) < MOST_THREADS:
            number = next(left, None)
            if number is None:
                return
            line = self._lines[number] = Line(self.lead, self._break)
            work = threading.Thread(
                target=self._work, args=(number, line), name=f"raytuner-item-{number}", daemon=True
            )
            work.start()

    def _work(self, number: int, line: Line) -> None:
        ended: Ended[_Result] = Ended(number, line, 0.0)
        try:
            ended.result = self.works[number](line)
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
            ended.error = error
        ended.own_seconds = line.own_seconds()
        self._ended.put(ended)

    def _break(self, error: BaseException) -> None:
        self._error = self._error or error

    def _ready(self) -> list[Ended[_Result]]:
        """Wait until an item has ended or has used up its time; give all that have."""
        found = []
        with contextlib.suppress(queue.Empty):
            found.append(self._ended.get(timeout=self._patience()))
        return [*self._taken([*found, *self._drained()]), *self._expired()]

    def _taken(self, ended: Sequence[Ended[_Result]]) -> list[Ended[_Result]]:
        """Leave out whose time was over already, and who could not ask what it wanted to."""
        good = [one for one in ended if self._lines.pop(one.number, None) is not None]
        return [one for one in good if not one.line.cut]

    def _patience(self) -> float:
        spare = (self.timeout - line.own_seconds() for line in self._lines.values())
        return max(_LOOK, min(spare))

    def _expired(self) -> list[Ended[_Result]]:
        late = [n for n, line in self._lines.items() if line.own_seconds() > self.timeout]
        return [self._expire(number) for number in late]

    def _expire(self, number: int) -> Ended[_Result]:
        line = self._lines.pop(number)
        line.close()
        reason = f"its own code took more than {self.timeout:g} s, waiting for models aside"
        return Ended(number, line, self.timeout, error=ItemTimeoutError(reason))

    def _drained(self) -> list[Ended[_Result]]:
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._ended.get_nowait())
        return found

    def _close(self) -> None:
        """Wait for the calls under way: they are paid for, and their answers will be kept."""
        for line in self._lines.values():
            line.close()
        until = time.perf_counter() + _GRACE
        while any(line.waiting for line in self._lines.values()) and time.perf_counter() < until:
            time.sleep(_LOOK)


class SharedMeter:
    """A meter that many threads may use."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._lock = threading.Lock()

    def reserve(self, usd: float) -> None:
        """Pass it on."""
        self._meter.reserve(usd)

    def settle(self, reserved: float, cost: Cost) -> None:
        """Pass it on."""
        with self._lock:
            self._meter.settle(reserved, cost)

    def spend(self, cost: Cost) -> None:
        """Pass it on."""
        with self._lock:
            self._meter.spend(cost)

    def count(self, name: str, amount: int = 1) -> None:
        """Pass it on."""
        with self._lock:
            self._meter.count(name, amount)

    def stage(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Pass it on."""
        return self._meter.stage(name)

    @property
    def cancelled(self) -> bool:
        """Whether the sweep is ending."""
        return self._meter.cancelled

    @property
    def gate(self) -> Gate | None:
        """Where calls ask first."""
        return self._meter.gate


def through(client: Client, meter: Meter) -> Lead:
    """Ask through our client: every answer kept, none paid for twice, all of it accounted."""
    shared = SharedMeter(meter)
    return lambda ask: client.complete([ask], shared, STAGE)[0]


def from_kept(cache: ResponseCache) -> Lead:
    """Answer from what is kept; nobody is asked."""
    return lambda ask: recall([_single(ask)], cache)[0][1]


def _single(ask: Ask) -> Dialogue[Any]:
    (reply,) = yield [ask]
    return reply
