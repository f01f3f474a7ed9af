"""Runs the user's code on items side by side.

Every item has a thread of its own, waits there for its answers, and goes on when they come: a
slow item holds up no other. Threads are daemons: Python cannot end one, so code that hangs is
left behind when its time is over, and can ask no more.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipelines.tasks.line import Line as Line  # noqa: PLC0414 - what runs is given one
from pipelines.tasks.line import Services
from raytuner.component import RaytunerError

MOST_THREADS = 64
_GRACE = 10.0
"""Seconds that calls under way have to end once nobody wants to begin more."""
_LOOK = 0.05
"""Seconds, at least, between looks at who has used up its time."""
_Result = TypeVar("_Result")


class ItemTimeoutError(RaytunerError):
    """An item's own code took longer than it may."""


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
        services: of the items.
        timeout: seconds that the own code of an item may take.
    """

    works: Sequence[Callable[[Line], _Result]]
    services: Services
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
            line = self._lines[number] = Line(self.services, self._break)
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
        line.finish()
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
